//! The shim's exported functions (`cpp/*.cpp`). Each gives a status and, where that is not [`OK`], a
//! text.

use std::ffi::{c_char, c_int, c_void};

use torch_sys::C_tensor;

use super::fused::{AdamOptions, SgdOptions};

pub const OK: c_int = 0;
pub const OUT_OF_MEMORY: c_int = 2;

/// A point in what a device has to do.
#[repr(C)]
pub struct Event {
    _opaque: [u8; 0],
}

/// Which of a GPU's two streams.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum Lane {
    Copies = 0,
    Computing = 1,
}

/// Where the processes of a run meet.
#[repr(C)]
pub struct Meeting {
    _opaque: [u8; 0],
}

/// Processes that compute together.
#[repr(C)]
pub struct Group {
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
    pub fn thaw_event_await(event: *const Event, counts: bool, error: ErrorOut) -> c_int;
    pub fn thaw_event_free(event: *mut Event);

    pub fn thaw_tensor_in(
        start: *mut c_void,
        sizes: *const i64,
        dimensions: usize,
        dtype: i8,
        release: extern "C" fn(*mut c_void),
        owner: *mut c_void,
        tensor: *mut *mut C_tensor,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_empty_pinned(
        sizes: *const i64,
        dimensions: usize,
        dtype: i8,
        tensor: *mut *mut C_tensor,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_new_stream(index: i64, stream: *mut i64, error: ErrorOut) -> c_int;
    pub fn thaw_copy_beside(
        pinned: *const C_tensor,
        index: i64,
        stream: i64,
        copy: *mut *mut C_tensor,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_mark(index: i64, stream: i64, lane: Lane, event: *mut *mut Event, error: ErrorOut) -> c_int;
    pub fn thaw_compute_behind(event: *const Event, index: i64, error: ErrorOut) -> c_int;
    pub fn thaw_computes_with(tensor: *const C_tensor, error: ErrorOut) -> c_int;

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

    pub fn thaw_meeting_open(
        host: *const c_char,
        port: u16,
        hosts: bool,
        processes: usize,
        timeout_ms: i64,
        prefix: *const c_char,
        meeting: *mut *mut Meeting,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_meeting_free(meeting: *mut Meeting);
    pub fn thaw_meeting_set(
        meeting: *mut Meeting,
        key: *const c_char,
        bytes: *const u8,
        n: usize,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_meeting_has(
        meeting: *mut Meeting,
        key: *const c_char,
        has: *mut bool,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_meeting_get(
        meeting: *mut Meeting,
        key: *const c_char,
        text: *mut *mut c_char,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_group_join(
        meeting: *mut Meeting,
        rank: c_int,
        size: c_int,
        timeout_ms: i64,
        on_this_machine: bool,
        group: *mut *mut Group,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_group_free(group: *mut Group);
    pub fn thaw_group_all_gather(
        group: *mut Group,
        own: *const u8,
        n: usize,
        all: *mut u8,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_group_broadcast(
        group: *mut Group,
        tensors: *const *const C_tensor,
        n: usize,
        root: c_int,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_group_sum_gradients(
        group: *mut Group,
        parameters: *const *const C_tensor,
        n: usize,
        bucket_bytes: usize,
        wire: c_int,
        error: ErrorOut,
    ) -> c_int;
}
