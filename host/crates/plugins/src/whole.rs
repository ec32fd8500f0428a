//! Whether a library's file is all there, before the system's loader maps it.
//!
//! The loader maps what the file's header promises and touches it; where the file ends before that, as after
//! a copy that was cut off, the system ends the process with SIGBUS.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Sizes and places in the header of a 64-bit ELF file, and in its program headers.
const HEADER: usize = 64;
const PROGRAM_HEADERS: usize = 32;
const PROGRAM_HEADER_SIZE: usize = 54;
const PROGRAM_HEADER_COUNT: usize = 56;
const SEGMENT_OFFSET: usize = 8;
const SEGMENT_SIZE: usize = 32;

/// What is missing from a file; `None` where it is whole, or of another form than 64-bit little-endian ELF,
/// which the loader judges by itself.
///
/// # Errors
/// The file cannot be read.
pub fn missing(path: &Path) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut header = [0; HEADER];
    if length < HEADER as u64 {
        return Ok(None);
    }
    file.read_exact(&mut header)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let (size, count) =
        (usize::from(half(&header, PROGRAM_HEADER_SIZE)), usize::from(half(&header, PROGRAM_HEADER_COUNT)));
    let mut table = vec![0; size * count];
    let start = word(&header, PROGRAM_HEADERS);
    let mut end = start.saturating_add(table.len() as u64);
    if end <= length && size >= SEGMENT_SIZE + 8 {
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut table)?;
        let ends = table
            .chunks_exact(size)
            .map(|entry| word(entry, SEGMENT_OFFSET).saturating_add(word(entry, SEGMENT_SIZE)));
        end = ends.fold(end, u64::max);
    }
    Ok((end > length)
        .then(|| format!("the file is cut off: it has {length} bytes, its header promises {end} or more")))
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_is_whole_until_a_part_of_it_is_missing() {
        let program = std::env::current_exe().unwrap();
        assert_eq!(missing(&program).unwrap(), None);
        let bytes = std::fs::read(&program).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cut = folder.path().join("cut");
        for length in [HEADER, 1000, bytes.len() / 10] {
            std::fs::write(&cut, &bytes[..length]).unwrap();
            assert!(missing(&cut).unwrap().unwrap().contains("cut off"), "{length} bytes");
        }
    }

    #[test]
    fn what_is_no_library_is_left_to_the_loader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        for text in ["", "short", &"long ".repeat(100)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(missing(&path).unwrap(), None);
        }
    }
}
