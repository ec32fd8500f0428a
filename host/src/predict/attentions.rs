//! Attention weights as a file of tensors.

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::PredictError;
use thaw_train::inference::BatchOutputs;
use thaw_weights::{WriteOptions, write_safetensors};

/// What models name their attention weights: this and the layer's number.
const OUTPUT: &str = "attentions.";
/// The inputs that go along.
const INPUTS: [&str; 2] = ["input_ids", "attention_mask"];

/// The attention weights of every sample, as Hugging Face's `output_attentions=True` gives them for the whole
/// input as one batch.
///
/// | tensor | shape | |
/// | --- | --- | --- |
/// | `attentions.0`, … | `[samples, heads, tokens, tokens]`, f32 | a layer each: how much a token (row) takes from each token (column) |
/// | `input_ids` | `[samples, tokens]`, i64 | the tokens |
/// | `attention_mask` | `[samples, tokens]`, i64 | 1 for a token, 0 for padding |
///
/// Samples are in the order of the input. `tokens` is the longest sample's number; rows and columns of
/// padding are 0.
#[derive(Default)]
pub struct Attentions {
    batches: Vec<(Vec<usize>, BTreeMap<String, Tensor>)>,
}

impl Attentions {
    /// Adds a batch.
    ///
    /// # Errors
    /// The model gave no attention weights.
    pub fn add(&mut self, batch: &BatchOutputs) -> Result<(), PredictError> {
        let mask = batch.inputs.find("attention_mask");
        let mut kept = BTreeMap::new();
        for (name, weights) in batch.outputs.iter().filter(|(name, _)| name.starts_with(OUTPUT)) {
            let mut weights = weights.f_to_kind(Kind::Float)?;
            if let Some(mask) = mask {
                weights = weights.f_mul(&mask.f_to_kind(Kind::Float)?.f_unsqueeze(1)?.f_unsqueeze(3)?)?;
            }
            kept.insert(name.to_owned(), weights.f_to_device(Device::Cpu)?);
        }
        if kept.is_empty() {
            let known = batch.outputs.iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
            return Err(PredictError::NoAttentions { known });
        }
        for name in INPUTS {
            if let Some(input) = batch.inputs.find(name) {
                kept.insert(name.to_owned(), input.f_to_device(Device::Cpu)?);
            }
        }
        self.batches.push((batch.indices.clone(), kept));
        Ok(())
    }

    /// Writes all of them; the file appears when it is complete.
    ///
    /// # Errors
    /// They are more than memory holds, or the file cannot be written.
    pub fn write(self, path: &Path) -> Result<(), PredictError> {
        let mut samples: Vec<usize> = self.batches.iter().flat_map(|(indices, _)| indices).copied().collect();
        samples.sort_unstable();
        let position = |index: &usize| samples.binary_search(index).map_or(0, |position| position as i64);
        let mut shapes: BTreeMap<&String, (Vec<i64>, Kind)> = BTreeMap::new();
        for (name, tensor) in self.batches.iter().flat_map(|(_, tensors)| tensors) {
            let (shape, _) = shapes.entry(name).or_insert_with(|| (tensor.size(), tensor.kind()));
            shape.iter_mut().zip(tensor.size()).for_each(|(longest, size)| *longest = size.max(*longest));
            if let Some(first) = shape.first_mut() {
                *first = samples.len() as i64;
            }
        }
        let zeros = |(name, (shape, kind)): (&String, (Vec<i64>, Kind))| {
            Ok((name.clone(), Tensor::f_zeros(shape, (kind, Device::Cpu))?))
        };
        let whole: BTreeMap<String, Tensor> =
            shapes.into_iter().map(zeros).collect::<Result<_, PredictError>>()?;
        for (indices, tensors) in &self.batches {
            let rows: Vec<i64> = indices.iter().map(position).collect();
            for (name, tensor) in tensors {
                let Some(whole) = whole.get(name) else { continue };
                let mut place = whole.shallow_clone();
                for (dimension, size) in (0..).zip(tensor.size()).skip(1) {
                    place = place.f_narrow(dimension, 0, size)?;
                }
                let _ = place.f_index_copy_(0, &Tensor::f_from_slice(&rows)?, tensor)?;
            }
        }
        let tensors: Vec<(String, Tensor)> = whole.into_iter().collect();
        let failed = |error: thaw_weights::WeightsError| PredictError::Write {
            path: path.to_path_buf(),
            reason: error.to_string(),
        };
        write_safetensors(path, &tensors, &BTreeMap::new(), &WriteOptions::default())
            .map(drop)
            .map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use thaw_plugin_api::model::Tensors;

    use super::*;

    /// Samples of `tokens[i]` tokens each, one head, every weight the sample's number plus 1.
    fn batch(indices: Vec<usize>, tokens: &[i64]) -> BatchOutputs {
        let longest = *tokens.iter().max().unwrap();
        let count = indices.len() as i64;
        let masks: Vec<i64> = tokens
            .iter()
            .flat_map(|tokens| (0..longest).map(move |place| i64::from(place < *tokens)))
            .collect();
        let mask = Tensor::from_slice(&masks).view([count, longest]);
        let numbers: Vec<f32> = indices.iter().map(|index| *index as f32 + 1.0).collect();
        let weights =
            Tensor::from_slice(&numbers).view([-1, 1, 1, 1]).expand([count, 1, longest, longest], false);
        let inputs = Tensors::one("input_ids", &mask * 7).with("attention_mask", mask);
        let outputs = Tensors::one("logits", Tensor::zeros([count, 2], (Kind::Float, Device::Cpu)))
            .with("attentions.0", weights);
        BatchOutputs { indices, inputs, outputs }
    }

    #[test]
    fn samples_come_in_the_order_of_the_input_and_padding_is_zero() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let mut attentions = Attentions::default();
        attentions.add(&batch(vec![2, 0], &[1, 2])).unwrap();
        attentions.add(&batch(vec![1], &[3])).unwrap();
        attentions.write(&path).unwrap();
        let tensors: BTreeMap<String, Tensor> =
            Tensor::read_safetensors(&path).unwrap().into_iter().collect();
        assert_eq!(tensors.keys().collect::<Vec<_>>(), ["attention_mask", "attentions.0", "input_ids"]);
        assert_eq!(tensors["attentions.0"].size(), [3, 1, 3, 3]);
        let rows = tensors["attentions.0"].sum_dim_intlist([1_i64, 3].as_slice(), false, Kind::Float);
        assert_eq!(Vec::<Vec<f32>>::try_from(rows).unwrap(), [[2.0, 2.0, 0.0], [6.0; 3], [6.0, 0.0, 0.0]]);
        let ids = Vec::<Vec<i64>>::try_from(&tensors["input_ids"]).unwrap();
        assert_eq!(ids, [[7, 7, 0], [7, 7, 7], [7, 0, 0]]);
    }

    #[test]
    fn a_model_without_attention_weights_is_told_with_what_it_gave() {
        let mut one = batch(vec![0], &[1]);
        one.outputs = Tensors::one("logits", Tensor::zeros([1, 2], (Kind::Float, Device::Cpu)));
        let text = Attentions::default().add(&one).unwrap_err().to_string();
        assert!(text.contains("--attentions") && text.contains("logits"), "{text}");
    }
}
