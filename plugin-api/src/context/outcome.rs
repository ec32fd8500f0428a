//! What the model gave for a batch of validation, as hooks see it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Context, Request};
use crate::error::{Error, Result};

/// Numbers with their shape, the sample first: what the model gave for a batch, or the batch's targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Numbers {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Numbers {
    /// Numbers of this shape, sample by sample.
    ///
    /// # Errors
    /// They are not as many as the shape has, or it has no dimension.
    pub fn new(shape: &[usize], values: Vec<f32>) -> Result<Self> {
        let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
        crate::ensure!(
            !shape.is_empty() && count == Some(values.len()),
            "{} numbers do not have the shape {shape:?}",
            values.len()
        );
        Ok(Self { shape: shape.to_vec(), values })
    }

    /// Sizes of the dimensions, the first one the number of samples.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// All numbers, sample by sample.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// How many samples they are of.
    pub fn samples(&self) -> usize {
        self.shape.first().copied().unwrap_or_default()
    }

    /// The numbers of each sample.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        let size: usize = self.shape.iter().skip(1).product();
        (0..self.samples()).map(move |row| &self.values[row * size..(row + 1) * size])
    }

    /// The place of each sample's largest number, the first one of equals: the likeliest class of logits. NaN
    /// counts as the largest, as in `torch.argmax`.
    pub fn argmax(&self) -> Vec<usize> {
        let largest = |row: &[f32]| {
            let mut best = 0;
            for (place, value) in row.iter().enumerate() {
                if !row[best].is_nan() && (value.is_nan() || *value > row[best]) {
                    best = place;
                }
            }
            best
        };
        self.rows().map(largest).collect()
    }
}

/// Numbers as they cross the boundary: of each the eight hexadecimal digits of its bits, since JSON has
/// neither NaN nor numbers that are read as fast.
#[derive(Serialize, Deserialize)]
struct Written {
    shape: Vec<usize>,
    values: String,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl From<Numbers> for Written {
    fn from(numbers: Numbers) -> Self {
        let mut values = String::with_capacity(numbers.values.len() * 8);
        for number in &numbers.values {
            let bits = number.to_bits();
            values.extend((0..8).rev().map(|place| DIGITS[(bits >> (4 * place)) as usize & 15] as char));
        }
        Self { shape: numbers.shape, values }
    }
}

impl TryFrom<Written> for Numbers {
    type Error = Error;

    fn try_from(Written { shape, values }: Written) -> Result<Self> {
        let number = |digits: &[u8]| {
            let bits = digits
                .iter()
                .try_fold(0_u32, |bits, digit| Some(bits << 4 | char::from(*digit).to_digit(16)?));
            bits.map(f32::from_bits)
                .ok_or_else(|| Error::new("numbers of a batch that are not written as such"))
        };
        crate::ensure!(values.len() % 8 == 0, "numbers of a batch that break off");
        let values = values.as_bytes().chunks_exact(8).map(number).collect::<Result<Vec<_>>>()?;
        // Nothing at all has no shape.
        if shape.is_empty() && values.is_empty() { Ok(Self::default()) } else { Self::new(&shape, values) }
    }
}

/// What a host calls the model's first output, or with `/` and its name another one.
#[doc(hidden)]
pub const OUTPUTS: &str = ":outputs";
/// What a host calls the batch's targets.
#[doc(hidden)]
pub const TARGETS: &str = ":targets";

/// Why there is no outcome of a batch.
#[doc(hidden)]
pub fn no_outcome() -> Error {
    Error::new("there is no batch whose outputs could be looked at").help(
        "outputs, targets and samples are there in `on_validation_batch_end` of a fit, validation or test",
    )
}

impl Context<'_> {
    /// What the model gave for the batch of validation that is done, its first output: logits, or numbers. In
    /// `on_validation_batch_end`; [`Progress::validation_set`](super::Progress::validation_set) says of which
    /// set. The numbers are copied from the device, which is waited for; where no hook asks, nothing is.
    /// Since 1.4.
    ///
    /// ```
    /// use thaw_plugin_api::prelude::*;
    ///
    /// /// Adds a batch to a table of samples by class and predicted class.
    /// fn add_batch(context: &mut Context, table: &mut [Vec<usize>]) -> Result<()> {
    ///     let (predicted, targets) = (context.outputs()?.argmax(), context.targets()?);
    ///     let targets = targets.iter().flat_map(|targets| targets.values());
    ///     for (target, predicted) in targets.zip(predicted) {
    ///         table[*target as usize][predicted] += 1;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// Another hook, a model without outputs, or a host with a plugin-api before 1.4.
    pub fn outputs(&mut self) -> Result<Numbers> {
        self.numbers(OUTPUTS.to_owned())
    }

    /// As [`Self::outputs`], of a model with several outputs the one of this name.
    ///
    /// # Errors
    /// As [`Self::outputs`]; there is no output of this name.
    pub fn output(&mut self, name: &str) -> Result<Numbers> {
        self.numbers(format!("{OUTPUTS}/{name}"))
    }

    /// The targets of that batch: labels as the numbers of their classes, or numbers; none without targets.
    ///
    /// # Errors
    /// As [`Self::outputs`].
    pub fn targets(&mut self) -> Result<Option<Numbers>> {
        let targets = self.numbers(TARGETS.to_owned())?;
        Ok(Some(targets).filter(|targets| !targets.shape.is_empty()))
    }

    /// What the samples of that batch are called: the path of a picture
    /// relative to the folder of the data, the number of a row.
    ///
    /// # Errors
    /// As [`Self::outputs`].
    pub fn samples(&mut self) -> Result<Vec<String>> {
        Ok(serde_json::from_value(self.of_batch(&Request::BatchSamples)?)?)
    }

    fn numbers(&mut self, name: String) -> Result<Numbers> {
        Ok(serde_json::from_value(self.of_batch(&Request::BatchNumbers { name })?)?)
    }

    fn of_batch(&mut self, request: &Request) -> Result<Value> {
        let is_unknown = |error: &Error| {
            let names = ["batch-samples", "batch-numbers"];
            names.iter().any(|name| error.message() == super::unknown_operation(name).message())
        };
        request.send(self.services).map_err(|error| {
            if is_unknown(&error) {
                error.help("use a host with thaw-plugin-api 1.4 or newer")
            } else {
                error
            }
        })
    }

    /// As [`Self::outputs`], the tensor itself, on the model's device: no copy, and no wait for it.
    ///
    /// # Errors
    /// As [`Self::outputs`] and [`Self::tensor`].
    #[cfg(feature = "torch")]
    pub fn outputs_tensor(&mut self) -> Result<tch::Tensor> {
        self.tensor(OUTPUTS)
    }

    /// As [`Self::output`], the tensor itself.
    ///
    /// # Errors
    /// As [`Self::outputs_tensor`].
    #[cfg(feature = "torch")]
    pub fn output_tensor(&mut self, name: &str) -> Result<tch::Tensor> {
        self.tensor(&format!("{OUTPUTS}/{name}"))
    }

    /// As [`Self::targets`], the tensor itself: labels are i64.
    ///
    /// # Errors
    /// As [`Self::outputs_tensor`]; there are no targets.
    #[cfg(feature = "torch")]
    pub fn targets_tensor(&mut self) -> Result<tch::Tensor> {
        self.tensor(TARGETS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_cross_bit_by_bit() {
        let values = vec![0.1, -0.0, f32::INFINITY, f32::MIN_POSITIVE, 16_777_217.0, f32::NAN];
        let text = serde_json::to_string(&Numbers::new(&[3, 2], values.clone()).unwrap()).unwrap();
        let back: Numbers = serde_json::from_str(&text).unwrap();
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!((back.shape(), bits(back.values())), (&[3, 2][..], bits(&values)));
        for wrong in ["3f80000", "3f80000g", "3f8000003f800000"] {
            let text = format!(r#"{{"shape":[1],"values":"{wrong}"}}"#);
            assert!(serde_json::from_str::<Numbers>(&text).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rows_are_those_of_samples() {
        let numbers = Numbers::new(&[2, 3], vec![0.0, 2.0, 1.0, 5.0, f32::NAN, 9.0]).unwrap();
        assert_eq!(numbers.rows().next().unwrap(), [0.0, 2.0, 1.0]);
        assert_eq!((numbers.samples(), numbers.argmax()), (2, vec![1, 1]));
        assert_eq!(Numbers::new(&[2], vec![1.0, 3.0]).unwrap().rows().count(), 2);
        assert_eq!(Numbers::new(&[2, 2], vec![1.0; 4]).unwrap().argmax(), [0, 0]);
        let nothing = serde_json::from_str::<Numbers>(r#"{"shape":[],"values":""}"#).unwrap();
        assert_eq!(nothing, Numbers::default());
        assert!(Numbers::new(&[2, 2], vec![1.0; 3]).is_err() && Numbers::new(&[], vec![]).is_err());
    }
}
