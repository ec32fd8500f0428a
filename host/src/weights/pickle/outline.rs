//! What a pickle would do, told without doing it.
//!
//! A pickle is a program for a stack machine. This walks through it and keeps of every value only what matters here: names of
//! Python objects, strings, and which tensor lies in which storage. It sees every call, also those whose result is thrown away.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// How deeply tuples are followed; the deepest of use (a tensor's arguments) is 3.
const DEPTH: u8 = 8;

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

/// What is kept of a value.
#[derive(Clone)]
enum Sketch {
    Mark,
    Text(Rc<str>),
    Global(Rc<str>),
    Tuple { items: Rc<[Sketch]>, depth: u8 },
    Storage(Rc<str>),
    Tensor(Rc<str>),
    Instance,
    Other,
}

impl Sketch {
    fn tuple(items: Vec<Sketch>) -> Self {
        let deepest = items.iter().map(|item| if let Self::Tuple { depth, .. } = item { *depth } else { 0 }).max();
        match deepest.unwrap_or(0) + 1 {
            depth if depth <= DEPTH => Self::Tuple { items: items.into(), depth },
            _ => Self::Other,
        }
    }

    /// The storage of a tensor's first argument: `rebuild((storage, …))`, or `rebuild(f, type, (storage, …))`.
    fn storage(&self) -> Option<&Rc<str>> {
        match self {
            Self::Storage(key) | Self::Tensor(key) => Some(key),
            Self::Tuple { items, .. } => items.iter().take(3).find_map(|item| match item {
                Self::Tuple { items, .. } => items.first()?.storage(),
                Self::Storage(key) | Self::Tensor(key) => Some(key),
                _ => None,
            }),
            _ => None,
        }
    }
}

impl Outline {
    /// Outlines the pickle that `bytes` begin with, as far as it goes, and what stopped it if that was not its end.
    pub fn of(bytes: &[u8]) -> (Self, Option<&'static str>) {
        let mut machine = Machine { bytes, at: 0, stack: Vec::new(), memo: HashMap::new(), outline: Self::default() };
        let fault = machine.run().err();
        machine.outline.end = machine.at;
        (machine.outline, fault)
    }

    /// Takes in that of another pickle of the same file.
    pub fn add(&mut self, other: Self) {
        self.globals.extend(other.globals);
        self.calls.extend(other.calls);
        self.computed_calls |= other.computed_calls;
        self.tensors.extend(other.tensors);
        self.root_is_object |= other.root_is_object;
    }
}

type Step<T> = Result<T, &'static str>;

struct Machine<'b> {
    bytes: &'b [u8],
    at: usize,
    stack: Vec<Sketch>,
    memo: HashMap<usize, Sketch>,
    outline: Outline,
}

impl<'b> Machine<'b> {
    fn run(&mut self) -> Step<()> {
        loop {
            match self.byte()? {
                b'.' => break,
                0x80 => self.skip(1)?,
                0x95 => self.skip(8)?,
                op => self.step(op)?,
            }
        }
        self.outline.root_is_object = matches!(self.pop()?, Sketch::Instance);
        Ok(())
    }

    fn step(&mut self, op: u8) -> Step<()> {
        match op {
            // Values of no interest: numbers, bytes, empty containers.
            b'N' | 0x88 | 0x89 | b']' | b'}' | 0x8f => self.push(Sketch::Other),
            b'J' => self.other(4)?,
            b'K' => self.other(1)?,
            b'M' => self.other(2)?,
            b'G' => self.other(8)?,
            b'I' | b'L' | b'F' => {
                self.line()?;
                self.push(Sketch::Other);
            }
            0x8a | b'C' => {
                let length = self.length(1)?;
                self.other(length)?;
            }
            0x8b | b'B' => {
                let length = self.length(4)?;
                self.other(length)?;
            }
            0x8e | 0x96 => {
                let length = self.length(8)?;
                self.other(length)?;
            }
            // Text.
            b'S' | b'V' => {
                let line = self.line()?;
                let quotes: &[_] = &['\'', '"'];
                let text = if op == b'S' { line.trim_matches(quotes) } else { &line };
                self.push(Sketch::Text(text.into()));
            }
            0x8c | b'U' => self.text(1)?,
            b'X' | b'T' => self.text(4)?,
            0x8d => self.text(8)?,
            // Containers.
            b'(' => self.push(Sketch::Mark),
            b')' => self.push(Sketch::tuple(Vec::new())),
            0x85..=0x87 => {
                let items = self.pop_count(usize::from(op - 0x84))?;
                self.push(Sketch::tuple(items));
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Sketch::tuple(items));
            }
            b'l' | 0x91 => {
                self.pop_to_mark()?;
                self.push(Sketch::Other);
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.name_tensors(&items);
                self.push(Sketch::Other);
            }
            b'a' => {
                self.pop()?;
            }
            b'e' | 0x90 => {
                self.pop_to_mark()?;
            }
            b's' => {
                let items = self.pop_count(2)?;
                self.name_tensors(&items);
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.name_tensors(&items);
            }
            // Stack and memo.
            b'0' => {
                self.stack.pop().ok_or(UNDERFLOW)?;
            }
            b'1' => {
                self.pop_to_mark()?;
            }
            b'2' => {
                let top = self.stack.last().ok_or(UNDERFLOW)?.clone();
                self.push(top);
            }
            b'p' => {
                let index = self.index()?;
                self.keep(index)?;
            }
            b'q' | b'r' => {
                let index = self.length(if op == b'q' { 1 } else { 4 })?;
                self.keep(index)?;
            }
            0x94 => self.keep(self.memo.len())?,
            b'g' => {
                let index = self.index()?;
                self.recall(index)?;
            }
            b'h' | b'j' => {
                let index = self.length(if op == b'h' { 1 } else { 4 })?;
                self.recall(index)?;
            }
            // Python objects.
            b'c' => {
                let global = self.named()?;
                self.push(Sketch::Global(global));
            }
            0x93 => {
                let items = self.pop_count(2)?;
                let [Sketch::Text(module), Sketch::Text(name)] = &items[..] else {
                    return Err("it names a Python object by something other than text");
                };
                let global = self.name(&format!("{module}.{name}"));
                self.push(Sketch::Global(global));
            }
            b'i' => {
                let global = self.named()?;
                self.pop_to_mark()?;
                self.outline.calls.insert(global);
                self.push(Sketch::Other);
            }
            b'o' => {
                let items = self.pop_to_mark()?;
                let called = items.first().ok_or(UNDERFLOW)?;
                self.call(called);
                self.push(Sketch::Other);
            }
            b'R' => {
                let arguments = self.pop()?;
                let called = self.pop()?;
                self.call(&called);
                let tensor = matches!(&called, Sketch::Global(name) if name.starts_with("torch._"));
                let storage = arguments.storage().filter(|_| tensor);
                self.push(storage.map_or(Sketch::Other, |key| Sketch::Tensor(key.clone())));
            }
            0x81 | 0x92 => {
                self.pop_count(if op == 0x81 { 2 } else { 3 })?;
                self.push(Sketch::Instance);
            }
            b'b' => {
                self.pop()?;
            }
            b'Q' => {
                let id = self.pop()?;
                let key = match &id {
                    Sketch::Tuple { items, .. } => items.get(2),
                    _ => None,
                };
                let Some(Sketch::Text(key)) = key else {
                    return Err("it refers to something outside that is no storage");
                };
                self.push(Sketch::Storage(key.clone()));
            }
            b'P' => {
                self.line()?;
                self.push(Sketch::Other);
            }
            _ => return Err("there is no such instruction, or none that weights need"),
        }
        Ok(())
    }

    fn call(&mut self, called: &Sketch) {
        match called {
            Sketch::Global(name) => {
                self.outline.calls.insert(name.clone());
            }
            _ => self.outline.computed_calls = true,
        }
    }

    fn name_tensors(&mut self, pairs: &[Sketch]) {
        for pair in pairs.chunks_exact(2) {
            if let [Sketch::Text(name), Sketch::Tensor(storage)] = pair {
                self.outline.tensors.push(NamedTensor { name: name.clone(), storage: storage.clone() });
            }
        }
    }

    fn named(&mut self) -> Step<Rc<str>> {
        let module = self.line()?;
        let name = self.line()?;
        Ok(self.name(&format!("{module}.{name}")))
    }

    fn name(&mut self, global: &str) -> Rc<str> {
        let global: Rc<str> = global.into();
        self.outline.globals.insert(global.clone());
        global
    }

    fn keep(&mut self, index: usize) -> Step<()> {
        let top = self.stack.last().ok_or(UNDERFLOW)?.clone();
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: usize) -> Step<()> {
        let value = self.memo.get(&index).ok_or("it recalls a value that it never kept")?.clone();
        self.push(value);
        Ok(())
    }

    fn push(&mut self, value: Sketch) {
        self.stack.push(value);
    }

    fn pop(&mut self) -> Step<Sketch> {
        match self.stack.pop() {
            Some(Sketch::Mark) | None => Err(UNDERFLOW),
            Some(value) => Ok(value),
        }
    }

    fn pop_count(&mut self, count: usize) -> Step<Vec<Sketch>> {
        let start = self.stack.len().checked_sub(count).ok_or(UNDERFLOW)?;
        let items = self.stack.split_off(start);
        let whole = !items.iter().any(|item| matches!(item, Sketch::Mark));
        whole.then_some(items).ok_or(UNDERFLOW)
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Sketch>> {
        let mark = self.stack.iter().rposition(|value| matches!(value, Sketch::Mark)).ok_or(UNDERFLOW)?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn text(&mut self, width: usize) -> Step<()> {
        let length = self.length(width)?;
        let text = String::from_utf8_lossy(self.take(length)?).as_ref().into();
        self.push(Sketch::Text(text));
        Ok(())
    }

    fn other(&mut self, length: usize) -> Step<()> {
        self.skip(length)?;
        self.push(Sketch::Other);
        Ok(())
    }

    fn index(&mut self) -> Step<usize> {
        self.line()?.parse().map_err(|_| "it keeps or recalls a value under something other than a number")
    }

    fn line(&mut self) -> Step<String> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or(CUT_OFF)?;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        self.at += end + 1;
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    /// A little-endian unsigned number of `width` bytes.
    fn length(&mut self, width: usize) -> Step<usize> {
        let mut number = [0; 8];
        number[..width].copy_from_slice(self.take(width)?);
        usize::try_from(u64::from_le_bytes(number)).map_err(|_| CUT_OFF)
    }

    fn skip(&mut self, length: usize) -> Step<()> {
        self.take(length).map(drop)
    }

    fn byte(&mut self) -> Step<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, length: usize) -> Step<&'b [u8]> {
        let bytes = self.bytes[self.at..].get(..length).ok_or(CUT_OFF)?;
        self.at += length;
        Ok(bytes)
    }
}

const CUT_OFF: &str = "the file ends there, it is cut off";
const UNDERFLOW: &str = "it uses a value that is not there";
