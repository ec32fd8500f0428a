//! The loader alone: pictures per second at 224 pixels, decoded anew each time.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value, json};
use thaw_data::{DataConfig, DataModule, InputDefaults, Split};

/// Two passes; the first one meets the files for the first time and does not count.
const PASSES: u64 = 2;

pub(crate) fn pictures_per_second(folder: &Path) -> Result<Value, Box<dyn Error>> {
    let mut numbers = Map::new();
    let crop = json!({ "horizontal_flip": 0.5, "random_resized_crop": {} });
    for kind in ["png", "jpeg"] {
        for (name, augment) in [(kind.to_owned(), None), (format!("{kind}_augmented"), Some(&crop))] {
            let mut table = json!({
                "kind": "image-folder", "path": folder.join(kind), "image_size": 224, "batch_size": 32,
                "cache": false,
            });
            if let Some(augment) = augment {
                table["augment"] = augment.clone();
            }
            let config: DataConfig = serde_json::from_value(table)?;
            numbers.insert(name, json!(speed(&config)?));
        }
    }
    Ok(Value::Object(numbers))
}

fn speed(config: &DataConfig) -> Result<f64, Box<dyn Error>> {
    let data = DataModule::open(config, 1, &InputDefaults::default())?;
    let mut speed = 0.0;
    for epoch in 0..PASSES {
        let start = Instant::now();
        let mut pictures = 0;
        for batch in data.loader(Split::Train, epoch, 0)?.into_iter().flatten() {
            pictures += batch?.len();
        }
        speed = pictures as f64 / start.elapsed().as_secs_f64();
    }
    Ok(speed)
}
