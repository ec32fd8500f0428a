//! `host sweep`: many runs of one run config.

use serde_json::Value;
use thaw_tests::{Outcome, Run, fixtures};

/// A classification of some epochs of four batches, each over at once.
fn run(epochs: usize, more: &str) -> Run {
    let file = |name: &str| fixtures().join("loss").join(name);
    Run::new(&format!(
        "seed = 1\nplugins = [\"case_model\", \"case_strategies\"]\n[model]\nid = \"case-model\"\ncase = \
         {:?}\ntask = \"classification\"\n[data]\nkind = \"tensors\"\npath = {:?}\nbatch_size = \
         4\n[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = {epochs}\n{more}",
        file("classes.json"),
        file("classes.safetensors"),
    ))
}

fn json(run: &Run, words: &[&str]) -> Value {
    let text = run.host(["sweep", "--json"].iter().chain(words)).succeeded().stdout;
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
}

fn column<'v>(sweep: &'v Value, key: &str) -> Vec<&'v Value> {
    sweep["trials"].as_array().unwrap().iter().map(|trial| &trial[key]).collect()
}

#[test]
fn a_sweep_trains_what_fit_trains_and_compares_it() {
    let run = run(2, "");
    let grid =
        ["run.toml", "--grid", "optimizer.lr=0.5,0.05", "--seeds", "2", "--sweep-dir", "s", "--jobs", "2"];
    let sweep = json(&run, &grid);
    assert_eq!(column(&sweep, "end"), ["done"; 4], "{sweep}");
    assert_eq!(
        column(&sweep, "name"),
        ["1-lr=0.5-seed=1", "2-lr=0.5-seed=2", "3-lr=0.05-seed=1", "4-lr=0.05-seed=2"]
    );
    let alone = ["fit", "run.toml", "--run-dir", "alone", "--set", "optimizer.lr=0.05", "--set", "seed=2"];
    run.host(alone).succeeded();
    Outcome::of(&run.folder().join("alone")).assert_same(&run.folder().join("s/4-lr=0.05-seed=2"), "alone");

    // Mean and standard deviation over seeds, best first.
    let best = |index: usize| sweep["trials"][index]["best"]["value"].as_f64().unwrap();
    let settings = sweep["settings"].as_array().unwrap();
    assert_eq!((settings.len(), &settings[0]["trials"]), (2, &Value::from(2)), "{sweep}");
    for setting in settings {
        let at = if setting["setting"][0] == "optimizer.lr=0.5" { 0 } else { 2 };
        let (one, other) = (best(at), best(at + 1));
        assert!((setting["mean"].as_f64().unwrap() - (one + other) / 2.0).abs() < 1e-12, "{sweep}");
        let std = (one - other).abs() / 2.0_f64.sqrt();
        assert!((setting["std"].as_f64().unwrap() - std).abs() < 1e-12, "{sweep}");
    }
    assert!(settings[0]["mean"].as_f64() <= settings[1]["mean"].as_f64());
    let page = std::fs::read_to_string(run.folder().join("s/comparison.html")).unwrap();
    assert!(page.contains("<code>optimizer.lr</code>") && page.contains("4-lr=0.05-seed=2"), "{page}");

    // Options of the program are passed on.
    let refused =
        run.host(["--plugin", "./nowhere.so", "sweep", "run.toml", "--seeds", "1", "--sweep-dir", "p"]);
    refused.failed(3, &["1 of 1 trials failed"]).says("nowhere.so");

    // What is done is kept, and a table says the same.
    let again = run.host(["sweep", "--resume", "s"]).succeeded();
    again.says("trial 4/4  4-lr=0.05-seed=2  was done: val_loss");
    let text = run.host(["sweep", "--resume", "s", "-q"]).succeeded().stdout;
    assert!(text.contains("optimizer.lr=0.05 seed=2") && text.contains("best val_loss over seeds"), "{text}");
    assert_eq!(run.host(["runs", "s"]).succeeded().stdout.lines().count(), 5);
}

#[test]
fn a_trial_that_fails_is_named_and_the_others_go_on() {
    let run = run(2, "[[callbacks]]\nid = \"case-stop\"\nat_step = 2\n");
    let words = ["sweep", "run.toml", "--grid", "callbacks.0.how=fail,request", "--sweep-dir", "s"];
    let finished = run.host(words);
    let finished = finished.failed(2, &["1 of 2 trials failed: 1-how=fail", "--resume s"]);
    finished.says("trial 2/2  2-how=request  done").says("1-how=fail  failed (exit code 2)");
    let log = std::fs::read_to_string(run.folder().join("s/logs/1-how=fail.log")).unwrap();
    assert!(log.contains("error: ") && log.contains("expected one of request"), "{log}");
}

#[test]
fn an_interrupted_trial_goes_on_from_its_last_checkpoint() {
    let run = run(3, "[[callbacks]]\nid = \"case-stop\"\nat_step = 600\nhow = \"interrupt\"\n");
    run.host(["fit", "run.toml", "--run-dir", "straight"]).succeeded();
    let words = ["sweep", "run.toml", "--grid", "callbacks.0.at_step=6,600", "--sweep-dir", "s"];
    let finished = run.host(words);
    assert_eq!(finished.code(), Some(130), "{finished}");
    finished.says("1-at_step=6  interrupted").says("2-at_step=600  done").says("sweep --resume s");
    let again = run.host(["sweep", "--resume", "s"]).succeeded();
    again.says("1-at_step=6  goes on from its last checkpoint").says("2-at_step=600  was done");
    let straight = Outcome::of(&run.folder().join("straight"));
    straight.assert_same(&run.folder().join("s/1-at_step=6"), "resumed by the sweep");
    assert_eq!(run.records_of("s/1-at_step=6", "resumes.jsonl").len(), 1);
}

#[test]
fn ctrl_c_ends_trials_with_a_checkpoint_and_a_killed_sweep_goes_on() {
    let run = run(60, "");
    run.host(["fit", "run.toml", "--run-dir", "straight"]).succeeded();
    let straight = Outcome::of(&run.folder().join("straight"));
    let mut sweep = run.start(["sweep", "run.toml", "--seeds", "2", "--sweep-dir", "s", "--jobs", "2"]);
    sweep.prints("2-seed=2  begins");
    sweep.interrupt();
    let finished = sweep.finish();
    assert_eq!(finished.code(), Some(130), "{finished}");
    finished.says("interrupted").says("stopped; go on with");
    // A sweep that is killed takes its trials with it, which leave a checkpoint.
    let mut sweep = run.start(["sweep", "--resume", "s", "--jobs", "2"]);
    sweep.prints("trial 2/2  2-seed=2  ");
    sweep.kill();
    sweep.finish();
    run.host(["sweep", "--resume", "s"]).succeeded();
    straight.assert_same(&run.folder().join("s/1-seed=1"), "resumed by the sweep");
}

#[test]
fn the_median_rule_ends_a_trial_that_is_worse_than_the_others() {
    let run = run(150, "");
    let words =
        ["run.toml", "--grid", "optimizer.lr=0.5,0.4,1e-6", "--sweep-dir", "s", "--median-after", "2"];
    let sweep = json(&run, &[&words[..], &["--median-trials", "2"]].concat());
    assert_eq!(column(&sweep, "end"), ["done", "done", "ended early"], "{sweep}");
    assert_eq!(column(&sweep, "state"), ["done"; 3]);
    let epochs = sweep["trials"][2]["epochs"].as_u64().unwrap();
    assert!((2..150).contains(&epochs), "{epochs}");
    let history = run.records_of("s/3-lr=1e-6", "history.jsonl");
    let ended = history.last().unwrap();
    assert_eq!(ended["ending"], "stopped", "{ended}");
    let reason = ended["reason"].as_str().unwrap();
    assert!(reason.contains("worse than the median") && reason.contains("of 2 trials"), "{reason}");
}

#[test]
fn what_cannot_be_swept_is_refused_before_a_trial_begins() {
    let run = run(2, "");
    for (words, expected) in [
        (&["--grid", "optimizer.lrr=1,2"][..], "did you mean"),
        (&["--grid", "optimizer.lr=1e-4..1e-2"], "--sample"),
        (&["--grid", "optimizer.lr=1", "--set", "optimizer.lr=2"], "optimizer.lr: its values come from one"),
        (&["--grid", "seed=1,2", "--seeds", "2"], "seed: its values come from one"),
        (&["--sample", "optimizer.lr=log:0..1", "--random", "2"], "above 0"),
        (&["--sample", "optimizer.lr=log:1e-4..1"], "--random"),
        (&["--grid", "trainer.max_epochs=2,none"], "trainer.max_epochs"),
        (&[], "--grid KEY=VALUE,VALUE"),
    ] {
        run.host(["sweep", "run.toml"].iter().chain(words)).failed(2, &[expected]);
        assert!(!run.folder().join("sweeps").exists(), "{words:?}");
    }
    run.host(["sweep", "--resume", "nowhere"]).failed(2, &["nowhere: there is no sweep in it"]);
    run.write("full/file", "");
    run.host(["sweep", "run.toml", "--seeds", "1", "--sweep-dir", "full"])
        .failed(2, &["full: the folder holds"]);
}

#[test]
fn a_dry_run_shows_the_trials_and_the_same_draws_come_again() {
    let run = run(2, "");
    let words =
        ["sweep", "run.toml", "--sample", "optimizer.lr=log:1e-4..1e-1", "--random", "3", "--dry-run"];
    let text = run.host(words).succeeded().stdout;
    assert_eq!(text.lines().count(), 3, "{text}");
    assert_eq!(run.host(words).succeeded().stdout, text);
    assert!(!run.folder().join("sweeps").exists());
}

#[test]
fn a_sweep_that_was_moved_goes_on() {
    let run = run(3, "[[callbacks]]\nid = \"case-stop\"\nat_step = 600\nhow = \"interrupt\"\n");
    std::fs::create_dir(run.folder().join("before")).unwrap();
    std::fs::rename(run.folder().join("run.toml"), run.folder().join("before/run.toml")).unwrap();
    let words = ["sweep", "run.toml", "--grid", "callbacks.0.at_step=6,600", "--sweep-dir", "s"];
    assert_eq!(run.host_in("before", words).code(), Some(130));
    // With its project, and then without the run config.
    std::fs::rename(run.folder().join("before"), run.folder().join("after")).unwrap();
    std::fs::remove_file(run.folder().join("after/run.toml")).unwrap();
    let again = run.host_in("after", ["sweep", "--resume", "s"]).succeeded();
    again.says("1-at_step=6  goes on from its last checkpoint");
    assert_eq!(run.records_of("after/s/1-at_step=6", "resumes.jsonl").len(), 1);
}

#[test]
fn trials_that_start_together_compute_what_is_frozen_once() {
    let run = run(2, "").env("THAW_CACHE", "cache");
    let head = "optimizer.parameters=[\"head\"]";
    let grid = "optimizer.lr=0.1,0.2,0.3,0.4";
    let words = ["run.toml", "--set", head, "--grid", grid, "--sweep-dir", "s", "--jobs", "4"];
    let sweep = json(&run, &words);
    for split in ["train", "val"] {
        let taken = column(&sweep, "name").into_iter().map(|name| {
            let history = run.records_of(&format!("s/{}", name.as_str().unwrap()), "history.jsonl");
            let is_of_split = |record: &&Value| record["event"] == "frozen_cache" && record["split"] == split;
            history.iter().find(is_of_split).unwrap_or_else(|| panic!("{history:?}"))["taken"].clone()
        });
        let computed = taken.filter(|taken| *taken == false).count();
        assert_eq!(computed, 1, "{split}: one computes, the others wait for it");
    }
    let left = std::fs::read_dir(run.folder().join("cache/frozen")).unwrap().count();
    assert_eq!(left, 2, "features of training and of validation, no locks");
}

#[test]
fn a_sweep_whose_config_has_changed_is_not_gone_on_with() {
    let run = run(1, "");
    run.host(["sweep", "run.toml", "--seeds", "1", "--sweep-dir", "s"]).succeeded();
    let text = std::fs::read_to_string(run.folder().join("run.toml")).unwrap();
    run.write("run.toml", text.replace("lr = 0.1", "lr = 0.2"));
    run.host(["sweep", "--resume", "s"]).failed(2, &["run.toml: the run config has changed"]);
}
