//! What a pickle would do, told without doing it.
//!
//! A pickle is a program for a stack machine. This walks through it and keeps of every value only what
//! matters here: names of Python objects, strings, and which tensor lies in which storage. It sees every
//! call, also those whose result is thrown away.

mod bytes;
mod machine;
mod sketch;
mod storage;

use std::collections::BTreeSet;
use std::rc::Rc;

use machine::Machine;
pub(super) use storage::Storage;

/// What a pickle refers to and calls.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// Python objects it names, as `module.name`.
    pub globals: BTreeSet<Rc<str>>,
    /// Those it calls as functions. Making an instance without `__init__` (as pickling does) is no call.
    pub calls: BTreeSet<Rc<str>>,
    /// Whether it calls something that is not named, as the result of another call.
    pub computed_calls: bool,
    /// Tensors put into dicts by name, in order.
    pub tensors: Vec<NamedTensor>,
    /// The storages it refers to, as it declares them.
    pub storages: BTreeSet<Storage>,
    /// Whether the value at the end is an instance of a class, as a pickled module is.
    pub root_is_object: bool,
    /// Where it ends, or where it breaks off.
    pub end: usize,
}

/// A tensor under its key in a dict.
#[derive(Debug)]
pub(super) struct NamedTensor {
    pub name: Rc<str>,
    /// The key of its storage in the container.
    pub storage: Rc<str>,
}

impl Outline {
    /// Outlines the pickle that `bytes` begin with, as far as it goes, and what stopped it if that was not
    /// its end.
    pub fn of(bytes: &[u8]) -> (Self, Option<&'static str>) {
        let mut machine = Machine::new(bytes);
        let fault = machine.run().err();
        (machine.into_outline(), fault)
    }

    /// Takes in that of another pickle of the same file.
    pub fn add(&mut self, other: Self) {
        self.globals.extend(other.globals);
        self.calls.extend(other.calls);
        self.computed_calls |= other.computed_calls;
        self.tensors.extend(other.tensors);
        self.storages.extend(other.storages);
        self.root_is_object |= other.root_is_object;
    }
}
