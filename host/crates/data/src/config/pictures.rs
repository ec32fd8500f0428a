//! How pictures become tensors.

use super::*;

/// Keys of every kind that reads pictures. What is not set here comes from the model, then from the defaults
/// named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// Height and width of the model's input in pixels. At least 1. Default: the model's, else 224.
    pub image_size: Option<usize>,
    /// How a picture gets to that size. Default `crop`.
    pub resize: ResizeMode,
    /// Share of the resized picture's shorter side that the centre crop keeps, above 0 and at most 1.
    /// Default: the model's, else 0.875.
    pub crop_pct: Option<f64>,
    /// Filter of the resizing, antialiased. Default: the model's, else `bilinear`.
    pub interpolation: Option<Interpolation>,
    /// Mean per channel (red, green, blue; pictures are 0 to 1). Default: the model's, else ImageNet's.
    pub mean: Option<[f32; 3]>,
    /// Standard deviation per channel, above 0. Default: the model's, else ImageNet's.
    pub std: Option<[f32; 3]>,
    /// Random changes of training pictures. Default: none.
    pub augment: AugmentConfig,
    /// What happens at a picture that cannot be read. Default `fail`.
    pub on_error: OnError,
    /// Most pixels of a picture file, width times height, looked at before it is decoded. At least 1. Default
    /// 178956970, Pillow's.
    pub max_pixels: u64,
    /// Keeps small decoded pictures in memory. Default true; changes no result.
    pub cache: bool,
    /// Most memory of that cache in MiB. Default 512.
    pub cache_mib: usize,
}

/// A picture of this size takes half a gigabyte, decoded.
const MAX_PIXELS: u64 = 178_956_970;

impl Default for ImageConfig {
    fn default() -> Self {
        ImageConfig {
            image_size: None,
            resize: ResizeMode::Crop,
            crop_pct: None,
            interpolation: None,
            mean: None,
            std: None,
            augment: AugmentConfig::default(),
            on_error: OnError::Fail,
            max_pixels: MAX_PIXELS,
            cache: true,
            cache_mib: 512,
        }
    }
}

/// How a picture that is not augmented gets to the input size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeMode {
    /// Resizes the shorter side to `image_size / crop_pct` and cuts the centre out, as torchvision does.
    #[default]
    Crop,
    /// Resizes both sides to `image_size`, whatever the picture's proportions.
    Squash,
}

/// Filter of the resizing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Triangle filter.
    #[default]
    Bilinear,
    /// Cubic filter (a = -0.5).
    Bicubic,
}

/// What happens at a picture that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The run ends with an error that names it.
    #[default]
    Fail,
    /// It is named in a warning once, and its batch is smaller by one. The other batches stay as they are.
    Skip,
}

/// Random changes of training pictures, each drawn from (seed, epoch, sample).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// A random part of the picture instead of its centre.
    pub random_resized_crop: Option<RandomResizedCrop>,
    /// Probability of a mirrored picture, 0 to 1. Default 0.
    pub horizontal_flip: f64,
    /// Random brightness, contrast and saturation, in random order.
    pub color_jitter: Option<ColorJitter>,
}

impl AugmentConfig {
    /// True if training pictures are not changed at all.
    pub fn is_none(&self) -> bool {
        *self == AugmentConfig::default()
    }
}

/// A random part of the picture, resized to the input size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomResizedCrop {
    /// Least and largest share of the picture's area, above 0 and at most 1. Default `[0.08, 1.0]`.
    pub scale: [f64; 2],
    /// Least and largest width : height, above 0. Default `[0.75, 1.3333333333333333]`.
    pub ratio: [f64; 2],
}

impl Default for RandomResizedCrop {
    fn default() -> Self {
        RandomResizedCrop { scale: [0.08, 1.0], ratio: [3.0 / 4.0, 4.0 / 3.0] }
    }
}

/// Each factor is drawn between `1 - value` (at least 0) and `1 + value`; 0 turns it off.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColorJitter {
    /// Brightness, at least 0. Default 0.
    pub brightness: f64,
    /// Contrast, at least 0. Default 0.
    pub contrast: f64,
    /// Saturation, at least 0. Default 0.
    pub saturation: f64,
}

impl ImageConfig {
    pub(super) fn check(&self) -> Result<(), DataError> {
        let fail = |key: &str, found: String, expected: &str| Err(DataError::value(key, found, expected));
        match self.image_size {
            Some(size) if size == 0 || size > 16_384 => {
                return fail("image_size", size.to_string(), "1 to 16384");
            }
            _ => {}
        }
        if self.max_pixels == 0 {
            return fail("max_pixels", "0".to_string(), "at least 1");
        }
        match self.crop_pct {
            Some(share) if !(share > 0.0 && share <= 1.0) => {
                return fail("crop_pct", share.to_string(), "above 0 and at most 1");
            }
            _ => {}
        }
        match self.std {
            Some(std) if !std.iter().all(|s| s.is_finite() && *s > 0.0) => {
                return fail("std", format!("{std:?}"), "three numbers above 0");
            }
            _ => {}
        }
        match self.mean {
            Some(mean) if !mean.iter().all(|m| m.is_finite()) => {
                return fail("mean", format!("{mean:?}"), "three numbers");
            }
            _ => {}
        }
        let augment = &self.augment;
        if !(0.0..=1.0).contains(&augment.horizontal_flip) {
            let found = augment.horizontal_flip.to_string();
            return fail("augment.horizontal_flip", found, "a probability, 0 to 1");
        }
        if let Some(crop) = &augment.random_resized_crop {
            let [low, high] = crop.scale;
            if !(low > 0.0 && low <= high && high <= 1.0) {
                let found = format!("{:?}", crop.scale);
                return fail(
                    "augment.random_resized_crop.scale",
                    found,
                    "[least, largest], above 0 and at most 1",
                );
            }
            let [low, high] = crop.ratio;
            if !(low > 0.0 && low <= high && high.is_finite()) {
                let found = format!("{:?}", crop.ratio);
                return fail("augment.random_resized_crop.ratio", found, "[least, largest], above 0");
            }
        }
        if let Some(jitter) = &augment.color_jitter {
            for (key, value) in [
                ("brightness", jitter.brightness),
                ("contrast", jitter.contrast),
                ("saturation", jitter.saturation),
            ] {
                if !(value >= 0.0 && value.is_finite()) {
                    let key = format!("augment.color_jitter.{key}");
                    return fail(&key, value.to_string(), "at least 0");
                }
            }
        }
        Ok(())
    }
}
