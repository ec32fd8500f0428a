//! Reading .safetensors files, mapped into memory.

use super::error::WeightsError;
use super::state_dict::{Entry, StateDict, Values, Widen};
use safetensors::tensor::{Dtype, SafeTensors};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tch::Kind;
use thaw_files::mapped::MappedFile;

/// The length of the header's length.
const LENGTH: usize = 8;

/// Whether a file that begins so is a .safetensors file: a length, then the opening brace of its JSON.
pub(super) fn begins_like(head: &[u8]) -> bool {
    head.get(LENGTH) == Some(&b'{')
}

/// The tensors of one mapped file.
pub(super) fn read(path: &Path, map: MappedFile) -> Result<StateDict, WeightsError> {
    let (header, metadata) = SafeTensors::read_metadata(&map).map_err(|error| {
        let (tensor, reason) = explain(&map).unwrap_or_else(|| (None, error.to_string()));
        WeightsError::Damaged { path: path.to_owned(), tensor, reason }
    })?;
    if let Some(name) = named_twice(&map[LENGTH..LENGTH + header]) {
        let reason = "its header names it twice: the file is damaged or was changed".to_owned();
        return Err(WeightsError::Damaged { path: path.to_owned(), tensor: Some(name), reason });
    }
    let data = LENGTH + header;
    let file: Arc<Path> = path.into();
    let map = Arc::new(map);
    let mut tensors: Vec<_> = metadata.tensors().into_iter().collect();
    tensors.sort_by(|(a, x), (b, y)| x.data_offsets.cmp(&y.data_offsets).then_with(|| a.cmp(b)));
    let entries = tensors.into_iter().map(|(name, info)| {
        let Some(kind) = kind(info.dtype) else {
            return Err(WeightsError::Tensor {
                path: path.to_owned(),
                tensor: name,
                reason: format!("its element type is {}, which libtorch's tensors do not have", info.dtype),
            });
        };
        let (start, end) = info.data_offsets;
        let values = Values::Mapped(map.clone(), data + start..data + end);
        Ok(Entry::new(&file, name, &info.shape, kind, values))
    });
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    if entries.is_empty() {
        return Err(WeightsError::NoTensors {
            path: path.to_owned(),
            found: "its header names none".to_owned(),
        });
    }
    let metadata =
        metadata.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(StateDict::new(path, entries).with_metadata(metadata))
}

/// The tch type of an element type, and the widening that gets there.
fn kind(dtype: Dtype) -> Option<(Kind, Option<Widen>)> {
    Some(match dtype {
        Dtype::BOOL => (Kind::Bool, None),
        Dtype::U8 => (Kind::Uint8, None),
        Dtype::I8 => (Kind::Int8, None),
        Dtype::I16 => (Kind::Int16, None),
        Dtype::U16 => (Kind::Int, Some(Widen::U16)),
        Dtype::I32 => (Kind::Int, None),
        Dtype::U32 => (Kind::Int64, Some(Widen::U32)),
        Dtype::I64 => (Kind::Int64, None),
        Dtype::U64 => (Kind::Int64, Some(Widen::U64)),
        Dtype::F16 => (Kind::Half, None),
        Dtype::BF16 => (Kind::BFloat16, None),
        Dtype::F32 => (Kind::Float, None),
        Dtype::F64 => (Kind::Double, None),
        Dtype::F8_E5M2 => (Kind::Float8e5m2, None),
        Dtype::F8_E4M3 => (Kind::Float8e4m3fn, None),
        _ => return None,
    })
}

/// A name that the header has twice: JSON readers differ in which of the two they take.
fn named_twice(header: &[u8]) -> Option<String> {
    struct Names(Option<String>);

    impl<'de> Deserialize<'de> for Names {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Names(None))
        }
    }

    impl<'de> Visitor<'de> for Names {
        type Value = Self;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("tensors by name")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
            let mut seen = HashSet::new();
            while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                if !seen.insert(name.clone()) {
                    self.0.get_or_insert(name);
                }
            }
            Ok(self)
        }
    }

    serde_json::from_slice::<Names>(header).ok()?.0
}

/// What exactly is wrong with a file that was not accepted: the tensor concerned, where one is, and the
/// fault.
fn explain(bytes: &[u8]) -> Option<(Option<String>, String)> {
    let length = u64::from_le_bytes(*bytes.first_chunk::<LENGTH>()?);
    let rest = bytes.len() - LENGTH;
    let Some(header) = usize::try_from(length).ok().and_then(|length| bytes[LENGTH..].get(..length)) else {
        return Some((
            None,
            format!("its header claims {length} bytes, but {rest} follow: the file is cut off or damaged"),
        ));
    };
    let tensors: BTreeMap<String, Value> = serde_json::from_slice(header).ok()?;
    let available = rest - header.len();
    let mut ranges = Vec::new();
    for (name, tensor) in &tensors {
        let range = tensor
            .get("data_offsets")
            .and_then(|offsets| Some((offsets.get(0)?.as_u64()?, offsets.get(1)?.as_u64()?)));
        if let Some((start, end)) = range {
            ranges.push((start, end, name));
        }
    }
    ranges.sort();
    let beyond: Vec<_> = ranges.iter().filter(|(_, end, _)| *end > available as u64).collect();
    if let Some((start, end, name)) = beyond.first() {
        let others = match beyond.len() - 1 {
            0 => String::new(),
            others => format!(", and so are {others} after it"),
        };
        let reason = format!(
            "its values are bytes {start} to {end} of {available}: the file is cut off or damaged{others}"
        );
        return Some((Some((*name).clone()), reason));
    }
    if let Some(pair) = ranges.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        let reason = format!("its values overlap those of '{}': the file is damaged", pair[0].2);
        return Some((Some(pair[1].2.clone()), reason));
    }
    ranges.iter().find_map(|(start, end, name)| {
        let info: safetensors::tensor::TensorInfo = serde_json::from_value(tensors[*name].clone()).ok()?;
        let elements = info.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))?;
        let needed = elements.checked_mul(info.dtype.bitsize())? / 8;
        let has = end.checked_sub(*start)?;
        (needed as u64 != has).then(|| {
            let reason =
                format!("shape {:?} of {} needs {needed} bytes, but it has {has}", info.shape, info.dtype);
            (Some((*name).clone()), reason)
        })
    })
}
