//! What a pickle says of a storage that lies beside it.

use std::rc::Rc;

use super::sketch::Sketch;

/// A storage as the pickle declares it: `('storage', type, key, device, elements)`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Storage {
    /// Its key in the container.
    pub key: Rc<str>,
    /// How many bytes it has to have; `None` where its type or its number of elements is not understood.
    pub bytes: Option<u64>,
}

impl Storage {
    /// What the reference `id` says; `None` if it is none of a storage.
    pub fn of(id: &Sketch) -> Option<Self> {
        let Sketch::Tuple { items, .. } = id else { return None };
        let Some(Sketch::Text(key)) = items.get(2) else { return None };
        let bytes = match (items.get(1), items.get(4)) {
            (Some(Sketch::Global(kind)), Some(Sketch::Number(elements))) => {
                element_size(kind).and_then(|size| elements.checked_mul(size))
            }
            _ => None,
        };
        Some(Self { key: key.clone(), bytes })
    }
}

/// Bytes of an element of a storage type, as `torch.FloatStorage`.
fn element_size(kind: &str) -> Option<u64> {
    let name = kind.rsplit('.').next()?.strip_suffix("Storage")?;
    Some(match name {
        "ComplexDouble" => 16,
        "Double" | "Long" | "ComplexFloat" => 8,
        "Float" | "Int" | "QInt32" => 4,
        "Half" | "BFloat16" | "Short" => 2,
        "Char" | "Byte" | "Bool" | "QInt8" | "QUInt8" | "QUInt4x2" | "QUInt2x4" | "Untyped" => 1,
        "_Untyped" => 1,
        _ => return None,
    })
}
