//! `trainer.channels_last = "auto"`: for models that gain by it, and what was decided stays.

use std::path::Path;

use serde_json::Value;
use thaw_tests::{Outcome, Run, Values, read_tensors, tiny_text, write_tensors};

/// A model of pictures that trains as a whole on a few of them.
fn pictures(model: &str) -> Run {
    let run = Run::new(&format!(
        "seed = 1\nplugins = [\"vision\"]\n[model]\nid = {model:?}\nnum_classes = 2\n[data]\nkind = \
         \"tensors\"\npath = \"data.safetensors\"\nbatch_size = 4\n[optimizer]\nid = \"sgd\"\nlr = \
         0.01\n[trainer]\nmax_epochs = 2\nlog_every_n_steps = 1\n"
    ));
    let x: Vec<f32> = (0..8 * 3 * 32 * 32).map(|index| (index * 7919 % 1013) as f32 / 506.0 - 1.0).collect();
    let y: Vec<i64> = (0..8).map(|index| index % 2).collect();
    let tensors = [("x", &[8, 3, 32, 32][..], Values::F32(&x)), ("y", &[8][..], Values::I64(&y))];
    write_tensors(&run.folder().join("data.safetensors"), &tensors).unwrap();
    run
}

/// The layout that a run's last checkpoint keeps.
fn is_last(run: &Run, run_dir: &str) -> Value {
    let path = run.folder().join(run_dir).join("checkpoints/last/state.json");
    let state: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    state["channels_last"].clone()
}

#[test]
fn convolutional_models_have_them_last_and_come_to_the_same_but_for_rounding() {
    let run = pictures("resnet18");
    run.host(["fit", "run.toml", "--run-dir", "auto"]).succeeded();
    let off = ["--set", "trainer.channels_last=false", "--set", "trainer.max_epochs=1"];
    run.host([&["fit", "run.toml", "--run-dir", "off"], &off[..]].concat()).succeeded();
    assert_eq!((is_last(&run, "auto"), is_last(&run, "off")), (true.into(), false.into()));
    let first =
        |run_dir: &str| run.records_of(run_dir, "metrics.jsonl")[0]["train_loss_step"].as_f64().unwrap();
    assert!((first("auto") - first("off")).abs() < 1e-5 * first("off"), "{} {}", first("auto"), first("off"));
    let shape = |run_dir: &str| {
        let path = run.folder().join(run_dir).join("checkpoints/last/model.safetensors");
        read_tensors(&path)
            .unwrap()
            .into_iter()
            .map(|(name, values)| (name, values.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shape("auto"), shape("off"), "files are the same to whoever reads them");
}

#[test]
fn a_resumed_run_keeps_the_layout_it_had() {
    let run = pictures("resnet18");
    run.host(["fit", "run.toml", "--run-dir", "straight"]).succeeded();
    for (set, kept) in [("auto", true), ("false", false)] {
        let set = format!("trainer.channels_last={set}");
        let first = ["--set", &set, "--set", "trainer.max_epochs=1"];
        run.host([&["fit", "run.toml", "--run-dir", &set][..], &first].concat()).succeeded();
        // The run config leaves it open.
        run.host(["fit", "run.toml", "--resume", &set]).succeeded();
        assert_eq!(is_last(&run, &set), kept, "{set}");
    }
    let of = |run_dir: &str| Outcome::of(&run.folder().join(run_dir));
    of("straight").assert_same(&run.folder().join("trainer.channels_last=auto"), "resumed");
    run.host([
        "fit",
        "run.toml",
        "--resume",
        "straight",
        "--set",
        "trainer.max_epochs=3",
        "--set",
        "trainer.channels_last=false",
    ])
    .succeeded();
    assert_eq!(is_last(&run, "straight"), false);
}

#[test]
fn models_that_lose_by_it_keep_pytorchs_layout() {
    let run = pictures("vit-ti-16");
    run.fit(&["--set", "model.image_size=32", "--set", "trainer.max_epochs=1"]).succeeded();
    assert_eq!(is_last(&run, "run"), false);
    let texts = tiny_text::classifier("[optimizer]\nid = \"sgd\"\nlr = 0.05\n[trainer]\nmax_epochs = 1\n");
    texts.fit(&[]).succeeded();
    assert_eq!(is_last(&texts, "run"), false);
    run.fit(&["--set", "trainer.channels_last=\"last\""])
        .failed(2, &["channels_last", "\"auto\", true or false"]);
}

#[test]
fn a_checkpoint_of_a_version_that_did_not_say_it_keeps_pytorchs_layout() {
    let run = pictures("resnet18");
    run.fit(&["--set", "trainer.max_epochs=1", "--set", "trainer.channels_last=false"]).succeeded();
    let last = run.run_dir().join("checkpoints/last");
    forget(&last);
    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    assert_eq!(is_last(&run, "run"), false);
}

/// Takes the key out of a checkpoint.
fn forget(checkpoint: &Path) {
    let path = checkpoint.join("state.json");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state.as_object_mut().unwrap().remove("channels_last").unwrap();
    std::fs::write(&path, state.to_string()).unwrap();
    std::fs::remove_file(checkpoint.join("state.sha256")).unwrap();
}
