//! Gradients of many parameters in one call: norm, clipping, dropping, loss scaling.
//!
//! Parameters may lie on several devices and have several dtypes; those without a gradient do not count.

use tch::Tensor;
use torch_sys::C_tensor;

use super::reading::{Reading, Reads};
use super::{Result, call, ffi, pointer};

/// Parameters as pointers, resolved once and used for many calls.
///
/// It owns its tensors (shallow copies share storage and gradient), so that the pointers stay good.
#[derive(Debug, Default)]
pub struct TensorList {
    /// Boxed by libtorch: moving the vector does not move what the pointers point to.
    tensors: Vec<Tensor>,
    pointers: Vec<*const C_tensor>,
}

// SAFETY: the pointers are those of the owned tensors, and tch's tensors are Send.
unsafe impl Send for TensorList {}

impl TensorList {
    /// A list of the given tensors.
    pub fn new(tensors: Vec<Tensor>) -> TensorList {
        let pointers = tensors.iter().map(Tensor::as_ptr).collect();
        TensorList { tensors, pointers }
    }

    /// The tensors, in order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    pub(crate) fn as_ptr(&self) -> *const *const C_tensor {
        self.pointers.as_ptr()
    }
}

impl<'a> FromIterator<&'a Tensor> for TensorList {
    fn from_iter<I: IntoIterator<Item = &'a Tensor>>(tensors: I) -> TensorList {
        TensorList::new(tensors.into_iter().map(Tensor::shallow_clone).collect())
    }
}

/// `torch.nn.utils.clip_grad_norm_`: scales the gradients by `max_norm / (norm + 1e-6)` where that is below
/// one. Gives the norm before. As there, a norm that is not finite makes every gradient NaN: check the
/// result. Read late, nothing waits for the device; the gradients are the same.
pub fn clip_grad_norm(parameters: &TensorList, max_norm: f64, reads: Reads) -> Result<Reading> {
    let (mut norm, mut late) = (0.0, std::ptr::null_mut());
    let (wait, n) = (reads == Reads::AtOnce, parameters.len());
    // SAFETY: as in `has_grad`; what the shim stores in `late` this function takes over.
    call("clip_grad_norm", |error| unsafe {
        ffi::thaw_clip_grad_norm(parameters.as_ptr(), n, max_norm, wait, &mut norm, &mut late, error)
    })?;
    if late.is_null() {
        return Ok(Reading::Known(norm));
    }
    // SAFETY: a tensor that the shim made for the caller.
    Ok(Reading::OnDevice(unsafe { Tensor::from_ptr(late) }, 1.0))
}

/// `torch.nn.utils.clip_grad_value_`: limits every element to `[-limit, limit]`.
pub fn clip_grad_value(parameters: &TensorList, limit: f64) -> Result<()> {
    // SAFETY: as in `has_grad`.
    call("clip_grad_value", |error| unsafe {
        ffi::thaw_clip_grad_value(parameters.as_ptr(), parameters.len(), limit, error)
    })
}

/// `zero_grad(set_to_none=True)`: drops the gradients, so that those who get none next are left out of the
/// step.
pub fn zero_grad(parameters: &TensorList) -> Result<()> {
    // SAFETY: as in `has_grad`.
    call("zero_grad", |error| unsafe { ffi::thaw_zero_grad(parameters.as_ptr(), parameters.len(), error) })
}

/// Divides the gradients by a number and by a loss scale, a tensor. `found_inf`, a float of no dimension,
/// becomes 1 where one of them is not finite. Nothing waits for the device.
pub fn unscale(
    parameters: &TensorList,
    divisor: f64,
    scale: Option<&Tensor>,
    found_inf: &Tensor,
) -> Result<()> {
    let (n, scale) = (parameters.len(), pointer(scale));
    // SAFETY: as in `has_grad`; both tensors live through the call.
    call("unscale_grads", |error| unsafe {
        ffi::thaw_unscale_grads(parameters.as_ptr(), n, divisor, scale, found_inf.as_ptr(), error)
    })
}

/// `_amp_update_scale_` with the factors of PyTorch's `GradScaler`: halves `scale` where `found_inf` is 1,
/// doubles it after `interval` steps without, which `growth` counts.
pub fn update_scale(scale: &Tensor, growth: &Tensor, found_inf: &Tensor, interval: i64) -> Result<()> {
    // SAFETY: the tensors live through the call.
    call("update_scale", |error| unsafe {
        ffi::thaw_update_scale(scale.as_ptr(), growth.as_ptr(), found_inf.as_ptr(), interval, error)
    })
}

/// Which of the parameters have a gradient now, in the list's order.
pub fn has_grad(parameters: &TensorList) -> Result<Vec<bool>> {
    let mut has = vec![false; parameters.len()];
    // SAFETY: `has` is as long as the list.
    call("has_grad", |error| unsafe {
        ffi::thaw_has_grad(parameters.as_ptr(), parameters.len(), has.as_mut_ptr(), error)
    })?;
    Ok(has)
}

#[cfg(test)]
mod tests {
    use super::super::reading::WaitCounter;
    use super::*;
    use tch::{Device, Kind};

    /// Parameters whose gradients are the given vectors; an empty one stands for no gradient.
    fn with_grads(grads: &[&[f64]], kinds: &[Kind]) -> TensorList {
        TensorList::new(
            grads
                .iter()
                .zip(kinds.iter().cycle())
                .map(|(grad, &kind)| {
                    let p = Tensor::zeros([grad.len().max(1) as i64], (kind, Device::Cpu))
                        .set_requires_grad(true);
                    if !grad.is_empty() {
                        (&p * Tensor::from_slice(grad).to_kind(kind)).sum(kind).backward();
                    }
                    p
                })
                .collect(),
        )
    }

    fn values(list: &TensorList, i: usize) -> Vec<f64> {
        Vec::try_from(list.tensors()[i].grad().to_kind(Kind::Double)).unwrap()
    }

    #[test]
    fn clipping_by_norm_scales_only_what_is_too_long() {
        for kinds in [&[Kind::Float][..], &[Kind::Double], &[Kind::Float, Kind::Double]] {
            let list = with_grads(&[&[3.0], &[4.0, 12.0]], kinds);
            let clip = |limit| clip_grad_norm(&list, limit, Reads::AtOnce).unwrap().read().unwrap();
            assert!((clip(26.0) - 13.0).abs() < 1e-5);
            assert_eq!(values(&list, 1), [4.0, 12.0], "shorter than the limit: untouched");
            assert!((clip(6.5) - 13.0).abs() < 1e-5);
            // The published rule: max_norm / (norm + 1e-6).
            let factor = 6.5 / (13.0 + 1e-6);
            assert!((values(&list, 0)[0] - 3.0 * factor).abs() < 1e-6);
            assert!((values(&list, 1)[1] - 12.0 * factor).abs() < 1e-6);
        }
    }

    #[test]
    fn clipping_without_waiting_gives_the_same_bits() {
        for limit in [0.3, 1.7, 26.0] {
            let grads: &[&[f64]] = &[&[3.1, -0.7], &[4.0, 12.3]];
            let (now, late) = (with_grads(grads, &[Kind::Float]), with_grads(grads, &[Kind::Float]));
            let norm = clip_grad_norm(&now, limit, Reads::AtOnce).unwrap();
            let counter = WaitCounter::start().unwrap();
            let unread = clip_grad_norm(&late, limit, Reads::Late).unwrap();
            assert_eq!(counter.count(), 0, "nothing is read");
            assert_eq!(unread.read().unwrap(), norm.read().unwrap());
            for parameter in 0..2 {
                assert_eq!(values(&late, parameter), values(&now, parameter), "limit {limit}");
            }
        }
    }

    #[test]
    fn clipping_by_value_limits_each_element() {
        let list = with_grads(&[&[-3.0, 0.5], &[], &[2.0]], &[Kind::Float, Kind::Double]);
        clip_grad_value(&list, 1.0).unwrap();
        assert_eq!((values(&list, 0), values(&list, 2)), (vec![-1.0, 0.5], vec![1.0]));
    }

    #[test]
    fn zeroed_gradients_are_gone() {
        let list = with_grads(&[&[1.0], &[], &[2.0]], &[Kind::Float]);
        assert_eq!(has_grad(&list).unwrap(), [true, false, true]);
        zero_grad(&list).unwrap();
        assert_eq!(has_grad(&list).unwrap(), [false; 3]);
        assert!(!list.tensors()[0].grad().defined());
    }

    #[test]
    fn unscaling_divides_and_marks_what_is_not_finite() {
        let scalar = |value: f64| Tensor::from(value).to_kind(Kind::Float);
        let found = |grads: &[&[f64]]| {
            let (list, found_inf) = (with_grads(grads, &[Kind::Float]), scalar(0.0));
            unscale(&list, 2.0, Some(&scalar(2.0)), &found_inf).unwrap();
            (list, found_inf.double_value(&[]))
        };
        let (list, infinite) = found(&[&[8.0], &[2.0]]);
        assert_eq!((values(&list, 0)[0], values(&list, 1)[0], infinite), (2.0, 0.5, 0.0));
        assert_eq!(found(&[&[f64::INFINITY], &[2.0]]).1, 1.0);
        assert_eq!(found(&[&[1.0], &[f64::NAN]]).1, 1.0);
        let list = with_grads(&[&[9.0]], &[Kind::Float]);
        unscale(&list, 3.0, None, &scalar(0.0)).unwrap();
        assert_eq!(values(&list, 0)[0], f64::from(9.0 * (1.0_f32 / 3.0)));
    }
}
