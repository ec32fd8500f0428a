//! Data sets behind the boundary. Samples are owned by whoever receives them.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{ROption, RStr, RString, RVec};

use super::RawResult;
use crate::dataset::{Array, Dtype, Input, Picture, Sample, Split, Target};
use crate::error::{Error, ErrorKind, Result};

/// A data set, as the host holds it. Splits are numbered as in [`Split::ALL`].
#[sabi_trait]
pub trait RawDataset: Send + Sync {
    /// Form, classes, splits and configuration as JSON.
    fn describe(&self) -> RawResult<RString>;
    /// A sample.
    fn get(&self, split: u32, index: u64) -> RawResult<RawSample>;
    /// A target without its sample, where it is known so.
    fn target(&self, split: u32, index: u64) -> RawResult<ROption<RawTarget>>;
    /// About how long a text is, where that is known.
    fn length(&self, split: u32, index: u64) -> RawResult<ROption<u64>>;
    /// What tells a sample from all others.
    fn identity(&self, split: u32, index: u64) -> RawResult<RString>;
    /// What goes into a checkpoint, JSON with `version` and `state`.
    fn state(&self) -> RawResult<RString>;
    /// Restores it.
    #[sabi(last_prefix_field)]
    fn load_state(&mut self, state: RStr<'_>) -> RawResult<()>;
}

/// An array with its name.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawArray {
    pub name: RString,
    /// As numbered by [`Dtype`].
    pub dtype: u32,
    pub shape: RVec<u64>,
    pub bytes: RVec<u8>,
}

/// A target: which field counts, `kind` says.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawTarget {
    /// 0 `class`, 1 `text` as a label, 2 `value`, 3 `array`.
    pub kind: u32,
    pub class: u64,
    pub value: f64,
    pub text: RString,
    pub array: ROption<RawArray>,
}

/// A sample: which fields count, `form` says.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawSample {
    /// 0 `arrays`; 1 a picture file, the bytes of the first array; 2 pixels, the first array of shape
    /// `[height, width, channels]`; 3 `texts`, one or two.
    pub form: u32,
    pub arrays: RVec<RawArray>,
    pub texts: RVec<RString>,
    pub target: ROption<RawTarget>,
    /// For what later versions add, JSON; empty so far.
    pub more: RString,
}

const ARRAYS: u32 = 0;
const ENCODED: u32 = 1;
const PIXELS: u32 = 2;
const TEXTS: u32 = 3;

const CLASS: u32 = 0;
const LABEL: u32 = 1;
const VALUE: u32 = 2;
const ARRAY: u32 = 3;

/// The number of a split.
pub fn split_number(split: Split) -> u32 {
    match split {
        Split::Train => 0,
        Split::Val => 1,
        Split::Test => 2,
    }
}

/// The split of a number.
pub fn split_of(number: u32) -> Result<Split> {
    let split = Split::ALL.into_iter().find(|split| split_number(*split) == number);
    split.ok_or_else(|| Error::of(ErrorKind::NotImplemented, "this plugin does not know the split"))
}

fn raw_array(name: String, array: Array) -> RawArray {
    RawArray {
        name: name.into(),
        dtype: array.dtype().number(),
        shape: array.shape().iter().map(|&size| size as u64).collect(),
        bytes: array.into_bytes().into(),
    }
}

fn bytes_as_array(bytes: Vec<u8>, shape: &[u64]) -> RawArray {
    let shape = shape.iter().copied().collect();
    RawArray { name: RString::new(), dtype: Dtype::U8.number(), shape, bytes: bytes.into() }
}

impl RawArray {
    fn into_array(self) -> Result<(String, Array)> {
        let name = self.name.into_string();
        let dtype = Dtype::from_number(self.dtype);
        let dtype = dtype.ok_or_else(|| {
            Error::new(format_args!("array `{name}` has a type that this host does not know"))
        })?;
        let shape: Vec<usize> = self.shape.iter().map(|&size| size as usize).collect();
        Ok((name, Array::from_bytes(dtype, shape, self.bytes.into_vec())?))
    }
}

impl From<Target> for RawTarget {
    fn from(target: Target) -> Self {
        let empty = Self { kind: CLASS, class: 0, value: 0.0, text: RString::new(), array: ROption::RNone };
        match target {
            Target::Class(class) => Self { class: class as u64, ..empty },
            Target::Label(name) => Self { kind: LABEL, text: name.into(), ..empty },
            Target::Value(value) => Self { kind: VALUE, value, ..empty },
            Target::Array(array) => {
                Self { kind: ARRAY, array: ROption::RSome(raw_array(String::new(), array)), ..empty }
            }
        }
    }
}

impl TryFrom<RawTarget> for Target {
    type Error = Error;

    fn try_from(raw: RawTarget) -> Result<Self> {
        match (raw.kind, raw.array) {
            (CLASS, _) => Ok(Self::Class(usize::try_from(raw.class)?)),
            (LABEL, _) => Ok(Self::Label(raw.text.into_string())),
            (VALUE, _) => Ok(Self::Value(raw.value)),
            (ARRAY, ROption::RSome(array)) => Ok(Self::Array(array.into_array()?.1)),
            _ => Err(Error::new("the target is of a kind that this host does not know")),
        }
    }
}

impl From<Sample> for RawSample {
    fn from(sample: Sample) -> Self {
        let (form, arrays, texts) = match sample.input {
            Input::Arrays(arrays) => {
                let arrays = arrays.into_iter().map(|(name, array)| raw_array(name, array)).collect();
                (ARRAYS, arrays, Vec::new())
            }
            Input::Picture(Picture::Encoded(file)) => {
                let length = file.len() as u64;
                (ENCODED, vec![bytes_as_array(file, &[length])], Vec::new())
            }
            Input::Picture(Picture::Pixels { width, height, channels, levels }) => {
                let shape = [u64::from(height), u64::from(width), u64::from(channels)];
                (PIXELS, vec![bytes_as_array(levels, &shape)], Vec::new())
            }
            Input::Text(text) => (TEXTS, Vec::new(), vec![text]),
            Input::TextPair(first, second) => (TEXTS, Vec::new(), vec![first, second]),
        };
        Self {
            form,
            arrays: arrays.into(),
            texts: texts.into_iter().map(RString::from).collect(),
            target: sample.target.map(RawTarget::from).into(),
            more: RString::new(),
        }
    }
}

impl TryFrom<RawSample> for Sample {
    type Error = Error;

    fn try_from(raw: RawSample) -> Result<Self> {
        let counts = (raw.arrays.len(), raw.texts.len());
        let mut texts = raw.texts.into_iter().map(RString::into_string);
        let mut arrays = raw.arrays.into_iter();
        let unknown = || Error::new("the sample is of a form that this host does not know");
        let input = match (raw.form, counts.0, counts.1) {
            (ARRAYS, _, _) => Input::Arrays(arrays.map(RawArray::into_array).collect::<Result<_>>()?),
            (ENCODED | PIXELS, 1, _) => {
                let array = arrays.next().ok_or_else(unknown)?;
                let (shape, bytes) = (array.shape.into_vec(), array.bytes.into_vec());
                Input::Picture(picture(raw.form, &shape, bytes)?)
            }
            (TEXTS, _, 1) => Input::Text(texts.next().ok_or_else(unknown)?),
            (TEXTS, _, 2) => match (texts.next(), texts.next()) {
                (Some(first), Some(second)) => Input::TextPair(first, second),
                _ => return Err(unknown()),
            },
            _ => return Err(unknown()),
        };
        let target = raw.target.into_option().map(Target::try_from).transpose()?;
        Ok(Self { input, target })
    }
}

fn picture(form: u32, shape: &[u64], bytes: Vec<u8>) -> Result<Picture> {
    match (form, shape) {
        (ENCODED, _) => Ok(Picture::Encoded(bytes)),
        (_, &[height, width, channels]) => Ok(Picture::Pixels {
            width: u32::try_from(width)?,
            height: u32::try_from(height)?,
            channels: u8::try_from(channels)?,
            levels: bytes,
        }),
        _ => Err(Error::new("pixels without a height, a width and channels")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(sample: &Sample) -> Sample {
        Sample::try_from(RawSample::from(sample.clone())).unwrap()
    }

    #[test]
    fn every_form_of_sample_and_target_crosses_as_it_is() {
        let array = Array::new([2, 1], &[0.5f32, -1.0]).unwrap();
        for sample in [
            Sample::arrays([("x", array.clone()), ("y", Array::new([], &[7i64]).unwrap())]).class(3),
            Sample::picture([1, 2, 3]).label("cat"),
            Sample::grey_pixels(2, 1, [0, 255]).value(-0.25),
            Sample::rgb_pixels(1, 2, [1, 2, 3, 4, 5, 6]).target(Target::Array(array)),
            Sample::text("one"),
            Sample::text_pair("one", ""),
        ] {
            assert_eq!(there_and_back(&sample), sample);
        }
    }

    #[test]
    fn forms_of_a_later_version_are_refused() {
        let mut raw = RawSample::from(Sample::text("one"));
        raw.form = 9;
        assert!(Sample::try_from(raw).unwrap_err().to_string().contains("does not know"));
        let mut raw = RawTarget::from(Target::Class(1));
        raw.kind = 9;
        assert!(Target::try_from(raw).is_err());
    }
}
