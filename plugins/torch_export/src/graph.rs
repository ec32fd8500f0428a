//! A program as calls of libtorch's operators, over the shim.

mod ffi;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::NonNull;

use tch::Tensor;
use thaw_plugin_api::error::{Error, Result};

/// Where a value of the program lies while it runs.
pub type Slot = usize;

/// A list of nodes: 0 is the program's own.
pub type Block = usize;

/// A node of the graph.
pub type Node = usize;

/// Some nodes in order, prepared to be run.
#[derive(Clone, Copy)]
pub struct Plan {
    number: usize,
    outputs: usize,
}

/// What an argument of the file is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    /// Also scalar types, layouts and memory formats, in libtorch's own numbers.
    Int(i64),
    Float(f64),
    Text(String),
    /// The device that the model is on, whatever the file says.
    Device,
    Slot(Slot),
    Ints(Vec<Whole>),
    Floats(Vec<f64>),
    Bools(Vec<bool>),
    Tensors(Vec<Option<Slot>>),
}

/// A whole number, or the slot of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Whole {
    Number(i64),
    Slot(Slot),
}

/// What a node does of its module's mode.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// Always the same.
    Always,
    /// This argument is whether the module trains.
    Flag(&'static str),
    /// This argument is a probability that is 0 in evaluation mode.
    Probability(&'static str),
    /// It runs only where batch statistics are tracked.
    Counter,
    /// It runs in training mode alone.
    TrainingOnly,
    /// As that; in evaluation mode its output is this slot's value.
    PassThrough(Slot),
}

/// A region of nested blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// `torch.set_grad_enabled`.
    SetGradEnabled = 1,
    /// `torch.autocast`.
    Autocast = 2,
    /// `torch.cond`.
    Condition = 3,
}

/// How an argument or output may share memory with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Not at all.
    None,
    /// It may be a view.
    View,
    /// It is written in place.
    Written,
}

/// An operator's schema, as far as it matters here.
#[derive(Debug, Default)]
pub struct Schema {
    /// Arguments by name.
    pub arguments: Vec<(String, Sharing)>,
    /// Outputs in order.
    pub outputs: Vec<Sharing>,
    /// Whether it draws from a generator.
    pub random: bool,
}

/// The calls of a program.
pub struct Graph {
    raw: NonNull<ffi::Graph>,
}

// SAFETY: the shim's graph is touched by its owner alone, and nothing in libtorch ties it to a thread.
unsafe impl Send for Graph {}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: made by the shim in `new`, freed once.
        unsafe { ffi::thaw_graph_free(self.raw.as_ptr()) }
    }
}

impl Graph {
    /// One without nodes.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new() -> Result<Self, String> {
        // SAFETY: takes nothing, gives a graph of its own.
        let raw = NonNull::new(unsafe { ffi::thaw_graph_new() });
        Ok(Self { raw: raw.ok_or("the shim gave no graph")? })
    }

    /// Makes room for the values.
    pub fn set_slots(&mut self, slots: usize) {
        // SAFETY: the graph is alive.
        unsafe { ffi::thaw_graph_set_slots(self.raw.as_ptr(), slots) }
    }

    /// A further block, for a region.
    pub fn block(&mut self) -> Block {
        // SAFETY: the graph is alive.
        unsafe { ffi::thaw_graph_block(self.raw.as_ptr()) }
    }

    /// Gives a slot a tensor that it has in every run: a parameter, buffer or constant.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn bind(&mut self, slot: Slot, tensor: &Tensor) -> Result<(), String> {
        let raw = self.raw.as_ptr();
        // SAFETY: the graph is alive; the shim takes a reference of its own to the tensor.
        call(|error| unsafe { ffi::thaw_graph_bind(raw, slot as i64, tensor.as_ptr(), error) })
    }

    /// Adds a call of an operator such as `aten::conv2d`.
    ///
    /// # Errors
    /// libtorch has none of that name and overload.
    pub fn operator(
        &mut self,
        block: Block,
        name: &str,
        overload: &str,
        place: &str,
    ) -> Result<(Node, Schema), String> {
        extern "C" fn add(list: *mut c_void, name: *const c_char, sharing: c_int, is_output: bool) {
            let sharing = match sharing {
                0 => Sharing::None,
                1 => Sharing::View,
                _ => Sharing::Written,
            };
            // SAFETY: `list` is the schema below, alive and not used otherwise through the call; the name is
            // a text.
            let (schema, name) = unsafe { (&mut *list.cast::<Schema>(), copied(name)) };
            if is_output {
                schema.outputs.push(sharing);
            } else {
                schema.arguments.push((name, sharing));
            }
        }
        let (name, overload, place) = (text(name)?, text(overload)?, text(place)?);
        let (mut node, mut random, mut schema) = (0, false, Schema::default());
        let list = (&raw mut schema).cast();
        // SAFETY: the graph and the texts are alive; `add` gets `list` back.
        call(|error| unsafe {
            ffi::thaw_graph_operator(
                self.raw.as_ptr(),
                block,
                name.as_ptr(),
                overload.as_ptr(),
                place.as_ptr(),
                &mut node,
                &mut random,
                list,
                add,
                error,
            )
        })?;
        schema.random = random;
        Ok((node, schema))
    }

    /// Adds one of Python's operators on numbers, such as `_operator.floordiv`.
    ///
    /// # Errors
    /// It is not known here.
    pub fn python(&mut self, block: Block, name: &str, place: &str) -> Result<Node, String> {
        let (name, place) = (text(name)?, text(place)?);
        let mut node = 0;
        let raw = self.raw.as_ptr();
        // SAFETY: the graph and the texts are alive.
        call(|error| unsafe {
            ffi::thaw_graph_python(raw, block, name.as_ptr(), place.as_ptr(), &mut node, error)
        })?;
        Ok(node)
    }

    /// Adds a region of one block, of a condition two.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn region(
        &mut self,
        block: Block,
        region: Region,
        blocks: &[Block],
        place: &str,
    ) -> Result<Node, String> {
        let place = text(place)?;
        let (mut node, n) = (0, blocks.len());
        let (raw, kind) = (self.raw.as_ptr(), region as c_int);
        // SAFETY: the graph, the list and the text are alive.
        call(|error| unsafe {
            ffi::thaw_graph_region(raw, block, kind, blocks.as_ptr(), n, place.as_ptr(), &mut node, error)
        })?;
        Ok(node)
    }

    /// What the next block of a region gives, in the order of the region's outputs.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn results(&mut self, node: Node, slots: &[Slot]) -> Result<(), String> {
        let slots = to_raw(slots.iter().copied().map(Some));
        let raw = self.raw.as_ptr();
        // SAFETY: the graph and the list are alive.
        call(|error| unsafe { ffi::thaw_graph_results(raw, node, slots.as_ptr(), slots.len(), error) })
    }

    /// Gives a node an argument: by name, of Python's operators and regions the next one.
    ///
    /// # Errors
    /// The operator has no such argument, or one of another type.
    pub fn argument(&mut self, node: Node, name: &str, value: &Value) -> Result<(), String> {
        let name = text(name)?;
        let raw = self.raw.as_ptr();
        RawValue::new(value)?.lend(|value| {
            // SAFETY: the graph, the text and what `value` points to are alive.
            call(|error| unsafe { ffi::thaw_graph_argument(raw, node, name.as_ptr(), value, error) })
        })
    }

    /// Ends a node, with the slots of its outputs; none for an output that is None.
    ///
    /// # Errors
    /// An argument without a default is missing.
    pub fn close(&mut self, node: Node, outputs: &[Option<Slot>]) -> Result<(), String> {
        let outputs = to_raw(outputs.iter().copied());
        let raw = self.raw.as_ptr();
        // SAFETY: the graph and the list are alive.
        call(|error| unsafe { ffi::thaw_graph_close(raw, node, outputs.as_ptr(), outputs.len(), error) })
    }

    /// Says how a node follows the mode of a module.
    ///
    /// # Errors
    /// The operator has no such argument.
    pub fn rule(&mut self, node: Node, rule: &Rule, module: usize) -> Result<(), String> {
        let (kind, argument, source) = match rule {
            Rule::Always => (0, "", -1),
            Rule::Flag(argument) => (1, *argument, -1),
            Rule::Probability(argument) => (2, *argument, -1),
            Rule::Counter => (3, "", -1),
            Rule::TrainingOnly => (4, "", -1),
            Rule::PassThrough(source) => (5, "", *source as i64),
        };
        let argument = text(argument)?;
        let raw = self.raw.as_ptr();
        // SAFETY: the graph and the text are alive.
        call(|error| unsafe {
            ffi::thaw_graph_rule(raw, node, kind, module, argument.as_ptr(), source, error)
        })
    }

    /// Prepares nodes of the program's own block to be run in order; values are let go after their last use.
    ///
    /// # Errors
    /// A node that is not there.
    pub fn plan(&mut self, nodes: &[Node], outputs: &[Slot]) -> Result<Plan, String> {
        let slots = to_raw(outputs.iter().copied().map(Some));
        let mut number = 0;
        let raw = self.raw.as_ptr();
        // SAFETY: the graph and the lists are alive.
        call(|error| unsafe {
            let (nodes, n) = (nodes.as_ptr(), nodes.len());
            ffi::thaw_graph_plan(raw, nodes, n, slots.as_ptr(), slots.len(), &mut number, error)
        })?;
        Ok(Plan { number, outputs: outputs.len() })
    }

    /// Runs a plan: values for some slots, a mode for each module (bit 0 training, bit 1 tracking).
    ///
    /// # Errors
    /// An operator refuses its arguments; the message begins with the node's place.
    pub fn run(&self, plan: Plan, modes: &[u8], inputs: &[(Slot, &Tensor)]) -> Result<Vec<Tensor>> {
        let slots = to_raw(inputs.iter().map(|(slot, _)| Some(*slot)));
        let tensors: Vec<_> = inputs.iter().map(|(_, tensor)| tensor.as_ptr()).collect();
        let mut outputs = vec![std::ptr::null_mut(); plan.outputs];
        // SAFETY: the graph, the lists and the tensors live through the call; `outputs` has the room that the
        // plan asks for.
        call(|error| unsafe {
            ffi::thaw_graph_run(
                self.raw.as_ptr(),
                plan.number,
                modes.as_ptr(),
                modes.len(),
                slots.as_ptr(),
                tensors.as_ptr().cast(),
                tensors.len(),
                outputs.as_mut_ptr(),
                error,
            )
        })
        .map_err(Error::new)?;
        // SAFETY: on success every output is a tensor that is ours.
        Ok(outputs.into_iter().map(|output| unsafe { Tensor::from_ptr(output) }).collect())
    }
}

fn to_raw(slots: impl Iterator<Item = Option<Slot>>) -> Vec<i64> {
    slots.map(|slot| slot.map_or(-1, |slot| slot as i64)).collect()
}

fn text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("`{}` has a zero in it", text.escape_debug()))
}

/// What a value of C points to.
struct RawValue {
    kind: c_int,
    integer: i64,
    number: f64,
    text: CString,
    integers: Vec<i64>,
    is_slot: Option<Vec<u8>>,
    numbers: Vec<f64>,
}

impl RawValue {
    fn new(value: &Value) -> Result<Self, String> {
        let mut raw = Self {
            kind: 0,
            integer: 0,
            number: 0.0,
            text: CString::default(),
            integers: Vec::new(),
            is_slot: None,
            numbers: Vec::new(),
        };
        match value {
            Value::None => {}
            Value::Bool(value) => (raw.kind, raw.integer) = (1, i64::from(*value)),
            Value::Int(value) => (raw.kind, raw.integer) = (2, *value),
            Value::Float(value) => (raw.kind, raw.number) = (3, *value),
            Value::Text(value) => (raw.kind, raw.text) = (4, text(value)?),
            Value::Device => raw.kind = 5,
            Value::Slot(slot) => (raw.kind, raw.integer) = (6, *slot as i64),
            Value::Ints(values) => {
                raw.kind = 7;
                raw.set_wholes(values);
            }
            Value::Floats(values) => (raw.kind, raw.numbers) = (8, values.clone()),
            Value::Bools(values) => {
                (raw.kind, raw.integers) = (9, values.iter().map(|value| i64::from(*value)).collect());
            }
            Value::Tensors(slots) => (raw.kind, raw.integers) = (10, to_raw(slots.iter().copied())),
        }
        Ok(raw)
    }

    fn set_wholes(&mut self, values: &[Whole]) {
        let is_slot = |value: &Whole| matches!(value, Whole::Slot(_));
        self.integers = values
            .iter()
            .map(|value| match value {
                Whole::Number(number) => *number,
                Whole::Slot(slot) => *slot as i64,
            })
            .collect();
        if values.iter().any(is_slot) {
            self.is_slot = Some(values.iter().map(|value| u8::from(is_slot(value))).collect());
        }
    }

    fn lend<T>(&self, body: impl FnOnce(*const ffi::Value) -> T) -> T {
        let value = ffi::Value {
            kind: self.kind,
            integer: self.integer,
            number: self.number,
            text: self.text.as_ptr(),
            integers: self.integers.as_ptr(),
            is_slot: self.is_slot.as_ref().map_or(std::ptr::null(), |flags| flags.as_ptr()),
            numbers: self.numbers.as_ptr(),
            count: self.integers.len().max(self.numbers.len()),
        };
        body(&raw const value)
    }
}

/// A text of the shim.
///
/// # Safety
/// `text` ends with a zero and is alive.
unsafe fn copied(text: *const c_char) -> String {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Runs one call of the shim; its text where it fails.
fn call(body: impl FnOnce(*mut *mut c_char) -> c_int) -> Result<(), String> {
    let mut error: *mut c_char = std::ptr::null_mut();
    if body(&mut error) == 0 {
        return Ok(());
    }
    if error.is_null() {
        return Err(String::new());
    }
    // SAFETY: the shim's texts end with a zero and are this function's to free.
    let text = unsafe {
        let text = copied(error);
        ffi::thaw_graph_free_text(error);
        text
    };
    let end = text.find("\nException raised from").unwrap_or(text.len());
    Err(text[..end].to_owned())
}
