//! `preprocessor_config.json`: how transformers' image processors prepare pictures, as keys of `[data]`.

use std::path::Path;

use serde_json::{Map, Value, json};

/// Side from which on ConvNeXt's processor leaves the crop out.
const CONVNEXT_WITHOUT_CROP: f64 = 384.0;
/// The crop of ConvNeXt's processor where its file does not say.
const CONVNEXT_CROP: f64 = 224.0 / 256.0;
/// Pillow's numbers of filters.
const BILINEAR: u64 = 2;
const BICUBIC: u64 = 3;

/// The keys that a file gives; what has no counterpart is warned of.
pub(super) fn keys(json: &Value, file: &Path) -> Map<String, Value> {
    let mut keys = Map::new();
    let mut add = |key: &str, value: Value| drop(keys.insert(key.to_owned(), value));
    let warn = |what: String| tracing::warn!("{}: {what}", thaw_terminal::escape::path(file));
    let flag = |key: &str, default: bool| json.get(key).and_then(Value::as_bool).unwrap_or(default);
    match Size::of(json) {
        Some(Size::Squash(side)) => {
            add("image_size", json!(side));
            add("resize", json!("squash"));
        }
        Some(Size::Crop { side, share }) => {
            add("image_size", json!(side));
            add("resize", json!("crop"));
            add("crop_pct", json!(share));
        }
        Some(Size::CropOfSquash { side, before }) => {
            add("image_size", json!(side));
            add("resize", json!("squash"));
            warn(format!(
                "it squashes pictures to {before} pixels before it crops {side} of them; here they are \
                 squashed to {side}"
            ));
        }
        None => warn("its `size` is no square: set `image_size` and `resize` in [data]".to_owned()),
    }
    if !flag("do_resize", true) {
        warn("it takes pictures of the model's size alone; here all are brought to it".to_owned());
    }
    match json.get("resample").and_then(Value::as_u64) {
        Some(BILINEAR) => add("interpolation", json!("bilinear")),
        Some(BICUBIC) => add("interpolation", json!("bicubic")),
        None => {}
        Some(other) => {
            add("interpolation", json!("bicubic"));
            warn(format!("its filter `resample = {other}` is not here; bicubic is taken"));
        }
    }
    let of_channels = |key: &str| json.get(key).filter(|value| is_of_channels(value)).cloned();
    let normal = flag("do_normalize", true);
    for (key, theirs, without) in [("mean", "image_mean", 0.0), ("std", "image_std", 1.0)] {
        match of_channels(theirs) {
            _ if !normal => add(key, json!(vec![without; 3])),
            Some(values) => add(key, values),
            None if json.get(theirs).is_some_and(|value| !value.is_null()) => {
                warn(format!("its `{theirs}` is no list of three numbers: set `{key}` in [data]"));
            }
            None => {}
        }
    }
    let factor = json.get("rescale_factor").and_then(Value::as_f64).unwrap_or(1.0 / 255.0);
    if !flag("do_rescale", true) || (factor * 255.0 - 1.0).abs() > 1e-6 {
        warn("it does not bring pictures to 0..1 before it normalises them, as is done here".to_owned());
    }
    keys
}

fn is_of_channels(value: &Value) -> bool {
    value.as_array().is_some_and(|values| values.len() == 3 && values.iter().all(Value::is_number))
}

/// How pictures get to the model's size.
#[derive(Debug, PartialEq)]
enum Size {
    Squash(u64),
    Crop { side: u64, share: f64 },
    CropOfSquash { side: u64, before: u64 },
}

impl Size {
    fn of(json: &Value) -> Option<Self> {
        let name = ["image_processor_type", "feature_extractor_type"].map(|key| json.get(key));
        let name = name.into_iter().flatten().find_map(Value::as_str).unwrap_or_default();
        let (size, crops) = (json.get("size")?, json.get("do_center_crop").and_then(Value::as_bool));
        let crop = square(json.get("crop_size").unwrap_or(&Value::Null)).filter(|_| crops != Some(false));
        if name.starts_with("ConvNext") {
            let side = shortest(size).or_else(|| square(size))?;
            let share = json.get("crop_pct").and_then(Value::as_f64).unwrap_or(CONVNEXT_CROP);
            return Some(if side as f64 >= CONVNEXT_WITHOUT_CROP {
                Self::Squash(side)
            } else {
                Self::Crop { side, share }
            });
        }
        match (square(size).filter(|_| size.is_object() || crop.is_none()), shortest(size), crop) {
            (Some(side), None, None) => Some(Self::Squash(side)),
            (Some(before), None, Some(side)) => Some(Self::CropOfSquash { side, before }),
            (None, Some(shorter), Some(side)) => Some(Self::Crop { side, share: share(side, shorter) }),
            // One number is the shorter side where a crop follows.
            (None, None, Some(side)) => {
                size.as_u64().map(|shorter| Self::Crop { side, share: share(side, shorter) })
            }
            _ => None,
        }
    }
}

/// A crop's share whose quotient is the shorter side again, when it is rounded down.
fn share(side: u64, shorter: u64) -> f64 {
    let (side, shorter) = (side as f64, shorter as f64);
    let share = side / shorter;
    if (side / share).floor() == shorter { share } else { side / (shorter + 1e-6) }
}

fn square(size: &Value) -> Option<u64> {
    let side = |key: &str| size.get(key).and_then(Value::as_u64);
    let (height, width) = (side("height"), side("width"));
    size.as_u64().or_else(|| height.filter(|height| Some(*height) == width))
}

fn shortest(size: &Value) -> Option<u64> {
    size.get("shortest_edge").and_then(Value::as_u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: Value) -> Value {
        Value::Object(keys(&json, Path::new("preprocessor_config.json")))
    }

    #[test]
    fn the_processors_of_the_usual_models_become_keys_of_data() {
        let vit = json!({
            "image_processor_type": "ViTImageProcessor", "size": { "height": 224, "width": 224 },
            "resample": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
        });
        assert_eq!(
            of(vit),
            json!({ "image_size": 224, "resize": "squash", "interpolation": "bilinear",
                "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5] })
        );
        let convnext = json!({
            "feature_extractor_type": "ConvNextFeatureExtractor", "size": { "shortest_edge": 224 },
            "crop_pct": 0.875, "resample": 3,
        });
        assert_eq!(
            of(convnext),
            json!({ "image_size": 224, "resize": "crop", "crop_pct": 0.875, "interpolation": "bicubic" })
        );
        let large = json!({ "image_processor_type": "ConvNextImageProcessor", "size": 384 });
        assert_eq!(of(large), json!({ "image_size": 384, "resize": "squash" }));
        let bit = json!({
            "image_processor_type": "BitImageProcessor", "size": { "shortest_edge": 248 },
            "crop_size": { "height": 224, "width": 224 }, "do_center_crop": true, "do_normalize": false,
        });
        let bit = of(bit);
        assert_eq!((224.0 / bit["crop_pct"].as_f64().unwrap()).floor(), 248.0);
        assert_eq!((&bit["mean"], &bit["std"]), (&json!([0.0, 0.0, 0.0]), &json!([1.0, 1.0, 1.0])));
    }

    #[test]
    fn a_share_leads_back_to_its_side() {
        for shorter in 200..600 {
            let share = share(200, shorter);
            assert_eq!((200.0 / share).floor(), shorter as f64);
            assert!(share <= 1.0);
        }
    }
}
