//! Whether a JPEG file is whole.
//!
//! Decoders fill the missing rest of a sequential JPEG with grey and call it done. The markers of the file
//! tell: the picture's data end with the marker EOI, or the file is cut off.

use super::decode::CUT_OFF;

const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: u8 = 0xD9;

/// Refuses a file that ends before its picture does, by its markers alone. What has no markers in the right
/// places is left to the decoder.
pub(super) fn ends(bytes: &[u8]) -> Result<(), String> {
    let cut = || Err(CUT_OFF.to_string());
    let mut at = 2;
    loop {
        // Between segments stand markers: any number of 0xFF, then the code.
        let Some(start) = find_marker(bytes, at) else { return cut() };
        let (code, after) = start;
        at = match code {
            END_OF_IMAGE => return Ok(()),
            // Without contents: TEM, the restart markers, SOI.
            0x01 | 0xD0..=0xD8 => after,
            _ => {
                let Some(length) = bytes.get(after..after + 2) else { return cut() };
                after + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2)
            }
        };
        if code == START_OF_SCAN {
            at = end_of_scan(bytes, at);
        }
    }
}

/// The next marker's code, and what follows it.
fn find_marker(bytes: &[u8], from: usize) -> Option<(u8, usize)> {
    let mut at = from;
    loop {
        let start = at + bytes.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
        let code = start + bytes[start..].iter().position(|&byte| byte != 0xFF)?;
        if bytes[code] != 0 {
            return Some((bytes[code], code + 1));
        }
        at = code + 1;
    }
}

/// Where a scan's coded data end: at a marker that is neither a stuffed 0xFF nor a restart marker.
fn end_of_scan(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(offset) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xFF)) {
        at += offset;
        match bytes.get(at + 1) {
            Some(0x00 | 0xD0..=0xD7) => at += 2,
            Some(0xFF) => at += 1,
            _ => return at,
        }
    }
    bytes.len()
}
