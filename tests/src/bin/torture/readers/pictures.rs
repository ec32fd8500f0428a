//! Pictures of every format.

use std::io::Cursor;
use std::path::Path;

use fastrand::Rng;
use image::{ImageFormat, RgbImage};

use super::{survives, write};
use crate::attack::{Attack, Fault};
use crate::mutate;

/// A folder of mutated pictures; unreadable ones are left out.
pub struct Pictures;

const FORMATS: [(ImageFormat, &str); 7] = [
    (ImageFormat::Png, "png"),
    (ImageFormat::Jpeg, "jpg"),
    (ImageFormat::Gif, "gif"),
    (ImageFormat::Bmp, "bmp"),
    (ImageFormat::WebP, "webp"),
    (ImageFormat::Tiff, "tiff"),
    (ImageFormat::Pnm, "ppm"),
];

/// Mutated pictures in a folder: a process takes far longer to start than to read one.
const COUNT: usize = 60;

/// A small classifier on the pictures in `pictures`.
pub const CONFIG: &str = r#"plugins = ["autoencoder"]
[model]
id = "autoencoder-classifier"
image_shape = [3, 16, 16]
hidden_dim = 2
latent_dim = 4
num_classes = 2
[data]
kind = "image-folder"
path = "pictures"
image_size = 16
on_error = "skip"
workers = 1
[trainer]
max_epochs = 1
"#;

impl Attack for Pictures {
    fn name(&self) -> &'static str {
        "pictures"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        write_good(folder)?;
        write(&folder.join("run.toml"), CONFIG)?;
        write_mutated(&folder.join("pictures"), random)?;
        survives(folder, &["fit", "run.toml", "--run-dir", "run"])
    }
}

/// Mutated pictures of every format, in two folders of this one.
pub fn write_mutated(folder: &Path, random: &mut Rng) -> Result<(), Fault> {
    for number in 0..COUNT {
        let (format, extension) = FORMATS[random.usize(..FORMATS.len())];
        let bytes = mutate::bytes(&encoded(format, random.u32(1..40), random.u32(1..40))?, random);
        write(&folder.join(format!("{}/{number}.{extension}", ["a", "b"][number % 2])), bytes)?;
    }
    Ok(())
}

/// Two classes of a few good pictures, in `pictures`.
pub fn write_good(folder: &Path) -> Result<(), Fault> {
    for (number, class) in ["a", "a", "b", "b"].into_iter().enumerate() {
        let picture = encoded(ImageFormat::Png, 20, 18)?;
        write(&folder.join(format!("pictures/{class}/good{number}.png")), picture)?;
    }
    Ok(())
}

fn encoded(format: ImageFormat, width: u32, height: u32) -> Result<Vec<u8>, Fault> {
    let byte = |value: u32| (value % 256) as u8;
    let picture =
        RgbImage::from_fn(width, height, |x, y| image::Rgb([byte(x * 9), byte(y * 7), byte(x * y)]));
    if format == ImageFormat::Pnm {
        return Ok([format!("P6\n{width} {height}\n255\n").into_bytes(), picture.into_raw()].concat());
    }
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).map_err(|error| Fault::new(error.to_string()))?;
    Ok(bytes.into_inner())
}
