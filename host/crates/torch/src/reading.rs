//! Numbers that a device computes, read without waiting for it.
//!
//! Reading a number of a GPU waits until everything is done that was asked of it before, and leaves it idle
//! until it is asked again. So numbers stay there as tensors, and are read some steps later, many at once.

use std::ptr::NonNull;

use tch::{Kind, Tensor};

use super::{Result, TorchError, call, ffi};

/// When numbers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// At once: right on the CPU, where they are there already.
    AtOnce,
    /// When somebody needs them, or some steps later.
    Late,
}

impl Reads {
    /// What is fastest on a device.
    pub fn on(device: tch::Device) -> Self {
        if device.is_cuda() { Self::Late } else { Self::AtOnce }
    }
}

/// A number that may still be on a device.
#[derive(Debug)]
pub enum Reading {
    /// It is here.
    Known(f64),
    /// A tensor of one element, to be divided by a number once it is read.
    OnDevice(Tensor, f64),
}

impl Reading {
    /// The one element of a tensor, without its graph.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn of(tensor: &Tensor) -> Result<Self> {
        Ok(Self::OnDevice(tensor.f_detach()?, 1.0))
    }

    /// The same number for one more owner.
    pub fn share(&self) -> Self {
        match self {
            Self::Known(value) => Self::Known(*value),
            Self::OnDevice(tensor, divisor) => Self::OnDevice(tensor.shallow_clone(), *divisor),
        }
    }

    /// The number; waits for the device.
    ///
    /// # Errors
    /// The device failed at what came before, or the tensor has not one element.
    pub fn read(&self) -> Result<f64> {
        match self {
            Self::Known(value) => Ok(*value),
            Self::OnDevice(tensor, divisor) => Ok(tensor.f_double_value(&[])? / divisor),
        }
    }
}

/// Numbers on their way to the host.
pub struct Copying {
    values: Tensor,
    event: Option<Event>,
    known: Vec<Source>,
}

/// Where a number of a [`Copying`] comes from.
enum Source {
    Known(f64),
    Copied { position: usize, divisor: f64 },
}

impl Copying {
    /// Starts to copy numbers to the host, all in one copy. Nothing waits.
    ///
    /// # Errors
    /// A tensor that has not one element, or no memory left.
    pub fn start<'r>(readings: impl IntoIterator<Item = &'r Reading>) -> Result<Self> {
        let mut tensors: Vec<&Tensor> = Vec::new();
        let known = readings.into_iter().map(|reading| match reading {
            Reading::Known(value) => Source::Known(*value),
            Reading::OnDevice(tensor, divisor) => {
                tensors.push(tensor);
                Source::Copied { position: tensors.len() - 1, divisor: *divisor }
            }
        });
        let known = known.collect();
        let (values, event) = to_host(&stacked(&tensors)?)?;
        Ok(Self { values, event, known })
    }

    /// Whether they have arrived.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn is_over(&self) -> Result<bool> {
        self.event.as_ref().map_or(Ok(true), Event::is_over)
    }

    /// The numbers, in the order of the readings; waits where they have not arrived.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn finish(self) -> Result<Vec<f64>> {
        if let Some(event) = &self.event
            && !event.is_over()?
        {
            event.wait()?;
        }
        let mut copied = vec![0.0; self.values.numel()];
        self.values.f_copy_data(&mut copied, self.values.numel())?;
        let value = |source: &Source| match *source {
            Source::Known(value) => value,
            Source::Copied { position, divisor } => copied[position] / divisor,
        };
        Ok(self.known.iter().map(value).collect())
    }
}

/// Tensors of one element each as one vector of float64. Those of one dtype become one tensor first: a
/// conversion of each would cost a kernel each.
fn stacked(tensors: &[&Tensor]) -> Result<Tensor> {
    let Some(first) = tensors.first() else {
        return Ok(Tensor::f_zeros([0], (Kind::Double, tch::Device::Cpu))?);
    };
    let flat = |tensor: &&Tensor| tensor.f_reshape([1]);
    let same = |tensor: &&Tensor| (tensor.kind(), tensor.device()) == (first.kind(), first.device());
    if tensors.iter().all(same) {
        let flat = tensors.iter().map(flat).collect::<std::result::Result<Vec<_>, _>>()?;
        return Ok(Tensor::f_cat(&flat, 0)?.f_to_kind(Kind::Double)?);
    }
    let wide = |tensor: &&Tensor| flat(tensor)?.f_to_device_(first.device(), Kind::Double, true, false);
    let wide = tensors.iter().map(wide).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(Tensor::f_cat(&wide, 0)?)
}

fn to_host(tensor: &Tensor) -> Result<(Tensor, Option<Event>)> {
    let (mut copy, mut event) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: `tensor` lives through the call; on success the shim stores a tensor and perhaps an event,
    // which this function takes over.
    call("copying to the host", |error| unsafe {
        ffi::thaw_copy_to_host(tensor.as_ptr(), &mut copy, &mut event, error)
    })?;
    // SAFETY: as above.
    Ok((unsafe { Tensor::from_ptr(copy) }, NonNull::new(event).map(Event)))
}

/// A point in what a device has to do.
pub struct Event(NonNull<ffi::Event>);

// SAFETY: the event is touched by its owner alone, and CUDA's events belong to no thread.
unsafe impl Send for Event {}

impl Event {
    /// Takes an event of the shim over.
    pub(super) fn of(event: *mut ffi::Event, operation: &'static str) -> Result<Event> {
        let missing = || TorchError::Operation { operation, message: "there is no event".to_owned() };
        NonNull::new(event).map(Event).ok_or_else(missing)
    }

    pub(super) fn as_ptr(&self) -> *const ffi::Event {
        self.0.as_ptr()
    }

    /// Waits for memory, which is no wait for a result: the device has other things to do meanwhile.
    pub(super) fn wait_for_room(&self) -> Result<()> {
        // SAFETY: the event is alive.
        call("waiting for a GPU", |error| unsafe { ffi::thaw_event_await(self.0.as_ptr(), false, error) })
    }

    pub(super) fn is_over(&self) -> Result<bool> {
        let mut over = false;
        // SAFETY: the event is alive.
        call("asking a GPU how far it is", |error| unsafe {
            ffi::thaw_event_is_over(self.0.as_ptr(), &mut over, error)
        })?;
        Ok(over)
    }

    fn wait(&self) -> Result<()> {
        // SAFETY: the event is alive.
        call("waiting for a GPU", |error| unsafe { ffi::thaw_event_await(self.0.as_ptr(), true, error) })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: made by the shim, freed once.
        unsafe { ffi::thaw_event_free(self.0.as_ptr()) }
    }
}

/// Counts, while it lives, the calls of libtorch that wait for a device: numbers read, copies between devices
/// that do not go on at once. Each thread counts its own. On the CPU, where nothing waits, reading a number
/// counts all the same, so that what would wait on a GPU is seen without one.
pub struct WaitCounter {
    handle: u64,
    before: u64,
}

impl WaitCounter {
    /// Starts to count. Every operator of libtorch gets a little slower.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn start() -> Result<Self> {
        let mut handle = 0;
        // SAFETY: a plain place to write to.
        call("watching operators", |error| unsafe { ffi::thaw_watch_waits(&mut handle, error) })?;
        // SAFETY: reads a counter of this thread.
        Ok(Self { handle, before: unsafe { ffi::thaw_waits() } })
    }

    /// Calls of this thread so far.
    pub fn count(&self) -> u64 {
        // SAFETY: reads a counter of this thread.
        unsafe { ffi::thaw_waits() - self.before }
    }
}

impl Drop for WaitCounter {
    fn drop(&mut self) {
        // SAFETY: the handle is of `start`, removed once.
        let removed =
            call("watching operators", |error| unsafe { ffi::thaw_unwatch_waits(self.handle, error) });
        if let Err(error) = removed {
            tracing::warn!("{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    #[test]
    fn numbers_of_any_dtype_arrive_in_order_and_in_full_precision() {
        let double = Tensor::from(0.1_f64);
        let half = Tensor::from(0.5_f64).to_kind(Kind::Half);
        let hits = Tensor::from(3_i64);
        let readings = [
            Reading::Known(f64::NAN),
            Reading::of(&double).unwrap(),
            Reading::OnDevice(hits, 4.0),
            Reading::of(&half).unwrap(),
        ];
        let copying = Copying::start(&readings).unwrap();
        assert!(copying.is_over().unwrap(), "on the CPU there is nothing to wait for");
        let values = copying.finish().unwrap();
        assert!(values[0].is_nan());
        assert_eq!(values[1..], [0.1, 0.75, 0.5]);
        let each: Vec<f64> = readings[1..].iter().map(|reading| reading.read().unwrap()).collect();
        assert_eq!(values[1..], each, "late and at once are the same numbers");
    }

    #[test]
    fn no_numbers_are_no_copy() {
        assert!(Copying::start([]).unwrap().finish().unwrap().is_empty());
    }

    #[test]
    fn a_number_read_counts_and_a_copy_of_many_does_not() {
        let tensor = Tensor::ones([1], (Kind::Float, Device::Cpu));
        let counter = WaitCounter::start().unwrap();
        let readings = [Reading::of(&tensor).unwrap(), Reading::of(&tensor).unwrap()];
        Copying::start(&readings).unwrap().finish().unwrap();
        assert_eq!(counter.count(), 0);
        readings[0].read().unwrap();
        assert_eq!(counter.count(), 1);
    }
}
