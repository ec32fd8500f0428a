//! The shim's exported functions (`cpp/*.cpp`). Those that give a status give a text where it is not 0.

use std::ffi::{c_char, c_int, c_void};

use torch_sys::C_tensor;

/// Where the shim puts the text of an error; freed with [`thaw_script_free_text`].
pub type ErrorOut = *mut *mut c_char;

/// A loaded file, of the shim's own.
#[repr(C)]
pub struct Script {
    _private: [u8; 0],
}

/// What a forward gave, of the shim's own.
#[repr(C)]
pub struct Outputs {
    _private: [u8; 0],
}

unsafe extern "C" {
    pub fn thaw_script_free_text(text: *mut c_char);
    pub fn thaw_script_load(path: *const c_char, script: *mut *mut Script, error: ErrorOut) -> c_int;
    pub fn thaw_script_free(script: *mut Script);

    pub fn thaw_script_modules(script: *const Script) -> usize;
    pub fn thaw_script_module(
        script: *const Script,
        module: usize,
        path: *mut *const c_char,
        kind: *mut *const c_char,
        mode: *mut c_int,
        tensors: *mut usize,
        chain: *mut usize,
    );
    pub fn thaw_script_chained(script: *const Script, module: usize, index: usize) -> *const c_char;
    pub fn thaw_script_tensor(
        script: *const Script,
        module: usize,
        index: usize,
        name: *mut *const c_char,
        is_parameter: *mut bool,
        tensor: *mut *mut C_tensor,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_script_arguments(
        script: *const Script,
        module: usize,
        list: *mut c_void,
        add: extern "C" fn(*mut c_void, *const c_char, bool),
        error: ErrorOut,
    ) -> c_int;

    pub fn thaw_script_loose_to_float32(script: *mut Script, error: ErrorOut) -> c_int;
    #[cfg(test)]
    pub fn thaw_script_follow(script: *mut Script, device: *const c_char, error: ErrorOut) -> c_int;
    #[cfg(test)]
    pub fn thaw_script_count_loose(
        script: *const Script,
        device: *const c_char,
        there: *mut usize,
        others: *mut usize,
        error: ErrorOut,
    ) -> c_int;

    pub fn thaw_script_set_tensor(
        script: *mut Script,
        module: usize,
        name: *const c_char,
        tensor: *const C_tensor,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_script_set_training(
        script: *mut Script,
        module: usize,
        training: bool,
        error: ErrorOut,
    ) -> c_int;

    pub fn thaw_script_forward(
        script: *mut Script,
        module: usize,
        inputs: *const *const C_tensor,
        n: usize,
        outputs: *mut *mut Outputs,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_script_outputs(outputs: *const Outputs) -> usize;
    pub fn thaw_script_output(
        outputs: *const Outputs,
        index: usize,
        name: *mut *const c_char,
        tensor: *mut *mut C_tensor,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_script_free_outputs(outputs: *mut Outputs);
}
