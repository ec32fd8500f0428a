//! NumPy's `.npz`: a zip of `.npy` files, each a small text header before the elements.

use super::RawTensor;
use crate::DataError;
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use tch::Kind;
use zip::ZipArchive;
use zip::result::ZipError;

/// More than any header has; a damaged length must not become a giant allocation.
const MAX_HEADER: usize = 1 << 20;

/// An open file, of which arrays are read when they are asked for, and kept.
pub(super) struct Archive {
    /// Names of the arrays with their places in the archive.
    places: Vec<(String, usize)>,
    state: RefCell<State>,
}

struct State {
    archive: ZipArchive<BufReader<File>>,
    /// Bytes that further arrays may take.
    left: u64,
    read: Vec<(String, RawTensor)>,
}

impl Archive {
    /// Looks which arrays there are. Those that are asked for may take `max_mib` MiB together, which is
    /// looked at before each is unpacked.
    pub(super) fn open(path: &Path, max_mib: u64) -> Result<Archive, DataError> {
        let file = File::open(path).map_err(DataError::io(path))?;
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(broken(path))?;
        let mut places = Vec::new();
        for place in 0..archive.len() {
            let entry = archive.by_index_raw(place).map_err(broken(path))?;
            let name = entry.name().map_err(broken(path))?.into_owned();
            if let Some(name) = name.strip_suffix(".npy") {
                places.push((name.to_string(), place));
            }
        }
        let left = max_mib.saturating_mul(1 << 20);
        Ok(Archive { places, state: RefCell::new(State { archive, left, read: Vec::new() }) })
    }

    /// Names of the arrays.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|(name, _)| name.as_str())
    }

    /// An array by its name.
    pub(super) fn get(&self, name: &str, path: &Path) -> Result<Option<RawTensor>, DataError> {
        let mut state = self.state.borrow_mut();
        if let Some((_, tensor)) = state.read.iter().find(|(known, _)| known == name) {
            return Ok(Some(tensor.clone()));
        }
        let Some(&(_, place)) = self.places.iter().find(|(known, _)| known == name) else { return Ok(None) };
        let left = state.left;
        let entry = state.archive.by_index(place).map_err(broken(path))?;
        let tensor = read_npy(entry, left).map_err(|(found, expected)| DataError::Tensor {
            path: path.to_path_buf(),
            name: name.to_string(),
            found,
            expected,
        })?;
        state.left -= tensor.bytes().len() as u64;
        state.read.push((name.to_string(), tensor.clone()));
        Ok(Some(tensor))
    }
}

fn broken(path: &Path) -> impl Fn(ZipError) -> DataError + '_ {
    move |error| {
        DataError::layout(path, format!("not readable as npz: {error}"), "write it again with numpy.savez")
    }
}

type Mismatch = (String, String);

/// Reads an array of at most `left` bytes.
fn read_npy(mut entry: impl Read, left: u64) -> Result<RawTensor, Mismatch> {
    let broken = |e: std::io::Error| (e.to_string(), "a whole .npy entry".to_string());
    let mut start = [0; 8];
    entry.read_exact(&mut start).map_err(broken)?;
    if &start[..6] != b"\x93NUMPY" {
        return Err(("no NumPy header".into(), "a .npy entry".into()));
    }
    let mut length = [0; 4];
    let width = if start[6] == 1 { 2 } else { 4 };
    entry.read_exact(&mut length[..width]).map_err(broken)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_HEADER {
        return Err((format!("a header of {length} bytes"), "a .npy entry".into()));
    }
    let mut header = vec![0; length];
    entry.read_exact(&mut header).map_err(broken)?;
    let header = String::from_utf8_lossy(&header);
    let (kind, shape) = parse_header(&header)?;
    let expected = shape.iter().try_fold(kind.elt_size_in_bytes(), |n, &size| n.checked_mul(size));
    let takes = format!("what {kind:?} {shape:?} takes");
    let Some(expected) = expected.and_then(|bytes| u64::try_from(bytes).ok()) else {
        return Err((format!("shape {shape:?}"), "one that fits into memory".to_string()));
    };
    if expected > left {
        let found = format!("{kind:?} {shape:?}, which takes {} MiB", expected.div_ceil(1 << 20));
        return Err((found, format!("at most {} MiB: raise `max_mib` in [data]", left >> 20)));
    }
    // One byte more than there should be tells that there are more; the rest stays packed.
    let mut bytes = Vec::new();
    entry.take(expected + 1).read_to_end(&mut bytes).map_err(broken)?;
    match bytes.len() as u64 {
        found if found > expected => return Err((format!("more than {expected} bytes"), takes)),
        found if found < expected => return Err((format!("{found} bytes"), takes)),
        _ => {}
    }
    Ok(RawTensor::owned(kind, shape, bytes))
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`
fn parse_header(header: &str) -> Result<(Kind, Vec<usize>), Mismatch> {
    let wrong = |expected: &str| (format!("header {}", header.trim()), expected.to_string());
    let after = |key: &str| {
        let start = header.find(&format!("'{key}'"))? + key.len() + 2;
        header[start..].trim_start().strip_prefix(':').map(str::trim_start)
    };
    let descr = after("descr")
        .and_then(|rest| rest.strip_prefix('\'')?.split('\'').next())
        .ok_or_else(|| wrong("a plain element type"))?;
    let kind = match descr.trim_start_matches(['<', '|', '=']) {
        "f2" => Kind::Half,
        "f4" => Kind::Float,
        "f8" => Kind::Double,
        "i1" => Kind::Int8,
        "i2" => Kind::Int16,
        "i4" => Kind::Int,
        "i8" => Kind::Int64,
        "u1" => Kind::Uint8,
        "b1" => Kind::Bool,
        _ => {
            let expected = "little-endian f2, f4, f8, i1 to i8, u1 or b1";
            return Err((format!("type {descr}"), expected.to_string()));
        }
    };
    match after("fortran_order") {
        Some(rest) if rest.starts_with("False") => {}
        _ => return Err(wrong("C order (numpy.ascontiguousarray)")),
    }
    let shape = after("shape")
        .and_then(|rest| rest.strip_prefix('(')?.split_once(')'))
        .and_then(|(sizes, _)| {
            let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
            sizes.map(|size| size.parse().ok()).collect()
        })
        .ok_or_else(|| wrong("a shape"))?;
    Ok((kind, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn headers_give_type_and_shape() {
        let header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1), }   \n";
        let tensor = read_npy(&npy(header, &[1, 0, 0, 0, 255, 255, 255, 255])[..], 100).expect("reads");
        assert_eq!((tensor.kind, &tensor.shape[..]), (Kind::Int, &[2, 1][..]));
        let value = |index| tensor.whole_number(index);
        assert_eq!((value(0), value(1), value(2)), (Some(1), Some(-1), None));
        let header = "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }\n";
        let tensor = read_npy(&npy(header, &[1, 0, 1])[..], 100).expect("reads");
        assert_eq!(tensor.shape, [3]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (header, data, word) in [
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", &[0u8; 4][..], "4 bytes"),
            ("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", &[0; 4], ">f4"),
            ("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", &[0; 4], "True"),
            ("{'descr': '<U3', 'fortran_order': False, 'shape': (1,), }", &[0; 12], "<U3"),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999, 9999999999999), }",
                &[0; 4],
                "9999999999999",
            ),
            ("{'descr': '|u1', 'fortran_order': False, 'shape': (101,), }", &[0; 4], "101"),
            ("{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", &[0; 9], "more than 4 bytes"),
            ("{}", &[], "header {}"),
        ] {
            let (found, _) = read_npy(&npy(header, data)[..], 100).err().expect(header);
            assert!(found.contains(word), "{header}: {found}");
        }
        read_npy(&b"\x93NUMPY\x02\x00\xff\xff\xff\xff"[..], 100).err().expect("giant header");
    }
}
