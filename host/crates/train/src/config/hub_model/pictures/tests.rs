//! Files of transformers' processors as keys of `[data]`.

use super::*;

fn read(json: Value, given: Value) -> Result<Value, String> {
    let given = given.as_object().cloned().unwrap();
    let file = Path::new("preprocessor_config.json");
    keys(&json, file, "ViT", &given).map(Value::Object).map_err(|error| error.to_string())
}

fn of(json: Value) -> Value {
    read(json, json!({})).unwrap()
}

/// Means and deviations of transformers' `IMAGENET_STANDARD`, which are its defaults.
fn with_standard(mut keys: Value) -> Value {
    keys["mean"] = json!([0.5, 0.5, 0.5]);
    keys["std"] = json!([0.5, 0.5, 0.5]);
    keys
}

#[test]
fn the_processors_of_the_usual_models_become_keys_of_data() {
    let vit = json!({
        "image_processor_type": "ViTImageProcessor", "size": { "height": 224, "width": 224 },
        "resample": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    });
    let squashed = json!({ "image_size": 224, "resize": "squash", "interpolation": "bilinear" });
    assert_eq!(of(vit), with_standard(squashed.clone()));
    let convnext = json!({
        "feature_extractor_type": "ConvNextFeatureExtractor", "size": { "shortest_edge": 224 },
        "crop_pct": 0.875, "resample": 3, "image_mean": [0.4, 0.5, 0.6], "image_std": 0.25,
    });
    assert_eq!(
        of(convnext),
        json!({ "image_size": 224, "resize": "crop", "crop_pct": 0.875, "interpolation": "bicubic",
            "mean": [0.4, 0.5, 0.6], "std": [0.25, 0.25, 0.25] })
    );
    let large = json!({ "image_processor_type": "ConvNextImageProcessorFast", "size": 384 });
    let expected = json!({ "image_size": 384, "resize": "squash", "interpolation": "bicubic" });
    assert_eq!(of(large), with_standard(expected));
    let bit = of(json!({
        "image_processor_type": "BitImageProcessor", "size": { "shortest_edge": 248 },
        "crop_size": { "height": 224, "width": 224 }, "do_center_crop": true, "do_normalize": false,
    }));
    assert_eq!((224.0 / bit["crop_pct"].as_f64().unwrap()).floor(), 248.0);
    assert_eq!((&bit["mean"], &bit["std"]), (&json!([0.0, 0.0, 0.0]), &json!([1.0, 1.0, 1.0])));
    let deit = json!({ "image_processor_type": "DeiTImageProcessor", "size": 256, "crop_size": 224 });
    let expected =
        json!({ "image_size": 224, "resize": "squash-crop", "crop_pct": 0.875, "interpolation": "bicubic" });
    assert_eq!(of(deit), with_standard(expected));
    assert_eq!(of(json!({})), with_standard(squashed), "an empty file has the defaults of the family's");
}

/// (255 r x - m) / s is (x - m / 255 r) / (s / 255 r), for x in 0..1.
#[test]
fn pictures_that_are_not_brought_to_0_to_1_have_another_mean() {
    let raw = of(json!({ "do_rescale": false, "image_mean": [102.0, 51.0, 25.5], "image_std": 51.0 }));
    assert_eq!((&raw["mean"], &raw["std"]), (&json!([0.4, 0.2, 0.1]), &json!([0.2, 0.2, 0.2])));
    let half = of(json!({ "rescale_factor": 1.0 / 127.5, "image_mean": 1.0, "image_std": 1.0 }));
    assert_eq!((&half["mean"], &half["std"]), (&json!([0.5, 0.5, 0.5]), &json!([0.5, 0.5, 0.5])));
}

#[test]
fn what_has_no_counterpart_is_refused_unless_the_run_config_says_what_instead() {
    for (json, names, keys) in [
        (json!({ "resample": 9 }), "`resample` = 9", json!({ "interpolation": "bicubic" })),
        (json!({ "image_mean": [0.5] }), "`image_mean` = [0.5]", json!({ "mean": [0.5, 0.5, 0.5] })),
        (json!({ "image_std": "a" }), "`image_std`", json!({ "std": [0.5, 0.5, 0.5] })),
        (json!({ "rescale_factor": 0 }), "`rescale_factor` = 0", json!({ "mean": [0.5, 0.5, 0.5] })),
        (json!({ "size": { "height": 224, "width": 192 } }), "192", json!({ "image_size": 224 })),
        (json!({ "size": { "shortest_edge": 224 } }), "`size`", json!({ "image_size": 224 })),
        (
            json!({ "size": 224, "crop_size": 256, "do_center_crop": true }),
            "`crop_size` = 256",
            json!({ "image_size": 224 }),
        ),
        (
            json!({ "do_resize": false, "crop_size": 224, "do_center_crop": true }),
            "`do_resize = false`",
            json!({ "image_size": 224 }),
        ),
        (json!({ "do_flip_channel_order": true }), "`do_flip_channel_order", json!({ "image_size": 224 })),
        (json!({ "image_processor_type": "LevitImageProcessor" }), "`image_processor_type`", json!({})),
    ] {
        let error = read(json.clone(), json!({})).unwrap_err();
        assert!(error.contains("`model.path`") && error.contains(names), "{error}");
        for key in keys.as_object().unwrap().keys() {
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
        let all = json!({ "image_size": 224, "resize": "squash", "interpolation": "box",
            "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5] });
        assert_eq!(read(json, all), Ok(json!({})));
    }
}

#[test]
fn a_share_leads_back_to_its_side() {
    for shorter in 200..600 {
        let share = share(200, shorter);
        assert_eq!((200.0 / share).floor(), shorter as f64);
        assert!(share <= 1.0);
    }
}

/// As `tests/fixtures/hub_pictures/processors.py` recorded them.
#[test]
fn a_file_that_names_its_processor_alone_has_transformers_defaults() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/hub_pictures/processors.json");
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    for (name, defaults) in recorded.as_object().unwrap() {
        let class = json!(format!("{name}ImageProcessor"));
        let mut whole = defaults.clone();
        whole["image_processor_type"] = class.clone();
        assert_eq!(of(json!({ "image_processor_type": class })), of(whole), "{name}");
        let number = of(json!({ "image_processor_type": class, "size": 300 }));
        let table = of(json!({ "image_processor_type": class, "size": defaults["size_of_a_number"] }));
        assert_eq!(number, table, "{name}");
    }
    assert!(recorded.as_object().unwrap().len() >= 5);
}
