//! What is kept of a value on a pickle's stack.

use std::rc::Rc;

/// How deeply tuples are followed; the deepest of use (a tensor's arguments) is 3.
const DEPTH: u8 = 8;

/// What is kept of a value.
#[derive(Clone)]
pub enum Sketch {
    Mark,
    Text(Rc<str>),
    Number(u64),
    Global(Rc<str>),
    Tuple { items: Rc<[Sketch]>, depth: u8 },
    Storage(Rc<str>),
    Tensor(Rc<str>),
    Instance,
    Other,
}

impl Sketch {
    /// A tuple of these, unless it is too deep.
    pub fn tuple(items: Vec<Sketch>) -> Self {
        let deepest =
            items.iter().map(|item| if let Self::Tuple { depth, .. } = item { *depth } else { 0 }).max();
        match deepest.unwrap_or(0) + 1 {
            depth if depth <= DEPTH => Self::Tuple { items: items.into(), depth },
            _ => Self::Other,
        }
    }

    /// The storage of a tensor's first argument: `rebuild((storage, …))`, or `rebuild(f, type, (storage,
    /// …))`.
    pub fn storage(&self) -> Option<&Rc<str>> {
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
