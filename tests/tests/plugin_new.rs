//! `host plugin new`: from an empty folder outside of the workspace to a plugin that trains.

use std::path::PathBuf;

use thaw_tests::{Finished, Run, cargo_outside, outside_target};

/// Generates, formats, lints, builds, tests, inspects, checks and runs a crate of this kind.
fn author(kind: &str, config: &str) -> Run {
    let run = Run::new("");
    let name = format!("outside-{kind}");
    let made = run.host(["plugin", "new", &name, "--kind", kind]).succeeded();
    for text in [format!("cd {name} && cargo test"), "cargo build && ".to_owned(), "fit run.toml".to_owned()]
    {
        assert!(made.stdout.contains(&text), "the next commands are told: {made}");
    }
    let folder = run.folder().join(&name);
    cargo_outside(&folder, &["fmt", "--check"]);
    cargo_outside(&folder, &["clippy", "--quiet", "--all-targets", "--", "-D", "warnings"]);
    cargo_outside(&folder, &["build", "--quiet"]);
    let tested = cargo_outside(&folder, &["test", "--quiet"]);
    assert!(tested.stdout.contains("2 passed"), "{tested}");
    let shown = host(&run, &name, &["plugin", "inspect", &name]).succeeded();
    for text in [format!("{kind} {name}"), config.to_owned()] {
        assert!(shown.stdout.contains(&text), "{text} in {shown}");
    }
    let checked = host(&run, &name, &["plugin", "check", &name, "--strict"]).succeeded();
    assert!(checked.stdout.contains(" passed in ") && !checked.stdout.contains(" skipped"), "{checked}");
    host(&run, &name, &["fit", "run.toml", "--run-dir", "../run"]).succeeded();
    run
}

/// The program in the crate's folder, as the author's next commands start it.
fn host(run: &Run, name: &str, arguments: &[&str]) -> Finished {
    let plugins: PathBuf = outside_target().join("debug");
    run.host_in(name, [&["--plugin-dir", plugins.to_str().unwrap()], arguments].concat())
}

#[test]
fn a_new_strategy_thaws_what_its_config_says() {
    let run = author("strategy", "unfreeze_at_epoch");
    let trainable = |epoch: usize| run.groups()[epoch]["trainable"].as_array().unwrap().len();
    assert_eq!([trainable(1), trainable(2)], [2, 6]);
}

#[test]
fn a_new_callback_stops_the_run() {
    let run = author("callback", "patience");
    let epochs = run.groups().len();
    assert!(epochs < 20, "the run had {epochs} of 20 epochs");
}

#[test]
fn a_new_model_learns() {
    let run = author("model", "num_classes");
    let last = run.metrics().pop().unwrap();
    assert!(last["val_acc"].as_f64().unwrap() > 0.9, "rings are easy: {last}");
}

#[test]
fn a_new_data_set_is_learned_from_and_tested_on() {
    let run = author("dataset", "radius");
    let last = run.metrics().pop().unwrap();
    assert!(last["val_acc"].as_f64().unwrap() > 0.9, "rings are easy: {last}");
    let tested = host(&run, "outside-dataset", &["test", "--checkpoint", "../run", "--json"]).succeeded();
    assert!(
        tested.stdout.contains("\"samples\": 25") || tested.stdout.contains("\"samples\":25"),
        "{tested}"
    );
}

#[test]
fn a_crate_is_not_written_over_something() {
    let run = Run::new("");
    run.write("mine/notes.txt", "mine");
    run.host(["plugin", "new", "mine"]).failed(2, &["mine is there already", "another name"]);
    run.host(["plugin", "new", "Mine"]).failed(2, &["`Mine`", "a-z"]);
    run.host(["plugin", "new", "yours", "--api-path", "mine"])
        .failed(2, &["--api-path mine", "Cargo.toml", "plugin-api"]);
    assert!(!run.folder().join("yours").exists());
}
