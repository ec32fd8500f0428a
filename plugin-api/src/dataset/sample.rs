//! One sample, as an author gives it.

use super::Array;

/// A sample: what the model sees, and what it is to answer.
///
/// ```
/// use thaw_plugin_api::dataset::{Array, Sample};
///
/// let jpeg = vec![0xff, 0xd8];
/// let picture = Sample::picture(jpeg).label("cat");
/// let pair = Sample::text_pair("a premise", "a hypothesis").class(2);
/// let numbers = Sample::array("x", Array::new([3], &[0.5f32, 1.0, 2.0]).unwrap()).value(0.25);
/// # let _ = (picture, pair, numbers);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What the model sees.
    pub input: Input,
    /// What it is to answer; none where nobody knows.
    pub target: Option<Target>,
}

/// What the model sees of a sample; of all samples alike.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Arrays by the names under which the model gets them. They reach it as tensors of a file do: floats as
    /// `float32`, whole numbers and bools as `int64`, and bytes of two or more dimensions (pictures) as
    /// `float32` from 0 to 1.
    Arrays(Vec<(String, Array)>),
    /// A picture, which the host resizes, augments and normalises.
    Picture(Picture),
    /// A text, which the host tokenizes.
    Text(String),
    /// Two texts, which the host tokenizes together.
    TextPair(String, String),
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picture {
    /// The bytes of a picture file: PNG, JPEG, GIF, BMP, WebP, TIFF, PNM.
    Encoded(Vec<u8>),
    /// Pixels, rows from the top, the channels of a pixel side by side.
    Pixels {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// 1 for grey, 3 for red, green and blue.
        channels: u8,
        /// `width × height × channels` levels from 0 to 255.
        levels: Vec<u8>,
    },
}

/// What a model is to answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A class by its index into the names of the classes.
    Class(usize),
    /// A class by its name.
    Label(String),
    /// A number: regression.
    Value(f64),
    /// Whatever the model's own step takes: floats reach it as `float32`, all else as `int64`.
    Array(Array),
}

impl Sample {
    fn of(input: Input) -> Self {
        Self { input, target: None }
    }

    /// One array by its name.
    pub fn array(name: impl Into<String>, array: Array) -> Self {
        Self::arrays([(name.into(), array)])
    }

    /// Arrays by their names, in the order of [`Form::Arrays`](super::Form::Arrays).
    pub fn arrays<N: Into<String>>(arrays: impl IntoIterator<Item = (N, Array)>) -> Self {
        Self::of(Input::Arrays(arrays.into_iter().map(|(name, array)| (name.into(), array)).collect()))
    }

    /// The bytes of a picture file.
    pub fn picture(file: impl Into<Vec<u8>>) -> Self {
        Self::of(Input::Picture(Picture::Encoded(file.into())))
    }

    /// Grey pixels, rows from the top, from 0 (black) to 255.
    pub fn grey_pixels(width: u32, height: u32, levels: impl Into<Vec<u8>>) -> Self {
        Self::of(Input::Picture(Picture::Pixels { width, height, channels: 1, levels: levels.into() }))
    }

    /// Coloured pixels, rows from the top, each red, green, blue from 0 to 255.
    pub fn rgb_pixels(width: u32, height: u32, levels: impl Into<Vec<u8>>) -> Self {
        Self::of(Input::Picture(Picture::Pixels { width, height, channels: 3, levels: levels.into() }))
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(Input::Text(text.into()))
    }

    /// Two texts that belong together.
    pub fn text_pair(first: impl Into<String>, second: impl Into<String>) -> Self {
        Self::of(Input::TextPair(first.into(), second.into()))
    }

    /// With a target.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// With a class, by its index.
    #[must_use]
    pub fn class(self, index: usize) -> Self {
        self.target(Target::Class(index))
    }

    /// With a class, by its name.
    #[must_use]
    pub fn label(self, name: impl Into<String>) -> Self {
        self.target(Target::Label(name.into()))
    }

    /// With a number.
    #[must_use]
    pub fn value(self, value: f64) -> Self {
        self.target(Target::Value(value))
    }
}

impl Input {
    /// What it is, for messages: `arrays`, `a picture`, `a text`, `a pair of texts`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Arrays(_) => "arrays",
            Self::Picture(_) => "a picture",
            Self::Text(_) => "a text",
            Self::TextPair(..) => "a pair of texts",
        }
    }
}
