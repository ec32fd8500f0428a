//! Files that are nearly what they were.

use fastrand::Rng;
use serde_json::Value;

/// Numbers at the edges of their types.
const EDGES: [u64; 10] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 63, u64::MAX];

/// What a text may have where nobody expects it.
const TEXTS: [&str; 20] = [
    "\"",
    "'",
    ",",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "\x1b[2J",
    "[",
    "{",
    "}",
    "-1",
    "1e999",
    "NaN",
    "=1+1",
    "99999999999999999999",
    "../../x",
    "é",
];

/// Bytes, or text where it is one.
pub fn any(bytes: &[u8], random: &mut Rng) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) if random.bool() => match serde_json::from_str::<Value>(text) {
            Ok(value) if random.bool() => json(value, random).to_string().into_bytes(),
            _ => self::text(text, random).into_bytes(),
        },
        _ => self::bytes(bytes, random),
    }
}

/// Up to four changes of bytes.
pub fn bytes(original: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..random.u32(1..=4) {
        if bytes.is_empty() {
            break;
        }
        // Headers lie at the start, and in archives at the end.
        let reach = if random.bool() { bytes.len() } else { bytes.len().min(128) };
        let near = random.usize(..reach);
        let start = if random.bool() { near } else { bytes.len() - 1 - near };
        let span = random.usize(1..=bytes.len().saturating_sub(start).clamp(1, 64));
        let end = (start + span).min(bytes.len());
        match random.u32(..7) {
            0 => bytes[start] ^= 1 << random.u32(..8),
            1 => bytes[start] = random.u8(..),
            2 => bytes.truncate(start),
            3 => drop(bytes.drain(start..end)),
            4 => {
                let part = bytes[start..end].to_vec();
                drop(bytes.splice(start..start, part));
            }
            5 => {
                let value = EDGES[random.usize(..EDGES.len())];
                let value = if random.bool() { value.to_le_bytes() } else { value.to_be_bytes() };
                for (to, from) in bytes[start..].iter_mut().zip(&value[..1 << random.u32(..4)]) {
                    *to = *from;
                }
            }
            _ => bytes[start..end].fill(random.u8(..)),
        }
    }
    bytes
}

/// Up to three changes of characters and lines.
pub fn text(original: &str, random: &mut Rng) -> String {
    let mut text = original.to_owned();
    for _ in 0..random.u32(1..=3) {
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
        let place = places[random.usize(..places.len())];
        let what = TEXTS[random.usize(..TEXTS.len())];
        match random.u32(..5) {
            0 => text.insert_str(place, what),
            1 => text.truncate(place),
            2 => text.insert_str(place, &what.repeat(random.usize(1..70_000))),
            3 => {
                let mut lines: Vec<&str> = text.lines().collect();
                if !lines.is_empty() {
                    let (from, to) = (random.usize(..lines.len()), random.usize(..lines.len()));
                    lines.insert(to, lines[from]);
                }
                text = lines.join("\n");
            }
            _ => {
                // Both are places of characters.
                let end = places.iter().copied().find(|end| *end >= place + 20).unwrap_or(text.len());
                text.replace_range(place..end, "");
            }
        }
    }
    text
}

/// One value, at any depth, replaced.
pub fn json(mut value: Value, random: &mut Rng) -> Value {
    replace(&mut value, random);
    value
}

fn replace(value: &mut Value, random: &mut Rng) {
    let inner: Vec<&mut Value> = match value {
        Value::Array(values) => values.iter_mut().collect(),
        Value::Object(values) => values.iter_mut().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    };
    if !inner.is_empty() && random.u32(..8) > 0 {
        let chosen = random.usize(..inner.len());
        if let Some(inner) = inner.into_iter().nth(chosen) {
            return replace(inner, random);
        }
    }
    *value = match random.u32(..9) {
        0 => Value::Null,
        1 => Value::from(-1),
        2 => Value::from(EDGES[random.usize(..EDGES.len())]),
        3 => Value::from(1e300),
        4 => Value::from(""),
        5 => Value::from(TEXTS[random.usize(..TEXTS.len())].repeat(random.usize(1..70_000))),
        6 => Value::Array(Vec::new()),
        7 => Value::Object(serde_json::Map::new()),
        _ => Value::from(random.bool()),
    };
}
