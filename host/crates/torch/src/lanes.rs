//! Batches that travel to a GPU while it computes with those before.

use std::collections::VecDeque;

use tch::{Device, Tensor};

use super::reading::Event;
use super::{Result, TorchError, call, ffi, transfer};

/// What a device does in order, twice: it computes, and beside that it copies. A mark is a point in either.
pub trait Lanes {
    /// A point in what a device has to do.
    type Mark;

    /// The tensor in memory that the device reads on its own; itself where it lies there.
    ///
    /// # Errors
    /// No such memory is left.
    fn pinned(&self, tensor: &Tensor) -> Result<Tensor>;

    /// Starts a copy to the device, beside what it computes.
    ///
    /// # Errors
    /// The device's memory is too small.
    fn copy(&self, pinned: &Tensor) -> Result<Tensor>;

    /// Behind all copies so far.
    ///
    /// # Errors
    /// The device failed at what came before.
    fn mark_copies(&self) -> Result<Self::Mark>;

    /// Behind all that the device was to compute so far.
    ///
    /// # Errors
    /// The device failed at what came before.
    fn mark_computing(&self) -> Result<Self::Mark>;

    /// What the device computes from here on begins behind the mark. The host does not wait.
    ///
    /// # Errors
    /// The device failed at what came before.
    fn compute_behind(&self, mark: &Self::Mark) -> Result<()>;

    /// A copied tensor is computed with: once it is dropped, no copy takes its memory before that is done.
    ///
    /// # Errors
    /// The device failed at what came before.
    fn computes_with(&self, copied: &Tensor) -> Result<()>;

    /// Whether the device has passed the mark.
    ///
    /// # Errors
    /// The device failed at what came before.
    fn is_passed(&self, mark: &Self::Mark) -> Result<bool>;

    /// Waits until the device has passed the mark.
    ///
    /// # Errors
    /// The device failed at what came before.
    fn wait(&self, mark: &Self::Mark) -> Result<()>;
}

/// Brings batches to a device ahead of what it computes.
///
/// The host asks a GPU for many steps before it has done the first. Copies that stood among them would wait
/// for the steps before; in a lane of their own they do not, and would fill the device's memory with
/// batches. So no more than `limit` bytes of them are there at a time, of which the device computes with
/// the first: for that alone the host waits.
pub struct Conveyor<L: Lanes> {
    lanes: L,
    limit: u64,
    /// Bytes of the batch that came last.
    latest: u64,
    /// Batches before it that may be in use still: behind their last use, and their bytes.
    before: VecDeque<(L::Mark, u64)>,
    waits: u64,
}

impl<L: Lanes> Conveyor<L> {
    /// Nothing is under way; at most so many bytes are going to be.
    pub fn new(lanes: L, limit: u64) -> Self {
        Self { lanes, limit, latest: 0, before: VecDeque::new(), waits: 0 }
    }

    /// A batch's tensors on the device. What is asked of it from here on finds them there; what was asked
    /// before was all that concerns the batches before.
    ///
    /// # Errors
    /// The device's memory is too small, or it failed at what came before.
    pub fn bring(&mut self, tensors: &[&Tensor]) -> Result<Vec<Tensor>> {
        if self.latest > 0 {
            let used = self.lanes.mark_computing()?;
            self.before.push_back((used, std::mem::take(&mut self.latest)));
        }
        let bytes = tensors.iter().map(|tensor| (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64);
        let bytes: u64 = bytes.sum();
        self.make_room(bytes)?;
        let pinned = tensors.iter().map(|tensor| self.lanes.pinned(tensor)).collect::<Result<Vec<_>>>()?;
        let copied = pinned.iter().map(|tensor| self.lanes.copy(tensor)).collect::<Result<Vec<_>>>()?;
        self.lanes.compute_behind(&self.lanes.mark_copies()?)?;
        copied.iter().try_for_each(|tensor| self.lanes.computes_with(tensor))?;
        self.latest = bytes;
        Ok(copied)
    }

    /// How often the host has waited for room.
    pub fn waits(&self) -> u64 {
        self.waits
    }

    fn make_room(&mut self, bytes: u64) -> Result<()> {
        while let Some((used, _)) = self.before.front() {
            if !self.lanes.is_passed(used)? {
                let there: u64 = self.before.iter().map(|(_, bytes)| bytes).sum();
                // With one batch the device has something to do.
                if self.before.len() < 2 || there + bytes <= self.limit {
                    return Ok(());
                }
                self.waits += 1;
                self.lanes.wait(used)?;
            }
            self.before.pop_front();
        }
        Ok(())
    }
}

/// The lanes of a GPU.
pub struct GpuLanes {
    device: Device,
    index: i64,
    /// libtorch's number of the stream of copies.
    stream: i64,
}

impl GpuLanes {
    /// Of this GPU, whose present stream is the one that computes.
    ///
    /// # Errors
    /// It is no GPU, or cannot be used.
    pub fn new(device: Device) -> Result<GpuLanes> {
        let Device::Cuda(index) = device else {
            let reason = "only a GPU copies beside what it computes".to_owned();
            return Err(TorchError::Device { wanted: format!("{device:?}"), reason });
        };
        let (index, mut stream) = (index as i64, 0);
        // SAFETY: a plain value and a place to write to.
        call("making a stream", |error| unsafe { ffi::thaw_new_stream(index, &mut stream, error) })?;
        Ok(GpuLanes { device, index, stream })
    }

    fn mark(&self, lane: ffi::Lane) -> Result<Event> {
        let mut event = std::ptr::null_mut();
        // SAFETY: plain values; on success the shim stores an event that this function takes over.
        call("marking a stream", |error| unsafe {
            ffi::thaw_mark(self.index, self.stream, lane, &mut event, error)
        })?;
        Event::of(event, "marking a stream")
    }
}

impl Lanes for GpuLanes {
    type Mark = Event;

    fn pinned(&self, tensor: &Tensor) -> Result<Tensor> {
        transfer::pin_memory(tensor)
    }

    fn copy(&self, pinned: &Tensor) -> Result<Tensor> {
        let mut copy = std::ptr::null_mut();
        // SAFETY: `pinned` lives through the call, and libtorch keeps its memory until the copy is
        // through; on success the shim stores a tensor that this function takes over.
        call("copying to the GPU", |error| unsafe {
            ffi::thaw_copy_beside(pinned.as_ptr(), self.index, self.stream, &mut copy, error)
        })?;
        // SAFETY: as above.
        let copy = unsafe { Tensor::from_ptr(copy) };
        debug_assert_eq!(copy.device(), self.device);
        Ok(copy)
    }

    fn mark_copies(&self) -> Result<Event> {
        self.mark(ffi::Lane::Copies)
    }

    fn mark_computing(&self) -> Result<Event> {
        self.mark(ffi::Lane::Computing)
    }

    fn compute_behind(&self, mark: &Event) -> Result<()> {
        // SAFETY: the event is alive.
        call("waiting on the GPU", |error| unsafe {
            ffi::thaw_compute_behind(mark.as_ptr(), self.index, error)
        })
    }

    fn computes_with(&self, copied: &Tensor) -> Result<()> {
        // SAFETY: the tensor is alive.
        call("record_stream", |error| unsafe { ffi::thaw_computes_with(copied.as_ptr(), error) })
    }

    fn is_passed(&self, mark: &Event) -> Result<bool> {
        mark.is_over()
    }

    fn wait(&self, mark: &Event) -> Result<()> {
        mark.wait_for_room()
    }
}

#[cfg(test)]
mod tests;
