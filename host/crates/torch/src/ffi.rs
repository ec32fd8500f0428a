//! The shim's exported functions (`cpp/*.cpp`). Each gives a status and, where that is not [`OK`], a
//! text.

use std::ffi::{c_char, c_int};

use torch_sys::C_tensor;

use super::fused::{AdamOptions, SgdOptions};

pub const OK: c_int = 0;
pub const OUT_OF_MEMORY: c_int = 2;

/// A point in what a device has to do.
#[repr(C)]
pub struct Event {
    _opaque: [u8; 0],
}

/// Where the shim puts the text of an error; freed with [`thaw_free_text`].
pub type ErrorOut = *mut *mut c_char;

unsafe extern "C" {
    pub fn thaw_free_text(text: *mut c_char);
    pub fn thaw_no_backtraces(error: ErrorOut) -> c_int;
    pub fn thaw_libtorch_path(path: *mut *mut c_char, error: ErrorOut) -> c_int;
    pub fn thaw_manual_seed(seed: u64, error: ErrorOut) -> c_int;
    pub fn thaw_set_deterministic(on: bool, error: ErrorOut) -> c_int;
    pub fn thaw_set_matmul_precision(precision: *const c_char, error: ErrorOut) -> c_int;
    pub fn thaw_set_cudnn_benchmark(on: bool, error: ErrorOut) -> c_int;
    pub fn thaw_device_memory(
        index: i64,
        peak: *mut i64,
        now: *mut i64,
        free: *mut u64,
        total: *mut u64,
        error: ErrorOut,
    ) -> c_int;

    pub fn thaw_random_state(index: i64, state: *mut *mut C_tensor, error: ErrorOut) -> c_int;
    pub fn thaw_set_random_state(index: i64, state: *const C_tensor, error: ErrorOut) -> c_int;

    pub fn thaw_autocast_enter(
        cuda: bool,
        dtype: i8,
        was_enabled: *mut bool,
        previous_dtype: *mut i8,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_autocast_leave(cuda: bool, was_enabled: bool, previous_dtype: i8, error: ErrorOut) -> c_int;

    pub fn thaw_clip_grad_norm(
        parameters: *const *const C_tensor,
        n: usize,
        max_norm: f64,
        wait: bool,
        norm: *mut f64,
        late: *mut *mut C_tensor,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_clip_grad_value(
        parameters: *const *const C_tensor,
        n: usize,
        limit: f64,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_zero_grad(parameters: *const *const C_tensor, n: usize, error: ErrorOut) -> c_int;
    pub fn thaw_unscale_grads(
        parameters: *const *const C_tensor,
        n: usize,
        divisor: f64,
        scale: *const C_tensor,
        found_inf: *const C_tensor,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_update_scale(
        scale: *const C_tensor,
        growth: *const C_tensor,
        found_inf: *const C_tensor,
        interval: i64,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_pin_memory(tensor: *const C_tensor, pinned: *mut *mut C_tensor, error: ErrorOut) -> c_int;

    pub fn thaw_watch_waits(handle: *mut u64, error: ErrorOut) -> c_int;
    pub fn thaw_unwatch_waits(handle: u64, error: ErrorOut) -> c_int;
    pub fn thaw_waits() -> u64;
    pub fn thaw_copy_to_host(
        tensor: *const C_tensor,
        copy: *mut *mut C_tensor,
        event: *mut *mut Event,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_event_is_over(event: *const Event, over: *mut bool, error: ErrorOut) -> c_int;
    pub fn thaw_event_wait(event: *const Event, error: ErrorOut) -> c_int;
    pub fn thaw_event_free(event: *mut Event);

    pub fn thaw_has_grad(
        parameters: *const *const C_tensor,
        n: usize,
        has: *mut bool,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_sgd_step(
        parameters: *const *const C_tensor,
        momentum: *const *const C_tensor,
        first: *const bool,
        n: usize,
        options: *const SgdOptions,
        found_inf: *const C_tensor,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_adam_step(
        parameters: *const *const C_tensor,
        exp_avgs: *const *const C_tensor,
        exp_avg_sqs: *const *const C_tensor,
        max_exp_avg_sqs: *const *const C_tensor,
        steps: *const *const C_tensor,
        n: usize,
        options: *const AdamOptions,
        found_inf: *const C_tensor,
        error: ErrorOut,
    ) -> c_int;
}
