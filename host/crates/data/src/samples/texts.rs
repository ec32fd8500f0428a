//! Samples that are texts or pairs of texts.

use std::sync::Arc;

use thaw_plugin_api::Error;
use thaw_plugin_api::dataset::{Form, Input};

use super::{Source, of_source};
use crate::dataset::{Dataset, Pass};
use crate::text::TextEncoder;
use crate::{Batch, DataError};

/// Texts, tokenized as those of a table are.
pub(super) struct TextSamples {
    source: Arc<Source>,
    encoder: Arc<TextEncoder>,
}

impl TextSamples {
    pub(super) fn new(source: Arc<Source>, encoder: Arc<TextEncoder>) -> Self {
        Self { source, encoder }
    }
}

impl Dataset for TextSamples {
    of_source!();

    fn input_shape(&self) -> String {
        self.encoder.shape(*self.source.form() == Form::TextPairs)
    }

    fn batch(&self, indices: &[usize], _pass: &Pass) -> Result<Batch, DataError> {
        let mut rows = Vec::with_capacity(indices.len());
        let mut targets = Vec::with_capacity(indices.len());
        for &index in indices {
            let (input, target) = self.source.input(index)?;
            targets.push(target);
            let row = match &input {
                Input::Text(text) => self.encoder.encode(text, None),
                Input::TextPair(text, pair) => self.encoder.encode(text, Some(pair)),
                _ => Err("found no text".to_owned()),
            };
            rows.push(row.map_err(|found| self.source.error(index, Error::new(found)))?);
        }
        let (inputs, targets) = (self.encoder.inputs(&rows)?, self.source.tensor(targets)?);
        Ok(Batch::new(inputs, targets, indices.to_vec()))
    }

    fn length_of(&self, index: usize) -> Option<usize> {
        if self.encoder.buckets() { self.source.length(index) } else { None }
    }

    fn fixed_inputs(&self, _pass: &Pass) -> bool {
        self.encoder.pads_alike()
    }
}
