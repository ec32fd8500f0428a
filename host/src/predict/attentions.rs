//! Attention weights as a file of tensors.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};

use super::PredictError;
use thaw_files::durable;
use thaw_train::inference::BatchOutputs;
use thaw_weights::StreamedTensors;

/// What models name their attention weights: this and the layer's number.
const OUTPUT: &str = "attentions.";
/// The inputs that go along.
const INPUTS: [&str; 2] = ["input_ids", "attention_mask"];

/// The attention weights of every sample, as Hugging Face's `output_attentions=True` gives them for the whole
/// input as one batch.
///
/// | tensor | shape | |
/// | --- | --- | --- |
/// | `attentions.0`, … | `[samples, heads, tokens, tokens]`, f32 | what a token (row) takes of all |
/// | `input_ids` | `[samples, tokens]`, i64 | the tokens |
/// | `attention_mask` | `[samples, tokens]`, i64 | 1 for a token, 0 for padding |
///
/// Samples are in the order of the input. `tokens` is the longest sample's number; rows and columns of
/// padding are 0.
///
/// They are more than memory holds: batches wait in an unnamed file beside the one that is to come, until the
/// longest sample is known.
pub struct Attentions {
    path: PathBuf,
    spool: BufWriter<File>,
    /// Bytes in the spool.
    length: u64,
    batches: Vec<Spooled>,
}

/// A batch in the spool.
struct Spooled {
    indices: Vec<usize>,
    tensors: Vec<SpooledTensor>,
}

struct SpooledTensor {
    name: String,
    kind: Kind,
    shape: Vec<i64>,
    /// Where its values begin in the spool.
    start: u64,
}

impl Attentions {
    /// Begins a file, under no name yet.
    ///
    /// # Errors
    /// Its folder cannot be written.
    pub fn create(path: &Path) -> Result<Self, PredictError> {
        let failed = |error: std::io::Error| failed(path, &error);
        // A plugin may change the working directory until the end.
        let path = std::path::absolute(path).map_err(failed)?;
        let spool = tempfile::tempfile_in(durable::folder_of(&path)).map_err(failed)?;
        Ok(Self { path, spool: BufWriter::new(spool), length: 0, batches: Vec::new() })
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// The model gave no attention weights, or the disk is full.
    pub fn add(&mut self, batch: &BatchOutputs) -> Result<(), PredictError> {
        let mask = batch.inputs.find("attention_mask");
        let mut tensors = Vec::new();
        for (name, weights) in batch.outputs.iter().filter(|(name, _)| name.starts_with(OUTPUT)) {
            let mut weights = weights.f_to_kind(Kind::Float)?;
            if let Some(mask) = mask {
                weights = weights.f_mul(&mask.f_to_kind(Kind::Float)?.f_unsqueeze(1)?.f_unsqueeze(3)?)?;
            }
            tensors.push(self.spool(name, &weights)?);
        }
        if tensors.is_empty() {
            let known = batch.outputs.iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
            return Err(PredictError::NoAttentions { known });
        }
        for name in INPUTS {
            if let Some(input) = batch.inputs.find(name) {
                tensors.push(self.spool(name, input)?);
            }
        }
        self.batches.push(Spooled { indices: batch.indices.clone(), tensors });
        Ok(())
    }

    fn spool(&mut self, name: &str, tensor: &Tensor) -> Result<SpooledTensor, PredictError> {
        let bytes = bytes_of(tensor)?;
        self.spool.write_all(&bytes).map_err(|error| failed(&self.path, &error))?;
        let start = self.length;
        self.length += bytes.len() as u64;
        Ok(SpooledTensor { name: name.to_owned(), kind: tensor.kind(), shape: tensor.size(), start })
    }

    /// Writes all of them; the file appears when it is complete.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(self) -> Result<(), PredictError> {
        let Self { path, spool, batches, .. } = self;
        let mut spool = spool.into_inner().map_err(|error| failed(&path, &error))?;
        let mut samples: Vec<usize> = batches.iter().flat_map(|batch| &batch.indices).copied().collect();
        samples.sort_unstable();
        let shapes = whole_shapes(&batches, samples.len());
        let layout: Vec<(String, Kind, Vec<i64>)> =
            shapes.iter().map(|(name, (kind, shape))| (name.clone(), *kind, shape.clone())).collect();
        let mut file = StreamedTensors::create(&path, &layout).map_err(|error| failed(&path, &error))?;
        for batch in &batches {
            for tensor in &batch.tensors {
                let Some((_, whole)) = shapes.get(&tensor.name) else { continue };
                let values = tensor.read(&mut spool).map_err(|error| failed(&path, &error))?;
                for (row, index) in (0..).zip(&batch.indices) {
                    let sample = bytes_of(&padded(&values.f_get(row)?, &whole[1..])?)?;
                    let place = samples.binary_search(index).unwrap_or_default();
                    file.write(&tensor.name, (place * sample.len()) as u64, &sample)
                        .map_err(|error| failed(&path, &error))?;
                }
            }
        }
        file.finish().map_err(|error| failed(&path, &error))
    }
}

impl SpooledTensor {
    fn read(&self, spool: &mut File) -> Result<Tensor, PredictError> {
        let elements: i64 = self.shape.iter().product();
        let mut bytes =
            vec![0; usize::try_from(elements).unwrap_or_default() * self.kind.elt_size_in_bytes()];
        let read = spool.seek(SeekFrom::Start(self.start)).and_then(|_| spool.read_exact(&mut bytes));
        read.map_err(|error| PredictError::Torch(format!("`{}`: {error}", self.name)))?;
        Ok(Tensor::f_from_data_size(&bytes, &self.shape, self.kind)?)
    }
}

/// Each tensor's type and shape in the whole file: the longest of its batches'.
fn whole_shapes(batches: &[Spooled], samples: usize) -> BTreeMap<String, (Kind, Vec<i64>)> {
    let mut shapes: BTreeMap<String, (Kind, Vec<i64>)> = BTreeMap::new();
    for tensor in batches.iter().flat_map(|batch| &batch.tensors) {
        let entry = shapes.entry(tensor.name.clone());
        let (_, shape) = entry.or_insert_with(|| (tensor.kind, tensor.shape.clone()));
        shape.iter_mut().zip(&tensor.shape).for_each(|(longest, size)| *longest = *size.max(longest));
        if let Some(first) = shape.first_mut() {
            *first = samples as i64;
        }
    }
    shapes
}

/// A sample with zeros at the end of each dimension, up to this shape.
fn padded(sample: &Tensor, shape: &[i64]) -> Result<Tensor, PredictError> {
    let missing = sample.size().into_iter().zip(shape).rev();
    let padding: Vec<i64> = missing.flat_map(|(size, whole)| [0, whole - size]).collect();
    Ok(sample.f_constant_pad_nd(&padding)?)
}

/// The values, row by row.
fn bytes_of(tensor: &Tensor) -> Result<Vec<u8>, PredictError> {
    let tensor = tensor.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
    tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
    Ok(bytes)
}

fn failed(path: &Path, reason: &impl ToString) -> PredictError {
    PredictError::Write { path: path.to_path_buf(), reason: reason.to_string() }
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
        let mut attentions = Attentions::create(&path).unwrap();
        attentions.add(&batch(vec![2, 0], &[1, 2])).unwrap();
        attentions.add(&batch(vec![1], &[3])).unwrap();
        attentions.write().unwrap();
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
    fn batches_wait_on_the_disk_and_nothing_is_left_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let mut attentions = Attentions::create(&path).unwrap();
        for index in 0..100 {
            attentions.add(&batch(vec![index], &[20])).unwrap();
        }
        assert!(attentions.length >= 100 * 20 * 20 * 4, "{} bytes are on the disk", attentions.length);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "under no name");
        attentions.write().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_model_without_attention_weights_is_told_with_what_it_gave() {
        let mut one = batch(vec![0], &[1]);
        one.outputs = Tensors::one("logits", Tensor::zeros([1, 2], (Kind::Float, Device::Cpu)));
        let folder = tempfile::tempdir().unwrap();
        let mut attentions = Attentions::create(&folder.path().join("a.safetensors")).unwrap();
        let text = attentions.add(&one).unwrap_err().to_string();
        assert!(text.contains("--attentions") && text.contains("logits"), "{text}");
    }
}
