//! `preprocessor_config.json`: how transformers' image processors prepare pictures, as keys of `[data]`.

use std::path::Path;

use serde_json::{Map, Value, json};
use thaw_plugin_api::config::ConfigError as KeyError;

use super::KEY;
use super::processor::{Processor, Sizing};

/// Side from which on ConvNeXt's processor leaves the crop out.
const CONVNEXT_WITHOUT_CROP: f64 = 384.0;
/// The crop of ConvNeXt's processor where its file does not say.
const CONVNEXT_CROP: f64 = 224.0 / 256.0;
/// Pillow's filters by their numbers.
const FILTERS: [&str; 6] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];
/// The keys of `[data]` that a file gives.
const KEYS: [&str; 5] = ["image_size", "resize", "interpolation", "mean", "std"];
/// What processors do and nothing here does.
const FOREIGN: [&str; 5] =
    ["do_pad", "do_flip_channel_order", "do_grayscale", "rescale_offset", "do_image_splitting"];

/// The keys that a file gives, of those that `given`, the run config's `[data]`, leaves open. `usual` is the
/// processor of the model's family, for files that do not name theirs.
///
/// # Errors
/// Something that has no counterpart in `[data]`, and is not left to the run config.
pub(super) fn keys(
    json: &Value,
    file: &Path,
    usual: &str,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, KeyError> {
    let mut keys = Map::new();
    if KEYS.iter().all(|key| given.contains_key(*key)) {
        return Ok(keys);
    }
    let read = Preparation { json, file, given, processor: Processor::of(json, usual) };
    if let Some(key) = FOREIGN.iter().find(|key| json.get(**key) == Some(&json!(true))) {
        return Err(read.refused(&format!("`{key} = true`, which is not done here"), &KEYS));
    }
    if read.processor.is_none() {
        return Err(read.refused("an `image_processor_type` that is not known here", &KEYS));
    }
    if read.leaves_open(&["image_size", "resize"]) {
        keys.extend(read.size()?.keys());
    }
    if read.leaves_open(&["interpolation"]) {
        keys.insert("interpolation".to_owned(), read.filter()?);
    }
    if read.leaves_open(&["mean", "std"]) {
        keys.extend(read.normalisation()?);
    }
    Ok(keys)
}

/// A file that is read for a run config.
struct Preparation<'f> {
    json: &'f Value,
    file: &'f Path,
    given: &'f Map<String, Value>,
    processor: Option<&'static Processor>,
}

impl Preparation<'_> {
    /// Whether the run config has not all of these keys itself.
    fn leaves_open(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| !self.given.contains_key(*key))
    }

    fn refused(&self, what: &str, keys: &[&str]) -> KeyError {
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        let expected =
            format!("what [data] can do: set {} there, as pictures are to be prepared", keys.join(", "));
        let file = self.file.display();
        KeyError::value(KEY, format!("a directory whose {file} has {what}"), expected)
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.json.get(key).filter(|value| !value.is_null())
    }

    fn flag(&self, key: &str, default: bool) -> bool {
        self.value(key).and_then(Value::as_bool).unwrap_or(default)
    }

    /// Pillow's filter, by its name here.
    fn filter(&self) -> Result<Value, KeyError> {
        let usual = self.processor.map_or(2, |processor| processor.resample);
        let found = self.value("resample").cloned().unwrap_or(json!(usual));
        let name = found.as_u64().and_then(|number| FILTERS.get(usize::try_from(number).ok()?));
        let refused = || self.refused(&format!("`resample` = {found}"), &["interpolation"]);
        name.map(|name| json!(name)).ok_or_else(refused)
    }

    /// Mean and standard deviation of pictures in 0..1, whatever a file brings them to before it normalises.
    fn normalisation(&self) -> Result<Map<String, Value>, KeyError> {
        let factor = match (self.flag("do_rescale", true), self.value("rescale_factor")) {
            (false, _) => Some(1.0),
            (true, None) => Some(1.0 / 255.0),
            (true, Some(factor)) => factor.as_f64().filter(|factor| *factor > 0.0),
        };
        let Some(factor) = factor else {
            let found = self.value("rescale_factor").unwrap_or(&Value::Null);
            return Err(self.refused(&format!("`rescale_factor` = {found}"), &["mean", "std"]));
        };
        let whole = factor * 255.0;
        let scaled = |value: f64| if (whole - 1.0).abs() < 1e-6 { value } else { value / whole };
        let usual = self.processor.map_or(([0.0; 3], [1.0; 3]), |known| (known.mean, known.std));
        let normal = self.flag("do_normalize", true);
        let mut keys = Map::new();
        for (key, theirs, usual, without) in
            [("mean", "image_mean", usual.0, 0.0), ("std", "image_std", usual.1, 1.0)]
        {
            let values = if normal { self.of_channels(theirs, key, usual)? } else { [without; 3] };
            keys.insert(key.to_owned(), json!(values.map(scaled)));
        }
        Ok(keys)
    }

    /// A number for each channel, in files one for all, too.
    fn of_channels(&self, theirs: &str, key: &str, usual: [f64; 3]) -> Result<[f64; 3], KeyError> {
        let Some(found) = self.value(theirs) else { return Ok(usual) };
        let one = found.as_f64().map(|number| [number; 3]);
        let list = || {
            let numbers: Option<Vec<f64>> = found.as_array()?.iter().map(Value::as_f64).collect();
            <[f64; 3]>::try_from(numbers?).ok()
        };
        let refused = || self.refused(&format!("`{theirs}` = {found}, not one number per channel"), &[key]);
        one.or_else(list).ok_or_else(refused)
    }

    fn size(&self) -> Result<Size, KeyError> {
        let keys = &["image_size", "resize"];
        let Some(processor) = self.processor else { return Err(self.refused("no processor", keys)) };
        let usual_size = processor.size();
        let size = self.value("size").unwrap_or(&usual_size);
        let crops = self.flag("do_center_crop", processor.crop.is_some());
        if !self.flag("do_resize", true) {
            if crops {
                let what =
                    "`do_resize = false` and `do_center_crop = true`: a part of the picture in its own size";
                return Err(self.refused(what, keys));
            }
            tracing::info!(
                "{}: `do_resize = false`: pictures of another size than the model's, which transformers \
                 does not take, are brought to it",
                thaw_terminal::escape::path(self.file)
            );
        }
        let usual_crop = json!(processor.crop);
        let crop = self.value("crop_size").unwrap_or(&usual_crop);
        let found = match (processor.sizing, crops) {
            (Sizing::ConvNext, _) => self.convnext(size),
            (_, false) => square(size).map(Size::Squash),
            (sizing, true) => cropped(size, crop, sizing),
        };
        let shown =
            if crops { format!("`size` = {size}, `crop_size` = {crop}") } else { format!("`size` = {size}") };
        found.ok_or_else(|| self.refused(&format!("{shown}, which gives no square pictures"), keys))
    }

    fn convnext(&self, size: &Value) -> Option<Size> {
        let side = shortest(size).or_else(|| square(size))?;
        let share = self.value("crop_pct").map_or(Some(CONVNEXT_CROP), Value::as_f64)?;
        Some(match side as f64 >= CONVNEXT_WITHOUT_CROP {
            true => Size::Squash(side),
            false => Size::Crop { side, share },
        })
    }
}

/// How pictures get to the model's size.
#[derive(Debug, PartialEq)]
enum Size {
    Squash(u64),
    Crop { side: u64, share: f64 },
    CropOfSquash { side: u64, share: f64 },
}

impl Size {
    fn keys(&self) -> Map<String, Value> {
        let (side, resize, share) = match *self {
            Self::Squash(side) => (side, "squash", None),
            Self::Crop { side, share } => (side, "crop", Some(share)),
            Self::CropOfSquash { side, share } => (side, "squash-crop", Some(share)),
        };
        let mut keys =
            Map::from_iter([("image_size".to_owned(), json!(side)), ("resize".to_owned(), json!(resize))]);
        keys.extend(share.map(|share| ("crop_pct".to_owned(), json!(share))));
        keys
    }
}

/// A resize with a crop of the centre after it.
fn cropped(size: &Value, crop: &Value, sizing: Sizing) -> Option<Size> {
    let side = square(crop)?;
    let is_square = size.is_object() || sizing == Sizing::Square;
    let before = square(size).filter(|_| is_square);
    let shorter = shortest(size).or_else(|| size.as_u64().filter(|_| !is_square));
    match (before, shorter) {
        (Some(before), None) if before == side => Some(Size::Squash(side)),
        (Some(before), None) if before > side => {
            Some(Size::CropOfSquash { side, share: share(side, before) })
        }
        (None, Some(shorter)) if shorter >= side => Some(Size::Crop { side, share: share(side, shorter) }),
        _ => None,
    }
}

/// A crop's share whose quotient is the resized side again, when it is rounded down.
fn share(side: u64, resized: u64) -> f64 {
    let (side, resized) = (side as f64, resized as f64);
    let share = side / resized;
    if (side / share).floor() == resized { share } else { side / (resized + 1e-6) }
}

fn square(size: &Value) -> Option<u64> {
    let side = |key: &str| size.get(key).and_then(Value::as_u64);
    let (height, width) = (side("height"), side("width"));
    size.as_u64().or_else(|| height.filter(|height| Some(*height) == width))
}

/// The shorter side, where nothing bounds the longer one.
fn shortest(size: &Value) -> Option<u64> {
    let is_bounded = size.get("longest_edge").is_some_and(|longest| !longest.is_null());
    size.get("shortest_edge").and_then(Value::as_u64).filter(|_| !is_bounded)
}

#[cfg(test)]
mod tests;
