//! Named tensors, and what a step takes and gives.

use tch::Tensor;

use crate::error::{Error, Result};

/// Tensors by name, in order.
#[derive(Debug, Default)]
pub struct Tensors(Vec<(String, Tensor)>);

impl Tensors {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// One tensor.
    pub fn one(name: impl Into<String>, tensor: Tensor) -> Self {
        Self(vec![(name.into(), tensor)])
    }

    /// The same with one more.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, tensor: Tensor) -> Self {
        self.0.push((name.into(), tensor));
        self
    }

    /// The first tensor: the picture, the logits.
    ///
    /// # Errors
    /// There is none.
    pub fn first(&self) -> Result<&Tensor> {
        self.0.first().map(|(_, tensor)| tensor).ok_or_else(|| Error::new("expected a tensor, found none"))
    }

    /// A tensor by name.
    ///
    /// # Errors
    /// There is none of this name; the names are told.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.find(name).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
            Error::new(format_args!("there is no tensor `{name}`, there are: {}", names.join(", ")))
        })
    }

    /// A tensor by name, if it is there.
    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor)
    }

    /// Names and tensors, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Replaces the first tensor by what `layer` makes of it; the others stay.
    ///
    /// # Errors
    /// There is none, or `layer` fails.
    pub fn map_first(mut self, layer: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let output = layer(self.first()?)?;
        if let Some((_, first)) = self.0.first_mut() {
            *first = output;
        }
        Ok(self)
    }
}

impl FromIterator<(String, Tensor)> for Tensors {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(tensors: I) -> Self {
        Self(tensors.into_iter().collect())
    }
}

impl IntoIterator for Tensors {
    type Item = (String, Tensor);
    type IntoIter = std::vec::IntoIter<(String, Tensor)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A batch, on the model's device.
#[derive(Debug)]
pub struct Batch {
    /// The model's inputs; the first dimension is the sample.
    pub inputs: Tensors,
    /// Labels (i64) or numbers; none in a prediction.
    pub target: Option<Tensor>,
}

/// What a model's own step gives.
#[derive(Debug)]
pub struct StepOutput {
    /// Mean loss over the batch, a scalar.
    pub loss: Tensor,
    /// Outputs, logits first.
    pub outputs: Tensors,
    /// Further metrics by name, means over the batch; logged as `train_…` and `val_…`.
    pub metrics: Vec<(String, f64)>,
}
