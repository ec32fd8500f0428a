//! The walk through a pickle, instruction by instruction.

use std::collections::HashMap;
use std::rc::Rc;

use super::bytes::{Bytes, Step};
use super::sketch::Sketch;
use super::{NamedTensor, Outline, Storage};

/// Whether an instruction is one of a kind.
#[derive(PartialEq, Eq)]
enum Instruction {
    OfThisKind,
    /// Nothing was done.
    OfAnother,
}

/// A machine in the middle of a pickle.
pub struct Machine<'b> {
    bytes: Bytes<'b>,
    stack: Vec<Sketch>,
    memo: HashMap<usize, Sketch>,
    outline: Outline,
}

impl<'b> Machine<'b> {
    /// Before the first instruction.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes: Bytes::new(bytes),
            stack: Vec::new(),
            memo: HashMap::new(),
            outline: Outline::default(),
        }
    }

    /// Goes on to the end, or to what stops it.
    pub fn run(&mut self) -> Step<()> {
        loop {
            match self.bytes.byte()? {
                b'.' => break,
                0x80 => self.bytes.skip(1)?,
                0x95 => self.bytes.skip(8)?,
                op => self.step(op)?,
            }
        }
        self.outline.root_is_object = matches!(self.pop()?, Sketch::Instance);
        Ok(())
    }

    /// What was seen so far.
    pub fn into_outline(self) -> Outline {
        Outline { end: self.bytes.position(), ..self.outline }
    }

    fn step(&mut self, op: u8) -> Step<()> {
        for kind in [Self::number, Self::text_or_container, Self::stack_or_memo, Self::object] {
            if kind(self, op)? == Instruction::OfThisKind {
                return Ok(());
            }
        }
        Err("there is no such instruction, or none that weights need")
    }

    /// Numbers, of which those that are sizes matter, and values of no interest: fractions, bytes, empty
    /// containers.
    fn number(&mut self, op: u8) -> Step<Instruction> {
        match op {
            // Values of no interest: fractions, bytes, empty containers.
            b'N' | 0x88 | 0x89 | b']' | b'}' | 0x8f => self.push(Sketch::Other),
            b'G' => self.other(8)?,
            b'F' => {
                self.bytes.line()?;
                self.push(Sketch::Other);
            }
            b'C' => {
                let length = self.bytes.length(1)?;
                self.other(length)?;
            }
            // Numbers, of which those that are sizes matter.
            b'K' | b'M' => {
                let number = self.bytes.length(if op == b'K' { 1 } else { 2 })?;
                self.push(Sketch::Number(number as u64));
            }
            b'J' => self.signed(4)?,
            b'I' | b'L' => {
                let line = self.bytes.line()?;
                let number = line.trim_end_matches('L').parse();
                self.push(number.map_or(Sketch::Other, Sketch::Number));
            }
            0x8a => {
                let length = self.bytes.length(1)?;
                self.signed(length)?;
            }
            0x8b | b'B' => {
                let length = self.bytes.length(4)?;
                self.other(length)?;
            }
            0x8e | 0x96 => {
                let length = self.bytes.length(8)?;
                self.other(length)?;
            }
            _ => return Ok(Instruction::OfAnother),
        }
        Ok(Instruction::OfThisKind)
    }

    /// Text, and containers of what lies on the stack.
    fn text_or_container(&mut self, op: u8) -> Step<Instruction> {
        match op {
            b'S' | b'V' => {
                let line = self.bytes.line()?;
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
            _ => return Ok(Instruction::OfAnother),
        }
        Ok(Instruction::OfThisKind)
    }

    /// Moves on the stack, to the memo and from it.
    fn stack_or_memo(&mut self, op: u8) -> Step<Instruction> {
        match op {
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
                let index = self.bytes.index()?;
                self.keep(index)?;
            }
            b'q' | b'r' => {
                let index = self.bytes.length(if op == b'q' { 1 } else { 4 })?;
                self.keep(index)?;
            }
            0x94 => self.keep(self.memo.len())?,
            b'g' => {
                let index = self.bytes.index()?;
                self.recall(index)?;
            }
            b'h' | b'j' => {
                let index = self.bytes.length(if op == b'h' { 1 } else { 4 })?;
                self.recall(index)?;
            }
            _ => return Ok(Instruction::OfAnother),
        }
        Ok(Instruction::OfThisKind)
    }

    /// Python objects.
    fn object(&mut self, op: u8) -> Step<Instruction> {
        match op {
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
                let storage = Storage::of(&id).ok_or("it refers to something outside that is no storage")?;
                self.push(Sketch::Storage(storage.key.clone()));
                self.outline.storages.insert(storage);
            }
            b'P' => {
                self.bytes.line()?;
                self.push(Sketch::Other);
            }
            _ => return Ok(Instruction::OfAnother),
        }
        Ok(Instruction::OfThisKind)
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
        let module = self.bytes.line()?;
        let name = self.bytes.line()?;
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
        let length = self.bytes.length(width)?;
        let text = String::from_utf8_lossy(self.bytes.take(length)?).as_ref().into();
        self.push(Sketch::Text(text));
        Ok(())
    }

    /// A little-endian signed number of `length` bytes; a negative one, or one of more than eight bytes, is
    /// of no interest.
    fn signed(&mut self, length: usize) -> Step<()> {
        let bytes = self.bytes.take(length)?;
        let is_negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let is_small = bytes.iter().skip(8).all(|&byte| byte == 0);
        let number = bytes.iter().take(8).rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
        self.push(if is_negative || !is_small { Sketch::Other } else { Sketch::Number(number) });
        Ok(())
    }

    fn other(&mut self, length: usize) -> Step<()> {
        self.bytes.skip(length)?;
        self.push(Sketch::Other);
        Ok(())
    }
}

const UNDERFLOW: &str = "it uses a value that is not there";
