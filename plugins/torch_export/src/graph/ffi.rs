//! The shim's exported functions (`cpp/*.cpp`). Those that give a status give a text where it is not 0.

use std::ffi::{c_char, c_int, c_void};

use torch_sys::C_tensor;

/// Where the shim puts the text of an error; freed with [`thaw_graph_free_text`].
pub type ErrorOut = *mut *mut c_char;

/// Told of each argument, then each output: its name, how it may share memory, whether it is an output.
pub type Shares = extern "C" fn(*mut c_void, *const c_char, c_int, bool);

/// A graph, of the shim's own.
#[repr(C)]
pub struct Graph {
    _private: [u8; 0],
}

/// `Value` of `cpp/graph.h`.
#[repr(C)]
pub struct Value {
    pub kind: c_int,
    pub integer: i64,
    pub number: f64,
    pub text: *const c_char,
    pub integers: *const i64,
    pub is_slot: *const u8,
    pub numbers: *const f64,
    pub count: usize,
}

unsafe extern "C" {
    pub fn thaw_graph_free_text(text: *mut c_char);
    pub fn thaw_graph_new() -> *mut Graph;
    pub fn thaw_graph_free(graph: *mut Graph);
    pub fn thaw_graph_set_slots(graph: *mut Graph, slots: usize);
    pub fn thaw_graph_block(graph: *mut Graph) -> usize;
    pub fn thaw_graph_bind(graph: *mut Graph, slot: i64, tensor: *const C_tensor, error: ErrorOut) -> c_int;
    pub fn thaw_graph_operator(
        graph: *mut Graph,
        block: usize,
        name: *const c_char,
        overload: *const c_char,
        place: *const c_char,
        node: *mut usize,
        random: *mut bool,
        list: *mut c_void,
        shares: Shares,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_graph_python(
        graph: *mut Graph,
        block: usize,
        name: *const c_char,
        place: *const c_char,
        node: *mut usize,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_graph_region(
        graph: *mut Graph,
        block: usize,
        kind: c_int,
        blocks: *const usize,
        n: usize,
        place: *const c_char,
        node: *mut usize,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_graph_results(
        graph: *mut Graph,
        node: usize,
        slots: *const i64,
        n: usize,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_graph_argument(
        graph: *mut Graph,
        node: usize,
        name: *const c_char,
        value: *const Value,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_graph_close(
        graph: *mut Graph,
        node: usize,
        outputs: *const i64,
        n: usize,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_graph_rule(
        graph: *mut Graph,
        node: usize,
        rule: c_int,
        module: usize,
        argument: *const c_char,
        source: i64,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_graph_plan(
        graph: *mut Graph,
        nodes: *const usize,
        n: usize,
        outputs: *const i64,
        n_outputs: usize,
        number: *mut usize,
        error: ErrorOut,
    ) -> c_int;
    pub fn thaw_graph_run(
        graph: *mut Graph,
        plan: usize,
        modes: *const u8,
        n_modes: usize,
        slots: *const i64,
        inputs: *const *const C_tensor,
        n: usize,
        outputs: *mut *mut C_tensor,
        error: ErrorOut,
    ) -> c_int;
}
