//! Plugins from outside of the workspace, built by their own `Cargo.toml`, loaded by name.

use serde_json::Value;
use thaw_tests::{Run, case, example};

fn names(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn a_strategy_is_found_on_the_plugin_path_and_trains() {
    let folder = example("top-down-finetuning");
    let config = case("bb_steplr").replace("plugins = [", "plugins = [\"top-down-finetuning\", ");
    let run = Run::new(
        &(config
            + "[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 4\n\
               [[callbacks]]\nid = \"top-down\"\nunfreeze_at_epoch = 1\nlayers_per_epoch = 3\n"),
    );
    let run = run.env("THAW_PLUGIN_PATH", &folder.display().to_string());
    run.fit(&[]).succeeded();
    let groups = run.groups();
    assert_eq!(names(&groups[0]["trainable"]), ["head.weight", "head.bias"]);
    let second = names(&groups[1]["trainable"]);
    assert!(second.contains(&"backbone.4.weight") && !second.contains(&"backbone.0.weight"), "{second:?}");
    assert!(names(&groups[2]["trainable"]).contains(&"backbone.0.weight"));
}

#[test]
fn a_model_from_outside_trains_on_pictures_under_a_strategy_of_ours() {
    let folder = example("tiny-cnn");
    let run = Run::new(
        "plugins = [\"tiny-cnn\", \"backbone_finetuning\"]\n[model]\nid = \"tiny-cnn\"\nnum_classes = 2\nchannels = 4\n\
         [data]\nkind = \"image-folder\"\npath = \"pictures\"\nimage_size = 16\nval_split = 0.25\nbatch_size = 4\n\
         [optimizer]\nid = \"adam\"\nlr = 0.02\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 6\n\
         [[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 2\n",
    );
    for (class, color) in [("dark", 20_u8), ("light", 220)] {
        for number in 0..8_u8 {
            let picture = image::RgbImage::from_pixel(16, 16, image::Rgb([color, color + number, color]));
            picture.save(run.write(&format!("pictures/{class}/{number}.png"), "")).unwrap();
        }
    }
    let run = run.env("THAW_PLUGIN_PATH", &folder.display().to_string());
    run.fit(&[]).succeeded();
    let last = run.metrics().pop().unwrap();
    assert!(last["val_acc"].as_f64().unwrap() > 0.9, "dark and light are easy: {last}");
}
