//! Any picture file as plain RGB.

use super::{draft, jpeg};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// 8-bit RGB, rows from the top.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

/// Of a file that ends before its picture does.
pub(super) const CUT_OFF: &str = "it is cut off: the file ends before its picture does";

const EXTENSIONS: [&str; 14] =
    ["png", "jpg", "jpeg", "jpe", "jfif", "gif", "bmp", "webp", "tif", "tiff", "ppm", "pgm", "pbm", "pnm"];

/// True if the file's name ends like a picture's.
pub(crate) fn has_picture_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Decodes a picture of any supported format (recognised by its contents), turned upright by its EXIF
/// orientation, transparency laid over white, first frame of an animation.
///
/// A picture of more than `max_pixels` is refused by what its head says, before anything is unpacked: a small
/// file can claim to be huge. One that is cut off is refused in every format.
pub(crate) fn decode(bytes: &[u8], max_pixels: u64) -> Result<Picture, String> {
    decode_reduced(bytes, max_pixels, &mut |_, _| 1)
}

/// By what a JPEG file's sides may be divided, by its width and height as it stands upright: 1, 2 or 4. It
/// is asked once at most, and not for other formats.
pub(crate) type Reduction<'r> = dyn FnMut(u32, u32) -> u32 + 'r;

/// The same, JPEG files with their sides divided where that can be.
pub(crate) fn decode_reduced(
    bytes: &[u8],
    max_pixels: u64,
    by: &mut Reduction<'_>,
) -> Result<Picture, String> {
    if bytes.is_empty() {
        return Err("the file is empty (0 bytes)".to_string());
    }
    // A decoder that panics at a damaged file must cost one picture, not the run.
    catch_unwind(AssertUnwindSafe(|| decode_upright(bytes, max_pixels, by)))
        .unwrap_or_else(|_| Err("the decoder broke down".to_string()))
        .map(over_white)
}

/// Width and height of a picture that can be decoded.
pub fn picture_size(bytes: &[u8]) -> Result<(u32, u32), String> {
    decode(bytes, u64::from(u32::MAX)).map(|picture| (picture.width, picture.height))
}

/// Most bytes of a pixel in any format, while it is decoded: 16-bit RGBA, twice.
const BYTES_PER_PIXEL: u64 = 16;

fn decode_upright(bytes: &[u8], max_pixels: u64, by: &mut Reduction<'_>) -> Result<DynamicImage, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    let Some(format) = reader.format() else {
        return Err(format!("{} bytes in none of the formats {}", bytes.len(), EXTENSIONS.join(", ")));
    };
    if format == ImageFormat::Jpeg {
        // The decoder makes up what is missing of a sequential one.
        jpeg::ends(bytes)?;
    }
    let mut limits = Limits::no_limits();
    // What is beside the pixels (palettes, profiles, texts) has room for as much as any camera writes.
    limits.max_alloc = Some(max_pixels.saturating_mul(BYTES_PER_PIXEL).saturating_add(64 << 20));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| reason(&error, bytes))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > max_pixels {
        return Err(format!(
            "{width} x {height} are {pixels} pixels, expected at most {max_pixels}: raise `max_pixels` in \
             [data] if it is meant to be so large"
        ));
    }
    let orientation = decoder.orientation().map_err(|error| reason(&error, bytes))?;
    let smaller = match (format, is_on_its_side(orientation)) {
        (ImageFormat::Jpeg, false) => reduced((width, height), bytes, by(width, height)),
        (ImageFormat::Jpeg, true) => reduced((width, height), bytes, by(height, width)),
        _ => None,
    };
    let whole = || DynamicImage::from_decoder(decoder).map_err(|error| reason(&error, bytes));
    let mut picture = smaller.map_or_else(whole, Ok)?;
    picture.apply_orientation(orientation);
    if picture.width() == 0 || picture.height() == 0 {
        return Err("it has no pixels".to_string());
    }
    Ok(picture)
}

fn reduced(size: (u32, u32), bytes: &[u8], by: u32) -> Option<DynamicImage> {
    if by > 1 { draft::decode(size, bytes, by) } else { None }
}

/// Whether width and height change places when the picture is turned upright.
fn is_on_its_side(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// What the decoder says, in one way for all formats where the file ends too early.
fn reason(error: &ImageError, bytes: &[u8]) -> String {
    let is_end = matches!(error, ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof);
    let text = error.to_string();
    // The decoder of PPM has errors of its own for it, which only their words tell.
    let is_short = ["not enough data", "unexpected end", "unexpected eof"];
    let says_so = is_short.iter().any(|words| text.to_lowercase().contains(words));
    if is_end || says_so || is_short_riff(bytes) { CUT_OFF.to_owned() } else { text }
}

/// Whether a WebP file is shorter than its head says: its decoder calls that a corrupt bitstream.
fn is_short_riff(bytes: &[u8]) -> bool {
    match bytes {
        [b'R', b'I', b'F', b'F', a, b, c, d, ..] => {
            bytes.len() as u64 - 8 < u64::from(u32::from_le_bytes([*a, *b, *c, *d]))
        }
        _ => false,
    }
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
