//! What a step gets.

use super::DataError;
use tch::{Kind, Tensor};
use thaw_torch::buffers::{Buffers, Place};

mod levels;

pub(crate) use levels::Levels;
pub use levels::Unfinished;

/// Name of the input that holds pictures: f32, `[batch, 3, size, size]`.
pub const PICTURE_INPUT: &str = "x";

/// A batch on the CPU. First dimension of every tensor: the samples, in the order of `indices`.
#[derive(Debug)]
pub struct Batch {
    /// Named inputs of the model: pictures as [`PICTURE_INPUT`], texts as `input_ids`, `attention_mask` and
    /// `token_type_ids` (i64, `[batch, tokens]`), tensors under their keys in the file.
    pub inputs: Vec<(String, Tensor)>,
    /// Class indices (i64, `[batch]`), values (f32) or whatever shape a tensor file gives its target; None if
    /// the data has no target.
    pub targets: Option<Tensor>,
    /// Samples of the split. A skipped picture is missing here as in the tensors.
    pub indices: Vec<usize>,
    /// Which batch of the epoch this is, from 0. A run that stops after this batch resumes with
    /// `start_batch = position + 1`.
    pub position: usize,
    /// Inputs that are bytes still, of a batch that goes to a GPU; see [`Batch::finish`].
    pub unfinished: Vec<Unfinished>,
}

impl Batch {
    /// A batch of the CPU's, at position 0.
    pub fn new(inputs: Vec<(String, Tensor)>, targets: Option<Tensor>, indices: Vec<usize>) -> Batch {
        Batch { inputs, targets, indices, position: 0, unfinished: Vec::new() }
    }

    /// Makes of bytes what the model takes, to the last bit as it would have been made on the CPU. To be
    /// called where the inputs are by then; a batch that is finished stays as it is.
    ///
    /// # Errors
    /// The device's memory is too small.
    pub fn finish(&mut self) -> Result<(), DataError> {
        for Unfinished { input, levels } in self.unfinished.drain(..) {
            if let Some((_, bytes)) = self.inputs.get_mut(input) {
                *bytes = levels.of(bytes)?;
            }
        }
        Ok(())
    }

    /// Moves what does not lie there into page-locked memory.
    pub(crate) fn pin(&mut self) -> Result<(), DataError> {
        let tensors = self.inputs.iter_mut().map(|(_, tensor)| tensor).chain(&mut self.targets);
        for tensor in tensors {
            *tensor = thaw_torch::transfer::pin_memory(tensor)?;
        }
        Ok(())
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Bytes of its tensors.
    pub(crate) fn bytes(&self) -> u64 {
        let tensors = self.inputs.iter().map(|(_, tensor)| tensor).chain(&self.targets);
        tensors.map(|tensor| (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64).sum()
    }

    /// True if every picture of the batch was skipped. A loader never yields such a batch.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// An i64 tensor of the given shape.
pub(crate) fn i64_tensor(values: &[i64], shape: &[i64]) -> Result<Tensor, DataError> {
    Ok(Tensor::f_from_slice(values)?.f_view(shape)?)
}

/// A tensor `[count, stride…]` whose rows `fill` writes in place, which saves a copy of the batch.
///
/// `fill` gets the row number and the row, all of whose elements it writes, and says whether the row
/// stays; rows that do not are closed up. Returns the tensor with the rows that stayed.
pub(crate) fn fill_rows(
    (buffers, place): (&Buffers, Place),
    (count, kind): (usize, Kind),
    row_shape: &[i64],
    mut fill: impl FnMut(usize, &mut [u8]) -> Result<bool, DataError>,
) -> Result<Tensor, DataError> {
    let shape: Vec<i64> = std::iter::once(count as i64).chain(row_shape.iter().copied()).collect();
    let stride = row_shape.iter().product::<i64>() as usize * kind.elt_size_in_bytes();
    let mut kept = 0;
    let tensor = buffers.filled(&shape, kind, place, |data| -> Result<(), DataError> {
        for row in 0..count {
            if fill(row, &mut data[kept * stride..(kept + 1) * stride])? {
                kept += 1;
            }
        }
        Ok(())
    })?;
    if kept == count {
        return Ok(tensor);
    }
    Ok(tensor.f_narrow(0, 0, kept as i64)?)
}
