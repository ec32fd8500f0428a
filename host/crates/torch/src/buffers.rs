//! Memory of large batches, used again once a batch is done with.
//!
//! A batch of large tensors in fresh memory costs more than the copy into it: the system hands memory out
//! page by page, each at its first touch. So such memory is kept, and goes back to where it came from when
//! the last tensor that shares it is gone, whoever held it.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use tch::{Kind, Tensor};

use super::{Result, TorchError, call, ffi};

/// Smaller tensors are libtorch's own: its allocator has such memory at hand.
const SMALLEST: usize = 1 << 20;

/// What vector instructions like the start of memory to be a multiple of; libtorch's own is, too.
const ALIGNMENT: usize = 64;

/// Where a tensor lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the machine's memory.
    Memory,
    /// In page-locked memory, from which a GPU reads on its own. Needs CUDA, which keeps and reuses it.
    Pinned,
}

/// Hands out tensors in memory that was used before. Shared by the threads that make batches.
#[derive(Clone, Debug, Default)]
pub struct Buffers {
    free: Arc<Mutex<Vec<Block>>>,
}

/// Memory with an aligned start.
#[derive(Debug)]
struct Block(Vec<u8>);

/// A block that a tensor lies in.
struct Lent {
    block: Option<Block>,
    free: Arc<Mutex<Vec<Block>>>,
}

impl Block {
    fn new(length: usize) -> Block {
        // Zeros of the system, which cost nothing before they are touched.
        Block(vec![0; length + ALIGNMENT])
    }

    fn capacity(&self) -> usize {
        self.0.len() - ALIGNMENT
    }

    fn bytes(&mut self, length: usize) -> &mut [u8] {
        let start = self.0.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        &mut self.0[start..start + length]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let block = self.block.take();
        self.free.lock().unwrap_or_else(PoisonError::into_inner).extend(block);
    }
}

impl Buffers {
    /// A contiguous tensor whose bytes `fill` writes; what they were before is not said.
    ///
    /// # Errors
    /// No memory is left, or what `fill` gives.
    pub fn filled<E: From<TorchError>>(
        &self,
        shape: &[i64],
        kind: Kind,
        place: Place,
        fill: impl FnOnce(&mut [u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<Tensor, E> {
        let elements: usize = shape.iter().map(|&size| usize::try_from(size).unwrap_or(0)).product();
        let length = elements * kind.elt_size_in_bytes();
        if place == Place::Memory && length >= SMALLEST {
            let mut block = self.block(length);
            fill(block.bytes(length))?;
            return Ok(self.lend(block, length, shape, kind)?);
        }
        let tensor = empty(shape, kind, place)?;
        if length > 0 {
            // SAFETY: the tensor was made above: contiguous, `length` bytes that the CPU can write, and
            // nothing else refers to them while the slice lives. They come from libtorch's allocator,
            // which this program cannot see into, so that they are some bytes or other.
            fill(unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast::<u8>(), length) })?;
        }
        Ok(tensor)
    }

    /// The smallest free block that is large enough; a new one in place of one that is too small, so that no
    /// more is held than was in use at the same time.
    fn block(&self, length: usize) -> Block {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes = || free.iter().enumerate().map(|(place, block)| (block.capacity(), place));
        if let Some((_, place)) = sizes().filter(|(capacity, _)| *capacity >= length).min() {
            return free.swap_remove(place);
        }
        if let Some((_, place)) = sizes().max() {
            free.swap_remove(place);
        }
        drop(free);
        Block::new(length)
    }

    fn lend(&self, mut block: Block, length: usize, shape: &[i64], kind: Kind) -> Result<Tensor> {
        let start = block.bytes(length).as_mut_ptr().cast::<c_void>();
        let lent = Box::new(Lent { block: Some(block), free: Arc::clone(&self.free) });
        let owner = Box::into_raw(lent).cast::<c_void>();
        let mut tensor = std::ptr::null_mut();
        // SAFETY: the block's memory does not move with the block, holds as many bytes as the sizes say,
        // and lives until `give_back` is called, which the shim does once, whether it makes the tensor or
        // not. The tensor that it stores is this function's.
        call("making a batch's tensor", |error| unsafe {
            let (sizes, dimensions) = (shape.as_ptr(), shape.len());
            let kind = scalar_type(kind);
            ffi::thaw_tensor_in(start, sizes, dimensions, kind, give_back, owner, &mut tensor, error)
        })?;
        // SAFETY: as above.
        Ok(unsafe { Tensor::from_ptr(tensor) })
    }
}

/// The last tensor in a block is gone.
extern "C" fn give_back(owner: *mut c_void) {
    // SAFETY: made by `lend` from a box, and given here once.
    drop(unsafe { Box::from_raw(owner.cast::<Lent>()) });
}

fn empty(shape: &[i64], kind: Kind, place: Place) -> Result<Tensor> {
    if place == Place::Memory {
        return Ok(Tensor::f_empty(shape, (kind, tch::Device::Cpu))?);
    }
    let mut tensor = std::ptr::null_mut();
    // SAFETY: plain values; on success the shim stores a tensor that this function takes over.
    call("taking page-locked memory", |error| unsafe {
        ffi::thaw_empty_pinned(shape.as_ptr(), shape.len(), scalar_type(kind), &mut tensor, error)
    })?;
    // SAFETY: as above.
    Ok(unsafe { Tensor::from_ptr(tensor) })
}

/// libtorch's number of a type; those that data is made of.
fn scalar_type(kind: Kind) -> i8 {
    match kind {
        Kind::Uint8 => 0,
        Kind::Int8 => 1,
        Kind::Int16 => 2,
        Kind::Int => 3,
        Kind::Int64 => 4,
        Kind::Half => 5,
        Kind::Float => 6,
        Kind::Double => 7,
        Kind::Bool => 11,
        Kind::BFloat16 => 15,
        // The shim refuses it as undefined.
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(buffers: &Buffers, shape: &[i64], start: u8) -> Tensor {
        let fill = |bytes: &mut [u8]| -> Result<()> {
            bytes.iter_mut().enumerate().for_each(|(i, byte)| *byte = start.wrapping_add(i as u8));
            Ok(())
        };
        buffers.filled(shape, Kind::Uint8, Place::Memory, fill).unwrap()
    }

    fn free(buffers: &Buffers) -> usize {
        buffers.free.lock().unwrap().len()
    }

    #[test]
    fn memory_comes_back_with_the_last_tensor_that_shares_it_and_not_before() {
        let buffers = Buffers::default();
        let first = counted(&buffers, &[2, 1 << 20], 1);
        let (start, row) = (first.data_ptr(), first.get(1));
        drop(first);
        assert_eq!(free(&buffers), 0, "a row of it is still held");
        let other = counted(&buffers, &[2, 1 << 20], 7);
        assert_ne!(other.data_ptr(), start);
        assert_eq!(row.int64_value(&[3]), 4, "what is held is not written over");
        drop(row);
        assert_eq!(free(&buffers), 1);
        let again = counted(&buffers, &[1, (1 << 20) + 5], 9);
        assert_eq!(again.data_ptr(), start, "a smaller batch takes the same memory");
        assert_eq!((again.int64_value(&[0, 1]), again.is_contiguous()), (10, true));
        assert_eq!(again.data_ptr() as usize % ALIGNMENT, 0);
    }

    #[test]
    fn no_more_is_held_than_was_in_use_at_once() {
        let buffers = Buffers::default();
        for size in [1, 2, 3, 4, 3, 2] {
            drop(counted(&buffers, &[size << 20], 0));
            assert_eq!(free(&buffers), 1, "a larger batch takes the place of a smaller one's memory");
        }
    }

    #[test]
    fn what_fails_to_be_filled_is_no_tensor_and_small_ones_are_libtorchs() {
        let buffers = Buffers::default();
        let refuse = |_: &mut [u8]| Err(TorchError::Device { wanted: String::new(), reason: String::new() });
        assert!(buffers.filled(&[2 << 20], Kind::Uint8, Place::Memory, refuse).is_err());
        let floats = buffers.filled(&[2, 3], Kind::Float, Place::Memory, |bytes| -> Result<()> {
            bytes.copy_from_slice(&[0.5_f32; 6].map(f32::to_le_bytes).concat());
            Ok(())
        });
        assert_eq!(f64::try_from(floats.unwrap().sum(Kind::Float)).unwrap(), 3.0);
        drop(counted(&buffers, &[8], 0));
        assert_eq!(free(&buffers), 0);
    }
}
