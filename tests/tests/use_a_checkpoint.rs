//! What a checkpoint is good for: validating, predicting, exporting.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use thaw_tests::{Run, case, fixtures};

fn trained() -> Run {
    let run =
        Run::new(&(case("bb_steplr") + "[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = 2\n"));
    run.fit(&[]).succeeded();
    run
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names, dtypes and shapes of a .safetensors file.
fn tensors(path: &Path) -> BTreeMap<String, (String, Value)> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Map<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let entries = header.into_iter().filter(|(name, _)| name != "__metadata__");
    entries
        .map(|(name, info)| (name, (info["dtype"].as_str().unwrap().to_owned(), info["shape"].clone())))
        .collect()
}

/// The f32 values of one tensor of a .safetensors file.
fn values(path: &Path, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let offset = |index: usize| 8 + length + header[name]["data_offsets"][index].as_u64().unwrap() as usize;
    bytes[offset(0)..offset(1)]
        .chunks_exact(4)
        .map(|value| f32::from_le_bytes(value.try_into().unwrap()))
        .collect()
}

#[test]
fn validate_repeats_the_metrics_of_the_run_exactly() {
    let run = trained();
    let last = run.metrics().pop().unwrap();
    let text = run.host(["validate", "--checkpoint", "run/checkpoints/last", "--json"]).succeeded().stdout;
    let found: Value = serde_json::from_str(&text).unwrap();
    let recorded: Vec<&String> =
        last.as_object().unwrap().keys().filter(|name| name.starts_with("val_")).collect();
    assert_eq!(found["metrics"].as_object().unwrap().keys().collect::<Vec<_>>(), recorded);
    assert!(last["val_loss"].is_f64(), "{last}");
    for (name, value) in found["metrics"].as_object().unwrap() {
        assert_eq!(value, &last[name], "{name}");
    }
    let with_config = run
        .host(["validate", "run.toml", "--checkpoint", "run/checkpoints/last", "--json"])
        .succeeded()
        .stdout;
    assert_eq!(with_config, text);
}

#[test]
fn validate_shows_each_class() {
    let run = trained();
    let text = run.host(["validate", "--checkpoint", "run"]).succeeded().stdout;
    let all =
        text.lines().find(|line| line.trim_start().starts_with("all")).unwrap_or_else(|| panic!("{text}"));
    let of_classes: u64 = text
        .lines()
        .filter(|line| line.contains(" of ") && !line.trim_start().starts_with("all"))
        .map(|line| line.rsplit(" of ").next().unwrap().trim_end_matches(')').parse::<u64>().unwrap())
        .sum();
    assert!(all.contains(&format!(" of {of_classes})")), "{text}");
}

#[test]
fn predict_needs_neither_config_nor_plugins_named() {
    let run = trained();
    let data = fixtures().join("parity/bb_steplr/data.safetensors");
    let data = data.to_str().unwrap();
    let predict = |output: &str, more: &[&str]| {
        run.host(["predict", "--checkpoint", "run", "--input", data, "--output", output].iter().chain(more))
            .succeeded();
        read(&run.folder().join(output))
    };
    let csv = predict("out.csv", &["--all"]);
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(header[..3], ["row", "class", "probability"]);
    let mut count = 0;
    for (index, line) in lines.enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[0], index.to_string(), "rows come in the order of the input");
        let sum: f64 = cells[3..].iter().map(|cell| cell.parse::<f64>().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{line}");
        let largest = cells[3..].iter().map(|cell| cell.parse::<f64>().unwrap()).fold(0.0, f64::max);
        assert_eq!(cells[2].parse::<f64>().unwrap(), largest, "{line}");
        count += 1;
    }
    assert_eq!(count, tensors(Path::new(data))["x"].1[0].as_u64().unwrap());

    let jsonl = predict("out.jsonl", &[]);
    let first: Value = serde_json::from_str(jsonl.lines().next().unwrap()).unwrap();
    assert_eq!(first["class"], csv.lines().nth(1).unwrap().split(',').nth(1).unwrap());
}

#[test]
fn predict_says_what_it_cannot_do_and_leaves_no_file() {
    let run = trained();
    let data = fixtures().join("parity/bb_steplr/data.safetensors");
    let data = data.to_str().unwrap();
    let predict = |output: &str, more: &[&str]| {
        run.host(["predict", "--checkpoint", "run", "--input", data, "--output", output].iter().chain(more))
    };
    predict("out.txt", &[]).failed(2, &["out.txt", ".csv", ".jsonl"]);
    predict("out.csv", &["--outputs", "attentions"]).failed(2, &["attentions", "no such output"]);
    assert!(!run.folder().join("out.csv").exists());
    run.host(["predict", "--checkpoint", "nowhere", "--input", data, "--output", "out.csv"])
        .failed(2, &["nowhere", "no checkpoint"]);
    run.host(["predict", "--checkpoint", "run", "--input", "gone", "--output", "out.csv"])
        .failed(2, &["gone"]);
}

#[test]
fn an_export_has_the_keys_of_the_state_dict() {
    let run = trained();
    let export = |output: &str, more: &[&str]| {
        run.host(["export", "--checkpoint", "run", "--output", output].iter().chain(more)).succeeded();
        tensors(&run.folder().join(output))
    };
    let reference = tensors(&fixtures().join("parity/bb_steplr/final.safetensors"));
    assert_eq!(export("all.safetensors", &[]), reference);

    let of_backbone = |keep: bool| {
        let inside = reference.iter().filter(|(name, _)| name.starts_with("backbone."));
        inside
            .map(|(name, info)| {
                (if keep { name.clone() } else { name["backbone.".len()..].to_owned() }, info.clone())
            })
            .collect()
    };
    let expected: BTreeMap<_, _> = of_backbone(false);
    assert_eq!(export("backbone.safetensors", &["--module", "backbone"]), expected);
    let expected: BTreeMap<_, _> = of_backbone(true);
    assert_eq!(export("kept.safetensors", &["--module", "backbone", "--keep-prefix"]), expected);

    let half = export("half.safetensors", &["--dtype", "bf16"]);
    for (name, (dtype, _)) in &reference {
        assert_eq!(half[name].0, if dtype == "F32" { "BF16" } else { dtype }, "{name}");
    }
    run.host(["export", "--checkpoint", "run", "--output", "x.safetensors", "--module", "nose"])
        .failed(1, &["nose"]);
}

#[test]
fn a_pin_holds_for_a_checkpoint_too() {
    let run = trained();
    let pin = format!("plugins=[{{ path = \"case_model\", sha256 = \"{}\" }}]", "0".repeat(64));
    run.host(["validate", "--checkpoint", "run", "--set", &pin])
        .failed(3, &["case_model", "SHA-256", "pins"]);
}

#[test]
fn an_export_is_named_as_what_it_is() {
    let run = trained();
    let export = ["export", "--checkpoint", "run/checkpoints/last", "--output", "weights.pth"];
    run.host(export).failed(2, &["weights.pth", "ends in .safetensors"]);
    assert!(!run.folder().join("weights.pth").exists());
}

#[test]
fn weights_that_a_callback_averages_at_the_end_are_a_checkpoint() {
    let run = Run::new(
        &(case("bb_steplr").replace("plugins = [", "plugins = [\"case_strategies\", ")
            + "[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = 2\n[checkpoint]\nsave_top_k = \
               -1\n\
               [[callbacks]]\nid = \"case-average\"\nparameter = \"head.bias\"\n"),
    );
    run.fit(&[]).succeeded();
    let bias = |checkpoint: &str| {
        values(&run.run_dir().join("checkpoints").join(checkpoint).join("model.safetensors"), "head.bias")
    };
    let steps: Vec<u64> = run
        .metrics()
        .iter()
        .filter(|record| record["val_loss"].is_f64())
        .filter_map(|record| record["step"].as_u64())
        .collect();
    let epochs: Vec<Vec<f32>> =
        steps.iter().enumerate().map(|(epoch, step)| bias(&format!("epoch={epoch}-step={step}"))).collect();
    let mean: Vec<f32> =
        epochs[0].iter().zip(&epochs[1]).map(|(first, second)| (first + second) / 2.0).collect();
    assert_ne!(epochs[0], epochs[1]);
    for (found, expected) in bias("average").iter().zip(mean) {
        assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
    }
}

#[test]
fn no_command_writes_over_what_it_reads() {
    let run = trained();
    let data = fixtures().join("parity/bb_steplr/data.safetensors");
    let bytes = std::fs::read(&data).unwrap();
    // An input whose name would do for an output, under all the names that a file can have.
    run.write("input.csv", &bytes);
    std::fs::hard_link(run.folder().join("input.csv"), run.folder().join("hard.csv")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("input.csv", run.folder().join("link.csv")).unwrap();
    std::fs::create_dir(run.folder().join("sub")).unwrap();
    for output in ["input.csv", "./input.csv", "sub/../input.csv", "hard.csv", "link.csv"] {
        run.host(["predict", "--checkpoint", "run", "--input", "input.csv", "--output", output])
            .failed(2, &[output, "input.csv", "reads"]);
        assert_eq!(std::fs::read(run.folder().join("input.csv")).unwrap(), bytes);
    }
    let model = "run/checkpoints/last/model.safetensors";
    let before = std::fs::read(run.folder().join(model)).unwrap();
    run.host(["export", "--checkpoint", "run/checkpoints/last", "--output", model])
        .failed(2, &[model, "reads"]);
    assert_eq!(std::fs::read(run.folder().join(model)).unwrap(), before);
}

#[test]
fn a_run_directory_stands_for_its_best_checkpoint_as_weights_too() {
    let run = trained();
    let stderr =
        run.host(["fit", "run.toml", "--run-dir", "other", "--set", "model.weights=run"]).succeeded().stderr;
    assert!(stderr.contains("checkpoints/best"), "{stderr}");
}
