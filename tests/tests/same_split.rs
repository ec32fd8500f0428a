//! A run and what comes after it validate on the same samples, however the path of the data is spelled.

use image::{Rgb, RgbImage};
use serde_json::Value;
use thaw_tests::{Outcome, Run};

/// A small classifier on pictures whose classes cannot be told apart: a metric says which samples it is of.
fn run(data: &str) -> Run {
    let run = Run::new(&format!(
        "seed = 5\nplugins = [\"autoencoder\"]\n\
         [model]\nid = \"autoencoder-classifier\"\nhidden_dim = 16\nlatent_dim = 8\nnum_classes = 2\n\
         [data]\n{data}\nval_split = 0.3\nbatch_size = 8\nworkers = 0\n\
         [optimizer]\nid = \"adam\"\nlr = 0.01\n[trainer]\nmax_epochs = 4\n"
    ));
    let mut list = "path,label\n".to_owned();
    for number in 0..40_u32 {
        let class = ["cat", "dog"][number as usize % 2];
        let name = format!("{class}/{number:02}.png");
        let level = |x: u32, y: u32| (number * 37 + x * (number + 3) + y * (number * number + 1)) as u8;
        let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([level(x, y), level(y, x), level(x + y, 1)]));
        picture.save(run.write(&format!("photos/{name}"), "")).unwrap();
        list += &format!("{name},{class}\n");
    }
    run.write("photos/list.csv", list);
    run
}

const KINDS: [&str; 2] = [
    "kind = \"image-folder\"\npath = \"photos\"\nimage_size = 32",
    "kind = \"list\"\npath = \"photos/list.csv\"\nimage_size = 32",
];

fn validated(run: &Run, more: &[&str]) -> Value {
    let arguments = ["validate", "--checkpoint", "run/checkpoints/last", "--json"];
    let text = run.host(arguments.iter().chain(more)).succeeded().stdout;
    serde_json::from_str::<Value>(&text).unwrap()["metrics"].clone()
}

/// The metrics of validation in the run's last record.
fn recorded(run: &Run) -> Value {
    let last = run.metrics().pop().unwrap();
    let of_validation = last.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("val_"));
    Value::Object(of_validation.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[test]
fn validating_a_checkpoint_gives_the_metrics_of_its_run() {
    for kind in KINDS {
        let run = run(kind);
        run.fit(&[]).succeeded();
        let expected = recorded(&run);
        assert!(expected["val_loss"].is_f64(), "{expected}");
        assert_eq!(validated(&run, &[]), expected, "{kind}");
        let file = if kind.contains("list") { "/list.csv" } else { "" };
        for path in ["photos", "./photos", "photos/../photos"] {
            let set = format!("data.path={path}{file}");
            assert_eq!(validated(&run, &["--set", &set]), expected, "{set}");
        }
        std::fs::rename(run.folder().join("photos"), run.folder().join("moved")).unwrap();
        let set = format!("data.path=moved{file}");
        assert_eq!(validated(&run, &["--set", &set]), expected, "{set}");
    }
}

#[test]
fn a_resumed_run_trains_on_the_samples_of_an_uninterrupted_one() {
    for kind in KINDS {
        let run = run(kind);
        run.fit(&[]).succeeded();
        let straight = Outcome::of(&run.run_dir());
        std::fs::remove_dir_all(run.run_dir()).unwrap();
        run.fit(&["--set", "trainer.max_epochs=2"]).succeeded();
        run.resume(&["--set", "trainer.max_epochs=4"]).succeeded();
        straight.assert_same(&run.run_dir(), kind);
    }
}

#[test]
fn a_validation_on_samples_that_were_trained_on_is_said() {
    let run = run(KINDS[0]);
    run.fit(&[]).succeeded();
    let validate = |set: &[&str]| {
        let words = ["validate", "--checkpoint", "run/checkpoints/last"];
        run.host(words.iter().chain(set)).succeeded().stderr
    };
    assert!(!validate(&["--set", "data.split_seed=0"]).contains("trained on"));
    for other in ["data.split_seed=3", "data.val_split=0.5"] {
        assert!(validate(&["--set", other]).contains("which the run has trained on"), "{other}");
    }
}

#[test]
fn nothing_left_to_train_is_said() {
    let run = run(KINDS[0]);
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let again = run.resume(&[]).succeeded();
    assert!(again.stdout.contains("nothing is left to train of 1 epochs"), "{again}");
}

#[test]
fn a_checkpoint_of_a_version_that_split_by_spelling_keeps_its_split() {
    let run = run(KINDS[0]);
    run.fit(&[]).succeeded();
    let expected = recorded(&run);
    // Those versions wrote neither the rule nor a checksum of the state.
    let path = run.run_dir().join("checkpoints/last/state.json");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(state.as_object_mut().unwrap().remove("split_by").is_some());
    std::fs::write(&path, state.to_string()).unwrap();
    std::fs::remove_file(path.with_file_name("state.sha256")).unwrap();
    let arguments = ["validate", "--checkpoint", "run/checkpoints/last", "--json"];
    let absolute = format!("data.path={}", run.folder().join("photos").display());
    let there = run.host(arguments).succeeded().says("as they were spelled").says("\"photos\"");
    let again = run.host(arguments.iter().copied().chain(["--set", absolute.as_str()])).succeeded();
    assert_eq!(there.stdout, again.stdout, "by the spelling of the run, not by that of today");
    let found: Value = serde_json::from_str(&there.stdout).unwrap();
    assert_ne!(found["metrics"], expected, "the rule was another one");
}
