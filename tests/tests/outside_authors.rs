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
        "plugins = [\"tiny-cnn\", \"backbone_finetuning\"]\n[model]\nid = \"tiny-cnn\"\nnum_classes = \
         2\nchannels = 4\n\
         [data]\nkind = \"image-folder\"\npath = \"pictures\"\nimage_size = 16\nval_split = 0.25\nbatch_size \
         = 4\n\
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

/// A run of the reference model, five layers with a batch norm between two of them, and this callback's
/// table.
fn run_with(plugin: &str, callback: &str, epochs: usize) -> Run {
    let folder = example(plugin);
    let config = case("bb_steplr").replace("plugins = [", &format!("plugins = [\"{plugin}\", "));
    let run = Run::new(&format!(
        "{config}[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs = \
         {epochs}\n\
         [[callbacks]]\n{callback}\n"
    ));
    run.env("THAW_PLUGIN_PATH", &folder.display().to_string())
}

fn rates(groups: &[Value], name: &str) -> Vec<f64> {
    let named = |epoch: &Value| {
        epoch["groups"].as_array()?.iter().find(|group| group["name"] == name)?["lr"].as_f64()
    };
    groups.iter().filter_map(named).collect()
}

#[test]
fn a_strategy_that_wraps_ours_with_a_closure_resumes_from_the_config_it_wrote() {
    let callback = "id = \"fading-backbone\"\nunfreeze_backbone_at_epoch = 1\nlambda_func = 3.0\nhalf_life = \
                    1.0\nshould_align = false\nfrozen_bn = \"train\"";
    let run = run_with("fading-backbone", callback, 3);
    run.fit(&["--set", "trainer.audit=\"warn\""]).succeeded();
    run.resume(&["--set", "trainer.max_epochs=4"]).succeeded();
    let rates = rates(&run.groups(), "backbone");
    assert_eq!(rates.len(), 3, "{rates:?}");
    for (rate, expected) in rates.iter().zip([0.01, 0.02, 0.03]) {
        assert!((rate - expected).abs() < 1e-12, "{rates:?}");
    }
}

#[test]
fn a_callback_freezes_batch_norms_that_are_in_a_group() {
    let run = run_with("gradual-batch-norm", "id = \"gradual-batch-norm\"\nstart_epoch = 1", 2);
    run.fit(&["--set", "optimizer.parameters=[\"\"]"]).succeeded();
    let groups = run.groups();
    let modes = |epoch: &Value| {
        epoch["batch_norm"]
            .as_object()
            .unwrap()
            .values()
            .map(|norm| norm["training"] == true)
            .collect::<Vec<_>>()
    };
    assert!(!modes(&groups[0]).is_empty() && modes(&groups[0]).iter().all(|training| *training));
    assert!(modes(&groups[1]).iter().all(|training| !training));
}

#[test]
fn a_metric_that_stalls_thaws_a_layer() {
    let run = run_with("plateau-thawing", "id = \"plateau-thawing\"\npatience = 1", 4);
    // Nothing improves at a rate of 0.
    run.fit(&["--set", "optimizer.lr=0.0"]).succeeded();
    let groups = run.groups();
    let thawed =
        |epoch: usize| names(&groups[epoch]["trainable"]).iter().any(|name| name.starts_with("backbone."));
    assert!(!thawed(1) && thawed(2), "{groups:?}");
}
