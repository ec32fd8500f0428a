//! What a step gets.

use super::DataError;
use tch::{Device, Kind, Tensor};

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
}

impl Batch {
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

/// An f32 tensor `[count, stride…]` whose rows `fill` writes in place, which saves a copy of the batch.
///
/// `fill` gets the row number and the row, and says whether the row stays; rows that do not are closed up.
/// Returns the tensor with the rows that stayed.
pub(crate) fn fill_rows(
    count: usize,
    row_shape: &[i64],
    mut fill: impl FnMut(usize, &mut [f32]) -> Result<bool, DataError>,
) -> Result<Tensor, DataError> {
    let shape: Vec<i64> = std::iter::once(count as i64).chain(row_shape.iter().copied()).collect();
    let stride = row_shape.iter().product::<i64>() as usize;
    let tensor = Tensor::f_empty(&shape, (Kind::Float, Device::Cpu))?;
    let length = count * stride;
    let start = tensor.data_ptr().cast::<f32>();
    let data: &mut [f32] = if length == 0 {
        &mut []
    } else {
        // SAFETY: the tensor was made above: contiguous, f32, on the CPU, `length` elements, and nothing else
        // refers to its storage while the slice lives. The zeros make every element a valid f32 before the
        // slice exists. (libtorch's own `zeros` would start its thread pool in each loading thread.)
        unsafe {
            std::ptr::write_bytes(start, 0, length);
            std::slice::from_raw_parts_mut(start, length)
        }
    };
    let mut kept = 0;
    for row in 0..count {
        if fill(row, &mut data[kept * stride..(kept + 1) * stride])? {
            kept += 1;
        }
    }
    if kept == count {
        return Ok(tensor);
    }
    Ok(tensor.f_narrow(0, 0, kept as i64)?)
}
