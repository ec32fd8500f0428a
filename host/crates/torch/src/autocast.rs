//! Automatic mixed precision as a guard.

use std::marker::PhantomData;

use tch::{Device, Kind};
use thaw_plugin_api::model::Precision;

use super::{Result, TorchError, call, device_index, ffi};

/// Mixed precision on this thread for as long as the guard lives: matrix products and convolutions in `kind`,
/// the rest as libtorch's lists say, weights and their gradients in their own precision.
///
/// Guards may nest; the inner one's end restores what the outer one set. It has to be dropped on the thread
/// that made it.
#[must_use = "autocast ends when the guard is dropped"]
pub struct Autocast {
    cuda: bool,
    was_enabled: bool,
    previous_dtype: i8,
    not_send: PhantomData<*const ()>,
}

impl Autocast {
    /// Mixed precision as a run config asks for it; none for [`Precision::Fp32`].
    ///
    /// # Errors
    /// A device that does not have it.
    pub fn of(precision: Precision, device: Device) -> Result<Option<Autocast>> {
        let kind = match precision {
            Precision::Fp32 => return Ok(None),
            Precision::Bf16Mixed => Kind::BFloat16,
            Precision::Fp16Mixed => Kind::Half,
        };
        Self::new(device, kind).map(Some)
    }

    /// Turns mixed precision on for `device`, in [`Kind::BFloat16`] or [`Kind::Half`].
    pub fn new(device: Device, kind: Kind) -> Result<Autocast> {
        let cuda = device_index(device)? >= 0;
        let dtype = match kind {
            Kind::Half => 5,
            Kind::BFloat16 => 15,
            other => {
                return Err(TorchError::Operation {
                    operation: "autocast",
                    message: format!("{other:?} is no precision to cast to: use bf16-mixed or fp16-mixed"),
                });
            }
        };
        let (mut was_enabled, mut previous_dtype) = (false, 0i8);
        // SAFETY: plain values and two places to write to.
        call("autocast", |error| unsafe {
            ffi::thaw_autocast_enter(cuda, dtype, &mut was_enabled, &mut previous_dtype, error)
        })?;
        Ok(Autocast { cuda, was_enabled, previous_dtype, not_send: PhantomData })
    }
}

impl Drop for Autocast {
    fn drop(&mut self) {
        // SAFETY: plain values, on the thread that entered (the guard is not Send).
        let left = call("autocast", |error| unsafe {
            ffi::thaw_autocast_leave(self.cuda, self.was_enabled, self.previous_dtype, error)
        });
        if let Err(error) = left {
            tracing::error!("mixed precision could not be turned off: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Tensor;

    fn product_kind() -> Kind {
        let a = Tensor::ones([4, 4], (Kind::Float, Device::Cpu));
        a.matmul(&a).kind()
    }

    #[test]
    fn products_are_cast_while_a_guard_lives() {
        assert_eq!(product_kind(), Kind::Float);
        {
            let _outer = Autocast::new(Device::Cpu, Kind::BFloat16).unwrap();
            assert_eq!(product_kind(), Kind::BFloat16);
            {
                let _inner = Autocast::new(Device::Cpu, Kind::Half).unwrap();
                assert_eq!(product_kind(), Kind::Half);
            }
            assert_eq!(
                product_kind(),
                Kind::BFloat16,
                "the inner guard's end restores the outer one's precision"
            );
        }
        assert_eq!(product_kind(), Kind::Float);
    }

    #[test]
    fn weights_keep_full_precision_gradients() {
        let w = Tensor::ones([4, 4], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let _guard = Autocast::new(Device::Cpu, Kind::BFloat16).unwrap();
        w.matmul(&w).sum(Kind::Float).backward();
        assert_eq!(w.grad().kind(), Kind::Float);
    }

    #[test]
    fn full_precision_is_no_precision_to_cast_to() {
        assert!(Autocast::new(Device::Cpu, Kind::Float).is_err());
    }
}
