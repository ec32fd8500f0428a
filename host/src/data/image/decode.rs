//! Any picture file as plain RGB.

use image::{DynamicImage, ImageDecoder, ImageReader};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// 8-bit RGB, rows from the top.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

/// Largest decoded picture that is accepted: a small file can claim to be huge.
const MAX_DECODED_BYTES: u64 = 1 << 30;

const EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff"];

/// True if the file's name ends like a picture's.
pub(crate) fn has_picture_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Decodes a picture of any supported format (recognised by its contents), turned upright by its EXIF
/// orientation, transparency laid over white, first frame of an animation.
pub(crate) fn decode(bytes: &[u8]) -> Result<Picture, String> {
    if bytes.is_empty() {
        return Err("the file is empty (0 bytes)".to_string());
    }
    // A decoder that panics at a damaged file must cost one picture, not the run.
    catch_unwind(AssertUnwindSafe(|| decode_upright(bytes)))
        .unwrap_or_else(|_| Err("the decoder broke down".to_string()))
        .map(over_white)
}

fn decode_upright(bytes: &[u8]) -> Result<DynamicImage, String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    if reader.format().is_none() {
        return Err(format!("{} bytes in none of the formats {}", bytes.len(), EXTENSIONS.join(", ")));
    }
    let mut decoder = reader.into_decoder().map_err(|e| e.to_string())?;
    if decoder.total_bytes() > MAX_DECODED_BYTES {
        let (width, height) = decoder.dimensions();
        return Err(format!("{width} x {height} pixels are too many"));
    }
    let orientation = decoder.orientation().map_err(|e| e.to_string())?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?;
    picture.apply_orientation(orientation);
    if picture.width() == 0 || picture.height() == 0 {
        return Err("it has no pixels".to_string());
    }
    Ok(picture)
}

fn over_white(picture: DynamicImage) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    if !picture.color().has_alpha() {
        return Picture { width, height, pixels: picture.into_rgb8().into_raw() };
    }
    let rgba = picture.into_rgba8().into_raw();
    let mut pixels = Vec::with_capacity(rgba.len() / 4 * 3);
    for pixel in rgba.chunks_exact(4) {
        let alpha = u32::from(pixel[3]);
        for &level in &pixel[..3] {
            let sum = u32::from(level) * alpha + 255 * (255 - alpha);
            pixels.push(((sum + 127) / 255) as u8);
        }
    }
    Picture { width, height, pixels }
}
