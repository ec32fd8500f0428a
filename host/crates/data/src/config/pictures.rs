//! How pictures become tensors.

use thaw_plugin_api::config::{Config, ConfigError, above, above_to};

/// Keys of every kind that reads pictures. What is not set here comes from the model, then from the defaults
/// named.
#[derive(Debug, Clone, PartialEq, Config)]
#[config(default)]
pub struct ImageConfig {
    /// Height and width of the model's input in pixels. Default: the model's, else 224.
    #[config(range = 1..=16_384)]
    pub image_size: Option<usize>,
    /// How a picture gets to that size.
    #[config(default = ResizeMode::Crop)]
    pub resize: ResizeMode,
    /// Share of the resized picture's shorter side that the centre crop keeps. Default: the model's, else
    /// 0.875.
    #[config(range = above_to(0.0, 1.0))]
    pub crop_pct: Option<f64>,
    /// Filter of the resizing, antialiased. Default: the model's, else `bilinear`.
    pub interpolation: Option<Interpolation>,
    /// Mean per channel (red, green, blue; pictures are 0 to 1). Default: the model's, else ImageNet's.
    pub mean: Option<[f32; 3]>,
    /// Standard deviation per channel. Default: the model's, else ImageNet's.
    #[config(range = above(0.0))]
    pub std: Option<[f32; 3]>,
    /// How JPEG files are decoded.
    #[config(default = JpegScale::Full)]
    pub jpeg_scale: JpegScale,
    /// Random changes of training pictures.
    pub augment: AugmentConfig,
    /// What happens at a picture that cannot be read.
    #[config(default = OnError::Fail)]
    pub on_error: OnError,
    /// Most pixels of a picture file, width times height, looked at before it is decoded. The default is
    /// Pillow's.
    #[config(default = MAX_PIXELS, range = 1..)]
    pub max_pixels: u64,
    /// Keeps small decoded pictures in memory; changes no result.
    #[config(default = true)]
    pub cache: bool,
    /// Most memory of that cache in MiB.
    #[config(default = 512)]
    pub cache_mib: usize,
}

/// A picture of this size takes half a gigabyte, decoded.
const MAX_PIXELS: u64 = 178_956_970;

/// How a picture that is not augmented gets to the input size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Config)]
pub enum ResizeMode {
    /// Resizes the shorter side to `image_size / crop_pct` and cuts the centre out, as torchvision does.
    Crop,
    /// Resizes both sides to `image_size`, whatever the picture's proportions.
    Squash,
    /// Resizes both sides to `image_size / crop_pct` and cuts the centre out, as DeiT's processor in
    /// transformers.
    SquashCrop,
}

/// Filter of the resizing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Config)]
pub enum Interpolation {
    /// Triangle filter.
    Bilinear,
    /// Cubic filter (a = -0.5).
    Bicubic,
    /// The nearest pixel, not antialiased.
    Nearest,
    /// Sinc over three pixels.
    Lanczos,
    /// Mean of the pixels below.
    Box,
    /// Hamming window.
    Hamming,
}

/// How JPEG files are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Config)]
pub enum JpegScale {
    /// All of their pixels.
    Full,
    /// At a half or a quarter of both sides, where the part that is cut out still has the input's size: the
    /// picture then is averaged over 2 or 4 pixels before it is resized. Pillow calls it `draft`.
    Draft,
}

/// What happens at a picture that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Config)]
pub enum OnError {
    /// The run ends with an error that names it.
    Fail,
    /// It is named in a warning once, and its batch is smaller by one. The other batches stay as they are.
    Skip,
}

/// Random changes of training pictures, each drawn from (seed, epoch, sample).
#[derive(Debug, Clone, PartialEq, Config)]
#[config(default, check = AugmentConfig::check)]
pub struct AugmentConfig {
    /// A random part of the picture instead of its centre.
    pub random_resized_crop: Option<RandomResizedCrop>,
    /// Probability of a mirrored picture.
    #[config(default = 0.0, range = 0.0..=1.0)]
    pub horizontal_flip: f64,
    /// Random brightness, contrast and saturation, in random order.
    pub color_jitter: Option<ColorJitter>,
    /// How many augmented views of a picture there are: an epoch sees the one of its number modulo this, so
    /// that what frozen stages give for each can be computed once. Default: another one in every epoch.
    #[config(range = 1..=1000)]
    pub views: Option<usize>,
}

impl AugmentConfig {
    /// Views of pictures that are not changed.
    fn check(&mut self) -> Result<(), ConfigError> {
        match self.views {
            Some(views) if self.is_none() => {
                Err(ConfigError::value("views", views, "something beside it that changes pictures"))
            }
            _ => Ok(()),
        }
    }

    /// True if training pictures are not changed at all.
    pub fn is_none(&self) -> bool {
        AugmentConfig { views: None, ..self.clone() } == AugmentConfig::default()
    }
}

/// A random part of the picture, resized to the input size.
#[derive(Debug, Clone, PartialEq, Config)]
#[config(default, check = RandomResizedCrop::check)]
pub struct RandomResizedCrop {
    /// Least and largest share of the picture's area.
    #[config(default = [0.08, 1.0], range = above_to(0.0, 1.0))]
    pub scale: [f64; 2],
    /// Least and largest width : height.
    #[config(default = [3.0 / 4.0, 4.0 / 3.0], range = above(0.0))]
    pub ratio: [f64; 2],
}

/// Each factor is drawn between `1 - value` (at least 0) and `1 + value`; 0 turns it off.
#[derive(Debug, Clone, PartialEq, Config)]
#[config(default)]
pub struct ColorJitter {
    /// Brightness.
    #[config(default = 0.0, range = 0.0..)]
    pub brightness: f64,
    /// Contrast.
    #[config(default = 0.0, range = 0.0..)]
    pub contrast: f64,
    /// Saturation.
    #[config(default = 0.0, range = 0.0..)]
    pub saturation: f64,
}

impl RandomResizedCrop {
    fn check(&mut self) -> Result<(), ConfigError> {
        for (key, [least, largest]) in [("scale", self.scale), ("ratio", self.ratio)] {
            if least > largest {
                let found = format!("[{least}, {largest}]");
                return Err(ConfigError::value(key, found, "[least, largest]"));
            }
        }
        Ok(())
    }
}
