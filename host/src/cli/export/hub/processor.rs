//! `preprocessor_config.json` of an export: how the run prepared its pictures.

use serde_json::{Value, json};

use thaw_data::{ImageConfig, InputDefaults, Interpolation, PictureInput, ResizeMode};

pub(super) const FILE: &str = "preprocessor_config.json";

/// The file of an image processor that prepares pictures as the run's validation does.
pub(super) fn of(images: &ImageConfig, defaults: &InputDefaults) -> Value {
    let input = PictureInput::of(images, defaults);
    let side = input.size;
    let square = json!({ "height": side, "width": side });
    // Of what a crop is cut out of.
    let resized = (side as f64 / input.crop_pct).floor() as u64;
    let resample = match input.interpolation {
        Interpolation::Nearest => 0,
        Interpolation::Lanczos => 1,
        Interpolation::Bilinear => 2,
        Interpolation::Bicubic => 3,
        Interpolation::Box => 4,
        Interpolation::Hamming => 5,
    };
    let mut file = json!({
        "do_convert_rgb": true, "do_resize": true, "resample": resample,
        "do_rescale": true, "rescale_factor": 1.0 / 255.0,
        "do_normalize": true, "image_mean": wide(input.mean), "image_std": wide(input.std),
    });
    match input.resize {
        ResizeMode::Squash => {
            file["image_processor_type"] = json!("ViTImageProcessor");
            file["size"] = square;
        }
        ResizeMode::SquashCrop => {
            file["image_processor_type"] = json!("DeiTImageProcessor");
            file["size"] = json!({ "height": resized, "width": resized });
            file["do_center_crop"] = json!(true);
            file["crop_size"] = square;
        }
        ResizeMode::Crop => {
            file["image_processor_type"] = json!("BitImageProcessor");
            file["size"] = json!({ "shortest_edge": resized });
            file["do_center_crop"] = json!(true);
            file["crop_size"] = square;
        }
    }
    file
}

/// Numbers of single precision as they are written, not as they are stored.
fn wide(values: [f32; 3]) -> [f64; 3] {
    values.map(|value| value.to_string().parse().unwrap_or(f64::from(value)))
}
