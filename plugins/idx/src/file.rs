//! The IDX format: four bytes that say what follows, the sizes of the dimensions, then the numbers, all of
//! them with the most significant byte first.

use std::path::Path;

use thaw_plugin_api::prelude::*;

/// A file in memory, its numbers in this machine's order of bytes.
pub struct IdxFile {
    dtype: Dtype,
    len: usize,
    item_shape: Vec<usize>,
    bytes: Vec<u8>,
    item_bytes: usize,
}

impl IdxFile {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is no IDX file, or is cut off.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| Error::from(error).context(path.display()))?;
        Self::parse(bytes).map_err(|error| error.context(path.display()))
    }

    /// The same of bytes.
    ///
    /// # Errors
    /// They are no IDX file, or cut off.
    pub fn parse(mut bytes: Vec<u8>) -> Result<Self> {
        let Some(&[0, 0, code, dimensions]) = bytes.first_chunk() else {
            bail!(
                "found other bytes at its start, expected those of an IDX file: 0, 0, a type, a number of \
                 dimensions"
            );
        };
        let dtype = match code {
            0x08 => Dtype::U8,
            0x09 => Dtype::I8,
            0x0b => Dtype::I16,
            0x0c => Dtype::I32,
            0x0d => Dtype::F32,
            0x0e => Dtype::F64,
            other => bail!("found type {other:#04x}, expected one of 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e"),
        };
        let start = 4 + 4 * usize::from(dimensions);
        let sizes = bytes.get(4..start).ok_or_else(|| Error::new("it ends before its sizes do"))?;
        let sizes = sizes.chunks_exact(4).map(|size| Ok(u32::from_be_bytes(size.try_into()?) as usize));
        let sizes: Vec<usize> = sizes.collect::<Result<_>>()?;
        let Some((&len, item_shape)) = sizes.split_first() else {
            bail!("found no dimensions, expected at least one: the samples");
        };
        let item_bytes = item_shape.iter().try_fold(dtype.size(), |bytes, &size| bytes.checked_mul(size));
        let expected = item_bytes.and_then(|item| item.checked_mul(len));
        bytes.drain(..start);
        if expected != Some(bytes.len()) {
            let expected = expected.map_or_else(|| "more than fit".to_owned(), |bytes| bytes.to_string());
            bail!("found {} bytes of numbers, expected {expected} for {dtype} {sizes:?}", bytes.len());
        }
        if cfg!(target_endian = "little") {
            bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
        }
        let (item_shape, item_bytes) = (item_shape.to_vec(), item_bytes.unwrap_or(0));
        Ok(Self { dtype, len, item_shape, bytes, item_bytes })
    }

    /// What its numbers are.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Number of samples: its first dimension.
    #[expect(clippy::len_without_is_empty, reason = "a file without samples is as good as any")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The other dimensions.
    pub fn item_shape(&self) -> &[usize] {
        &self.item_shape
    }

    /// The bytes of a sample; none of one that there is not.
    pub fn item(&self, index: usize) -> &[u8] {
        let start = index.saturating_mul(self.item_bytes);
        self.bytes.get(start..start.saturating_add(self.item_bytes)).unwrap_or_default()
    }
}
