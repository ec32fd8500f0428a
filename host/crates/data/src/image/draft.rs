//! JPEG files at a part of their size: of each block of 8 x 8 pixels only as many are computed as are needed.

use image::{DynamicImage, GrayImage, RgbImage};
use jpeg_decoder::{Decoder, PixelFormat};
use std::io::Cursor;

/// A JPEG file with each side divided by 2 or 4, rounded up. None where it cannot be had so, for whatever
/// reason: then it is decoded whole, and that says what is wrong.
pub(super) fn decode((width, height): (u32, u32), bytes: &[u8], by: u32) -> Option<DynamicImage> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    let side = |full: u32| u16::try_from(full.div_ceil(by)).ok();
    let wanted = (side(width)?, side(height)?);
    decoder.read_info().ok()?;
    if decoder.scale(wanted.0, wanted.1).ok()? != wanted {
        return None;
    }
    let pixels = decoder.decode().ok()?;
    let (width, height) = (u32::from(wanted.0), u32::from(wanted.1));
    match decoder.info()?.pixel_format {
        PixelFormat::RGB24 => RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
        PixelFormat::L8 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
        PixelFormat::L16 | PixelFormat::CMYK32 => None,
    }
}
