//! The text of a file, whatever program wrote it.

use super::DataError;
use std::path::Path;

/// Reads a file of UTF-8 or UTF-16 (as spreadsheets write "Unicode text"), with or without a byte order mark.
///
/// # Errors
/// A file that cannot be read, or bytes in neither encoding, with the line.
pub(super) fn read_text(path: &Path) -> Result<String, DataError> {
    let bytes = std::fs::read(path).map_err(DataError::io(path))?;
    let text = match utf16(&bytes) {
        Some(order) => from_utf16(path, &bytes, order)?,
        None => String::from_utf8(bytes).map_err(|error| {
            let line = line_at(error.as_bytes(), error.utf8_error().valid_up_to());
            not_text(path, line, "bytes that are not UTF-8")
        })?,
    };
    let mut text = text;
    if text.starts_with('\u{feff}') {
        // In place: the file may be large.
        text.drain(..'\u{feff}'.len_utf8());
    }
    match text.find('\0') {
        Some(at) => Err(not_text(path, line_at(text.as_bytes(), at), "a NUL character")),
        None => Ok(text),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// The byte order of UTF-16: by its mark, or because every other byte of the start is 0.
fn utf16(bytes: &[u8]) -> Option<Order> {
    match bytes {
        [0xFF, 0xFE, ..] => return Some(Order::Little),
        [0xFE, 0xFF, ..] => return Some(Order::Big),
        _ => {}
    }
    let start = &bytes[..bytes.len().min(64) / 2 * 2];
    let zeros = |place: usize| start.chunks_exact(2).all(|pair| (pair[place] == 0) && pair[1 - place] != 0);
    match start.is_empty() {
        true => None,
        false if zeros(1) => Some(Order::Little),
        false if zeros(0) => Some(Order::Big),
        false => None,
    }
}

fn from_utf16(path: &Path, bytes: &[u8], order: Order) -> Result<String, DataError> {
    let mut text = String::with_capacity(bytes.len() / 2);
    let units = bytes.chunks(2).map(|pair| match (pair, order) {
        ([low, high], Order::Little) | ([high, low], Order::Big) => u16::from_le_bytes([*low, *high]),
        // Half a character at the end.
        _ => 0xD800,
    });
    for character in char::decode_utf16(units) {
        match character {
            Ok(character) => text.push(character),
            Err(_) => {
                return Err(not_text(path, line_at(text.as_bytes(), text.len()), "half a UTF-16 character"));
            }
        }
    }
    Ok(text)
}

fn line_at(bytes: &[u8], at: usize) -> u64 {
    1 + bytes[..at.min(bytes.len())].iter().filter(|&&byte| byte == b'\n').count() as u64
}

fn not_text(path: &Path, line: u64, found: &str) -> DataError {
    DataError::Table {
        path: path.to_path_buf(),
        place: format!("line {line}"),
        found: found.to_string(),
        expected: "UTF-8 (save it as \"CSV UTF-8\", or with encoding=\"utf-8\")".to_string(),
    }
}
