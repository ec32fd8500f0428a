//! What a data set says of itself once it is open.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Dtype, Input, Split};
use crate::error::{Error, Result};

/// What every sample of a data set is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Arrays of the same shape in each sample.
    Arrays(Vec<ArrayForm>),
    /// Pictures of any size: the keys `image_size`, `resize`, `augment`, … of the run config hold.
    Pictures,
    /// Texts: the keys `tokenizer`, `max_length`, `padding`, … of the run config hold.
    Texts,
    /// Pairs of texts, with the keys of texts.
    TextPairs,
}

/// An array of every sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayForm {
    /// The name under which the model gets it.
    pub name: String,
    /// What its elements are.
    pub dtype: Dtype,
    /// Its sizes, without the batch.
    pub shape: Vec<usize>,
}

impl Form {
    /// One array.
    pub fn array(name: impl Into<String>, dtype: Dtype, shape: impl Into<Vec<usize>>) -> Self {
        Self::Arrays(vec![ArrayForm { name: name.into(), dtype, shape: shape.into() }])
    }

    /// What the samples are, for messages: `arrays`, `pictures`, `texts`, `pairs of texts`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Arrays(_) => "arrays",
            Self::Pictures => "pictures",
            Self::Texts => "texts",
            Self::TextPairs => "pairs of texts",
        }
    }

    /// Whether an input is of this form.
    ///
    /// # Errors
    /// It is not: what was found and what was expected.
    pub fn check(&self, input: &Input) -> Result<()> {
        match (self, input) {
            (Self::Arrays(forms), Input::Arrays(arrays)) => {
                let found: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
                let expected: Vec<&str> = forms.iter().map(|form| form.name.as_str()).collect();
                if found != expected {
                    return Err(unlike(format!("arrays {found:?}"), format!("{expected:?}, in this order")));
                }
                for (form, (name, array)) in forms.iter().zip(arrays) {
                    if (form.dtype, &form.shape[..]) != (array.dtype(), array.shape()) {
                        let found = format!("`{name}` of {} {:?}", array.dtype(), array.shape());
                        return Err(unlike(found, format!("{} {:?}", form.dtype, form.shape)));
                    }
                }
                Ok(())
            }
            (Self::Pictures, Input::Picture(_))
            | (Self::Texts, Input::Text(_))
            | (Self::TextPairs, Input::TextPair(..)) => Ok(()),
            _ => Err(unlike(input.kind().to_owned(), self.name().to_owned())),
        }
    }
}

fn unlike(found: String, expected: String) -> Error {
    Error::new(format_args!("found {found}, expected {expected}, as `form` says"))
}

/// What the host is told of an open data set, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Description {
    /// As [`Dataset::form`](super::Dataset::form).
    pub form: Form,
    /// As [`Dataset::class_names`](super::Dataset::class_names).
    #[serde(default)]
    pub class_names: Vec<String>,
    /// As [`Dataset::in_memory`](super::Dataset::in_memory).
    #[serde(default)]
    pub in_memory: bool,
    /// Splits that there are, with their numbers of samples.
    pub splits: Vec<(Split, usize)>,
    /// The resolved configuration.
    #[serde(default)]
    pub config: Value,
}

impl Description {
    /// Number of samples of a split; none where there is no such split.
    pub fn len(&self, split: Split) -> Option<usize> {
        self.splits.iter().find(|(known, _)| *known == split).map(|(_, samples)| *samples)
    }
}
