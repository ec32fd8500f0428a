//! What a model says of its inputs.

use super::config::Interpolation;

/// What a model wants its inputs to be where the config does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InputDefaults {
    /// Height and width of pictures in pixels. Default 224.
    pub image_size: Option<usize>,
    /// Share of the shorter side that the centre crop keeps. Default 0.875.
    pub crop_pct: Option<f64>,
    /// Filter of the resizing. Default bilinear.
    pub interpolation: Option<Interpolation>,
    /// Mean per channel. Default ImageNet's.
    pub mean: Option<[f32; 3]>,
    /// Standard deviation per channel. Default ImageNet's.
    pub std: Option<[f32; 3]>,
    /// Most tokens that a text may have. Default: any number.
    pub max_length: Option<usize>,
}

impl InputDefaults {
    /// Whether the model takes pictures: it says of which size.
    pub(crate) fn are_of_pictures(&self) -> bool {
        self.image_size.is_some()
    }
}
