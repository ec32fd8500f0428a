//! A sample for people to look at.

use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};

/// Longest side of a thumbnail, in pixels.
const SIDE: u32 = 96;
/// Quality of its JPEG, from 1 to 100.
const QUALITY: u8 = 80;
/// Most letters of a text.
const LETTERS: usize = 300;

/// A sample for people to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// A thumbnail as JPEG, 96 pixels at most.
    Picture {
        /// The file.
        jpeg: Vec<u8>,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
    /// A text, cut where it is long; the second one of a pair.
    Text(String, Option<String>),
}

impl Look {
    /// A thumbnail of rows of RGB pixels; none where there are none.
    pub(crate) fn of_pixels(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let picture = RgbImage::from_raw(width, height, pixels)?;
        let longest = width.max(height);
        let small = match longest {
            0 => return None,
            longest if longest <= SIDE => picture,
            longest => {
                let scaled =
                    |side: u32| (u64::from(side) * u64::from(SIDE) / u64::from(longest)).max(1) as u32;
                imageops::thumbnail(&picture, scaled(width), scaled(height))
            }
        };
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&small).ok()?;
        let (width, height) = small.dimensions();
        Some(Self::Picture { jpeg, width, height })
    }

    /// A text, and the second one of a pair.
    pub(crate) fn of_text(text: &str, pair: Option<&str>) -> Self {
        Self::Text(cut(text), pair.map(cut))
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_is_small_and_keeps_its_shape() {
        let (width, height) = (400, 100);
        let pixels = vec![120; (width * height * 3) as usize];
        let Some(Look::Picture { jpeg, .. }) = Look::of_pixels(width, height, pixels) else {
            panic!("there is a thumbnail")
        };
        let small = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        assert_eq!(small.dimensions(), (96, 24));
        assert!(small.pixels().all(|pixel| pixel.0.iter().all(|level| level.abs_diff(120) < 3)));
        assert!(jpeg.len() < 2000, "{}", jpeg.len());
        assert_eq!(Look::of_pixels(0, 0, Vec::new()), None);
    }

    #[test]
    fn a_long_text_is_cut() {
        let Look::Text(text, pair) = Look::of_text(&"ä".repeat(400), Some("short")) else {
            panic!("a text")
        };
        assert_eq!((text.chars().count(), pair.as_deref()), (301, Some("short")));
    }
}
