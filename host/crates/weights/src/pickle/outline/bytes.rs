//! The bytes of a pickle, read one after the other.

/// What comes of reading on, or what stops it.
pub type Step<T> = Result<T, &'static str>;

/// The bytes, and how far they are read.
pub struct Bytes<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Bytes<'b> {
    /// At the beginning.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many are read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// A line that is a number.
    pub fn index(&mut self) -> Step<usize> {
        self.line()?.parse().map_err(|_| "it keeps or recalls a value under something other than a number")
    }

    /// Up to the next line end.
    pub fn line(&mut self) -> Step<String> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or(CUT_OFF)?;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        self.at += end + 1;
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    /// A little-endian unsigned number of `width` bytes.
    pub fn length(&mut self, width: usize) -> Step<usize> {
        let mut number = [0; 8];
        number[..width].copy_from_slice(self.take(width)?);
        usize::try_from(u64::from_le_bytes(number)).map_err(|_| CUT_OFF)
    }

    /// Passes over so many.
    pub fn skip(&mut self, length: usize) -> Step<()> {
        self.take(length).map(drop)
    }

    /// One of them.
    pub fn byte(&mut self) -> Step<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// So many of them.
    pub fn take(&mut self, length: usize) -> Step<&'b [u8]> {
        let bytes = self.bytes[self.at..].get(..length).ok_or(CUT_OFF)?;
        self.at += length;
        Ok(bytes)
    }
}

const CUT_OFF: &str = "the file ends there, it is cut off";
