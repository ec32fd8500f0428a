//! `examples/autoencoder.toml`, then `examples/autoencoder-transfer.toml`.

use std::collections::BTreeMap;

use image::{Rgb, RgbImage};
use thaw_plugin_api::tch::Tensor;
use thaw_tests::Run;

use super::config;

/// Plain pictures, told apart by their colour.
fn write_pictures(run: &Run) {
    for (class, color) in [("blue", [20, 30, 220]), ("green", [30, 200, 40]), ("red", [230, 20, 10])] {
        for (split, count) in [("train", 8_u8), ("val", 2)] {
            for number in 0..count {
                let path = run.write(&format!("data/emoji/{split}/{class}/{number}.png"), "");
                RgbImage::from_pixel(16, 16, Rgb(color.map(|level: u8| level + number))).save(path).unwrap();
            }
        }
    }
}

#[test]
fn a_classifier_learns_on_the_frozen_encoder_of_another_run() {
    let run = Run::new(&config("autoencoder-transfer"));
    write_pictures(&run);
    run.write("autoencoder.toml", config("autoencoder"));
    run.host(["fit", "autoencoder.toml", "--run-dir", "runs/autoencoder", "--set", "trainer.max_epochs=2"])
        .succeeded();
    run.fit(&["--set", "trainer.max_epochs=12"]).succeeded();

    let export = |run_dir: &str, module: &str, output: &str| {
        run.host(["export", "--checkpoint", run_dir, "--module", module, "--output", output]).succeeded();
        let tensors = Tensor::read_safetensors(run.folder().join(output)).unwrap();
        tensors.into_iter().collect::<BTreeMap<String, Tensor>>()
    };
    let encoder = export("runs/autoencoder", "encoder", "encoder.safetensors");
    let features = export("run", "feature_extractor", "features.safetensors");
    assert_eq!(encoder.len(), features.len());
    for (name, trained) in &encoder {
        assert!(trained.equal(&features[name]), "`{name}` moved");
    }

    let best = run.metrics().iter().filter_map(|record| record["val_acc"].as_f64()).fold(0.0, f64::max);
    assert_eq!(best, 1.0, "three colours are told apart");
    run.host(["predict", "--checkpoint", "run", "--input", "data/emoji/val", "--output", "out.csv"])
        .succeeded();
    let text = std::fs::read_to_string(run.folder().join("out.csv")).unwrap();
    for line in text.lines().skip(1) {
        let class = line.split(',').nth(1).unwrap();
        assert!(line.starts_with(&format!("data/emoji/val/{class}/")), "{line}");
    }
}
