//! From a picture's bytes to the pixels a model gets.

use super::config::{AugmentConfig, ColorJitter, ImageConfig, Interpolation, JpegScale, ResizeMode};
use super::defaults::InputDefaults;
use super::random::CounterRng;
use fast_image_resize as fir;
use std::cell::RefCell;

mod decode;
mod draft;
mod geometry;
mod jitter;
mod jpeg;

#[cfg(test)]
use decode::decode;
pub use decode::picture_size;
pub(crate) use decode::{Picture, Reduction, decode_reduced, has_picture_extension};
pub(crate) use geometry::CropBox;

const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// How pictures that are not augmented become the model's input, nothing left open.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureInput {
    /// Height and width in pixels.
    pub size: usize,
    /// How a picture gets to that size.
    pub resize: ResizeMode,
    /// Share of the resized picture's shorter side that the centre crop keeps.
    pub crop_pct: f64,
    /// Filter of the resizing.
    pub interpolation: Interpolation,
    /// Mean per channel, of pictures in 0..1.
    pub mean: [f32; 3],
    /// Standard deviation per channel.
    pub std: [f32; 3],
}

impl PictureInput {
    /// What `[data]` says, else the model, else the defaults.
    pub fn of(config: &ImageConfig, defaults: &InputDefaults) -> PictureInput {
        PictureInput {
            size: config.image_size.or(defaults.image_size).unwrap_or(224),
            resize: config.resize,
            crop_pct: config.crop_pct.or(defaults.crop_pct).unwrap_or(0.875),
            interpolation: config.interpolation.or(defaults.interpolation).unwrap_or(Interpolation::Bilinear),
            mean: config.mean.or(defaults.mean).unwrap_or(IMAGENET_MEAN),
            std: config.std.or(defaults.std).unwrap_or(IMAGENET_STD),
        }
    }
}

/// Resizes, augments and normalises.
#[derive(Debug, Clone)]
pub(crate) struct Transform {
    size: usize,
    resize: ResizeMode,
    crop_pct: f64,
    options: fir::ResizeOptions,
    jpeg_scale: JpegScale,
    augment: AugmentConfig,
    /// Normalised value of each of the 256 levels, per channel.
    levels: Box<[[f32; 256]; 3]>,
}

thread_local! {
    /// Keeps its buffers between pictures.
    static RESIZER: RefCell<fir::Resizer> = RefCell::new(fir::Resizer::new());
}

impl Transform {
    pub(crate) fn new(config: &ImageConfig, defaults: &InputDefaults) -> Transform {
        let PictureInput { size, resize, crop_pct, interpolation, mean, std } =
            PictureInput::of(config, defaults);
        let mut levels = Box::new([[0.0; 256]; 3]);
        for (channel, levels) in levels.iter_mut().enumerate() {
            for (level, value) in levels.iter_mut().enumerate() {
                *value = (level as f32 / 255.0 - mean[channel]) / std[channel];
            }
        }
        let filter = match interpolation {
            Interpolation::Nearest => None,
            Interpolation::Bilinear => Some(fir::FilterType::Bilinear),
            Interpolation::Bicubic => Some(fir::FilterType::CatmullRom),
            Interpolation::Lanczos => Some(fir::FilterType::Lanczos3),
            Interpolation::Box => Some(fir::FilterType::Box),
            Interpolation::Hamming => Some(fir::FilterType::Hamming),
        };
        let algorithm = filter.map_or(fir::ResizeAlg::Nearest, fir::ResizeAlg::Convolution);
        Transform {
            size,
            resize,
            crop_pct,
            options: fir::ResizeOptions::new().resize_alg(algorithm),
            jpeg_scale: config.jpeg_scale,
            augment: config.augment.clone(),
            levels,
        }
    }

    /// Height and width of the result.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// True if training pictures differ from one epoch to the next.
    pub(crate) fn augments(&self) -> bool {
        !self.augment.is_none()
    }

    /// How many augmented views of a picture there are, where that is a fixed number.
    pub(crate) fn views(&self) -> Option<u64> {
        self.augment.views.filter(|_| self.augments()).map(|views| views as u64)
    }

    /// Whether JPEG files may be decoded at a part of their size.
    pub(crate) fn drafts(&self) -> bool {
        self.jpeg_scale == JpegScale::Draft
    }

    /// By what the sides of a picture may be divided, so that this part of it still has the input's size.
    pub(crate) fn reduction(&self, part: &CropBox) -> u32 {
        let shorter = part.width.min(part.height);
        let fits = |by: &u32| shorter / f64::from(*by) >= self.size as f64;
        // At an eighth the decoder has colours at a sixteenth, where Pillow's has them at an eighth.
        [4, 2].into_iter().find(fits).unwrap_or(1)
    }

    /// The part of a picture of this size that the model gets. With random numbers: augmented.
    pub(crate) fn part(&self, width: u32, height: u32, rng: Option<&mut CounterRng>) -> CropBox {
        match (&self.augment.random_resized_crop, rng, self.resize) {
            (Some(config), Some(rng), _) => CropBox::random(width, height, config, rng),
            (_, _, ResizeMode::Squash) => CropBox::whole(width, height),
            (_, _, ResizeMode::Crop) => CropBox::centre(width, height, self.size, self.crop_pct),
            (_, _, ResizeMode::SquashCrop) => {
                CropBox::centre_of_square(width, height, self.size, self.crop_pct)
            }
        }
    }

    /// The pixels of the model's input, `size * size` times red, green, blue, from this part of a picture.
    /// With the random numbers that the part was drawn with: augmented.
    pub(crate) fn pixels(
        &self,
        picture: &Picture,
        part: CropBox,
        rng: Option<&mut CounterRng>,
    ) -> Result<Vec<u8>, String> {
        let mut pixels = self.cut(picture, part)?;
        let Some(rng) = rng else { return Ok(pixels) };
        // Drawn even if it never flips: the numbers after it then mean the same under any config.
        if rng.unit() < self.augment.horizontal_flip {
            for row in pixels.chunks_exact_mut(self.size * 3) {
                geometry::mirror(row);
            }
        }
        if let Some(config) = &self.augment.color_jitter
            && *config != ColorJitter::default()
        {
            jitter::apply(&mut pixels, config, rng);
        }
        Ok(pixels)
    }

    /// Resizes a part of the picture to the input size.
    fn cut(&self, picture: &Picture, part: CropBox) -> Result<Vec<u8>, String> {
        let size = self.size as u32;
        if part == CropBox::whole(picture.width, picture.height)
            && (picture.width, picture.height) == (size, size)
        {
            return Ok(picture.pixels.clone());
        }
        let source =
            fir::images::ImageRef::new(picture.width, picture.height, &picture.pixels, fir::PixelType::U8x3)
                .map_err(|e| e.to_string())?;
        let mut target = fir::images::Image::new(size, size, fir::PixelType::U8x3);
        let options = self.options.crop(part.left, part.top, part.width, part.height);
        RESIZER
            .with_borrow_mut(|resizer| resizer.resize(&source, &mut target, &options))
            .map_err(|e| e.to_string())?;
        Ok(target.into_vec())
    }

    /// Normalises interleaved pixels into one plane per channel.
    pub(crate) fn normalise(&self, pixels: &[u8], planes: &mut [u8]) {
        let area = self.size * self.size * size_of::<f32>();
        let (red, rest) = planes.split_at_mut(area);
        let (green, blue) = rest.split_at_mut(area);
        let [r, g, b] = &*self.levels;
        let values = [red, green, blue].map(|plane| plane.as_chunks_mut::<4>().0);
        let [red, green, blue] = values;
        for (((pixel, red), green), blue) in pixels.as_chunks::<3>().0.iter().zip(red).zip(green).zip(blue) {
            *red = r[pixel[0] as usize].to_ne_bytes();
            *green = g[pixel[1] as usize].to_ne_bytes();
            *blue = b[pixel[2] as usize].to_ne_bytes();
        }
    }

    /// Normalised value of each level, per channel.
    pub(crate) fn levels(&self) -> &[[f32; 256]; 3] {
        &self.levels
    }
}

#[cfg(test)]
mod tests;
