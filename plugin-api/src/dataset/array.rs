//! Numbers in a shape, without libtorch.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What the elements of an [`Array`] are. Names are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Whole numbers of 8 bits from 0.
    #[serde(rename = "uint8")]
    U8,
    /// Whole numbers of 8 bits.
    #[serde(rename = "int8")]
    I8,
    /// Whole numbers of 16 bits.
    #[serde(rename = "int16")]
    I16,
    /// Whole numbers of 32 bits.
    #[serde(rename = "int32")]
    I32,
    /// Whole numbers of 64 bits.
    #[serde(rename = "int64")]
    I64,
    /// Numbers of 16 bits, IEEE 754.
    #[serde(rename = "float16")]
    F16,
    /// The upper 16 bits of `float32`.
    #[serde(rename = "bfloat16")]
    Bf16,
    /// Numbers of 32 bits.
    #[serde(rename = "float32")]
    F32,
    /// Numbers of 64 bits.
    #[serde(rename = "float64")]
    F64,
    /// A byte each, 0 or 1.
    Bool,
}

impl Dtype {
    /// All of them, by their numbers at the boundary: new ones are appended.
    const ALL: [Self; 10] = [
        Self::U8,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::F16,
        Self::Bf16,
        Self::F32,
        Self::F64,
        Self::Bool,
    ];

    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }

    /// PyTorch's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::Bool => "bool",
        }
    }

    pub(crate) fn number(self) -> u32 {
        Self::ALL.iter().zip(0..).find(|(known, _)| **known == self).map_or(u32::MAX, |(_, number)| number)
    }

    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A number that an [`Array`] can hold. For those that Rust does not have (`float16`, `bfloat16`),
/// [`Array::from_bytes`].
pub trait Element: Copy {
    /// Which it is.
    const DTYPE: Dtype;

    /// Appends its bytes in this machine's order.
    fn write(self, bytes: &mut Vec<u8>);

    /// Reads it from as many bytes as it has.
    fn read(bytes: &[u8]) -> Option<Self>;
}

macro_rules! elements {
    ($($type:ty: $dtype:ident),* $(,)?) => {$(
        impl Element for $type {
            const DTYPE: Dtype = Dtype::$dtype;

            fn write(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_ne_bytes());
            }

            fn read(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_ne_bytes(bytes.try_into().ok()?))
            }
        }
    )*};
}

elements!(u8: U8, i8: I8, i16: I16, i32: I32, i64: I64, f32: F32, f64: F64);

impl Element for bool {
    const DTYPE: Dtype = Dtype::Bool;

    fn write(self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(self));
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first().map(|byte| *byte != 0)
    }
}

/// Numbers in a shape, the last dimension the densest.
///
/// ```
/// use thaw_plugin_api::dataset::{Array, Dtype};
///
/// let array = Array::new([2, 3], &[1i64, 2, 3, 4, 5, 6]).unwrap();
/// assert_eq!((array.dtype(), array.shape()), (Dtype::I64, &[2, 3][..]));
/// let error = Array::new([2, 2], &[0.5f32]).unwrap_err();
/// assert!(error.to_string().contains("1 elements, the shape [2, 2] has 4"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Array {
    /// Numbers in a shape; `[]` is that of a single one.
    ///
    /// # Errors
    /// Another number of elements than the shape has.
    pub fn new<T: Element>(shape: impl Into<Vec<usize>>, elements: &[T]) -> Result<Self> {
        let mut bytes = Vec::with_capacity(elements.len() * T::DTYPE.size());
        elements.iter().for_each(|element| element.write(&mut bytes));
        Self::from_bytes(T::DTYPE, shape, bytes)
    }

    /// The same from bytes in this machine's order, which are not copied.
    ///
    /// # Errors
    /// Another number of bytes than the shape has.
    pub fn from_bytes(dtype: Dtype, shape: impl Into<Vec<usize>>, bytes: Vec<u8>) -> Result<Self> {
        let shape = shape.into();
        let elements = shape.iter().try_fold(1_usize, |all, &size| all.checked_mul(size));
        let wanted = elements.and_then(|elements| elements.checked_mul(dtype.size()));
        if wanted != Some(bytes.len()) {
            let found = bytes.len() / dtype.size();
            let of_shape = elements.map_or_else(|| "too many".to_owned(), |elements| elements.to_string());
            return Err(Error::new(format_args!(
                "an array of {} bytes of {dtype}: {found} elements, the shape {shape:?} has {of_shape}",
                bytes.len()
            )));
        }
        Ok(Self { dtype, shape, bytes })
    }

    /// What its elements are.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Sizes of its dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its elements in this machine's order of bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its elements.
    ///
    /// # Errors
    /// They are of another type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        if self.dtype != T::DTYPE {
            return Err(Error::new(format_args!("the array is of {}, not of {}", self.dtype, T::DTYPE)));
        }
        Ok(self.bytes.chunks_exact(self.dtype.size()).filter_map(T::read).collect())
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_has_a_number_that_stands_for_it_alone() {
        for (number, dtype) in Dtype::ALL.into_iter().enumerate() {
            assert_eq!(dtype.number() as usize, number);
            assert_eq!(Dtype::from_number(dtype.number()), Some(dtype));
            assert_eq!(serde_json::to_value(dtype).unwrap(), dtype.name());
        }
        assert_eq!(Dtype::from_number(Dtype::ALL.len() as u32), None);
    }

    #[test]
    fn a_shape_that_overflows_is_refused() {
        let error = Array::from_bytes(Dtype::F32, [usize::MAX, 2], Vec::new()).unwrap_err();
        assert!(error.to_string().contains("too many"), "{error}");
    }
}
