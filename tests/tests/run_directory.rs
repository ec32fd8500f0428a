//! What a run writes is its own: others' records and checkpoints, and those of before, stay as they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use thaw_tests::{Outcome, Run, case};

const EPOCHS: usize = 3;

fn run(more: &str) -> Run {
    Run::new(&format!(
        "{}[optimizer]\nid = \"adamw\"\nlr = 0.01\n[[callbacks]]\nid = \"case-stop\"\n\
         [trainer]\nmax_epochs = {EPOCHS}\n[checkpoint]\nsave_top_k = -1\n{more}",
        case("bb_steplr").replace("plugins = [", "plugins = [\"case_strategies\", \"faulty\", "),
    ))
}

/// Every file of a folder by its path; links by where they lead.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if let Ok(target) = fs::read_link(&entry) {
            files.insert(entry, target.to_str().unwrap().as_bytes().to_vec());
        } else if entry.is_dir() {
            files.extend(self::files(&entry));
        } else if entry.file_name().unwrap() != "run.lock" {
            files.insert(entry.clone(), fs::read(&entry).unwrap());
        }
    }
    files
}

/// The checkpoints of a run in their order.
fn checkpoints(run_dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(run_dir.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path());
    let mut checkpoints: Vec<PathBuf> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("epoch=")).collect();
    checkpoints.sort();
    checkpoints
}

#[test]
fn another_runs_directory_is_not_written_over() {
    let run = run("");
    run.fit(&[]).succeeded();
    run.host(["fit", "run.toml", "--run-dir", "other", "--set", "seed=2"]).succeeded();
    let before = files(&run.folder().join("other"));
    run.resume(&["--run-dir", "other"]).failed(2, &["other", "holds something already"]);
    assert!(files(&run.folder().join("other")) == before);
}

#[test]
fn a_resume_that_is_refused_leaves_the_run_as_it_was() {
    let run = run("[[callbacks]]\nid = \"faulty-callback\"\n");
    run.fit(&[]).succeeded();
    let (before, first) = (files(&run.run_dir()), checkpoints(&run.run_dir()).remove(0));
    let refused =
        ["fit", "run.toml", "--set", "callbacks.1.hook=load_state", "--resume", first.to_str().unwrap()];
    run.host(refused).failed(3, &["told to fail in load_state"]);
    assert!(files(&run.run_dir()) == before);
    // Elsewhere nothing is left of it.
    run.host(refused.iter().chain(&["--run-dir", "other"])).failed(3, &["told to fail in load_state"]);
    assert!(!run.folder().join("other").exists());
}

#[test]
fn records_that_are_missing_are_told() {
    let run = run("");
    run.fit(&[]).succeeded();
    fs::write(run.run_dir().join("metrics.jsonl"), "{}\n").unwrap();
    run.resume(&[]).failed(1, &["run/metrics.jsonl", "it ends after 3 bytes", "remove it to go on"]);
    fs::remove_file(run.run_dir().join("metrics.jsonl")).unwrap();
    run.resume(&["--set", "trainer.max_epochs=4"])
        .succeeded()
        .says("metrics.jsonl: the records from before the checkpoint are not there");
    assert_eq!(run.metrics().len(), 1);
}

#[test]
fn a_run_killed_after_it_went_back_goes_on_from_there() {
    let run = run("");
    run.fit(&[]).succeeded();
    let straight = Outcome::of(&run.run_dir());
    let first = checkpoints(&run.run_dir()).remove(0);
    let step = run.json(first.join("state.json").to_str().unwrap())["global_step"].as_u64().unwrap();
    let (at_step, how) = (format!("callbacks.0.at_step={}", step + 1), "callbacks.0.how=kill");
    let killed =
        run.host(["fit", "run.toml", "--set", &at_step, "--set", how, "--resume", first.to_str().unwrap()]);
    assert_eq!(killed.code(), None, "{killed}");
    let last = fs::canonicalize(run.run_dir().join("checkpoints/last")).unwrap();
    assert_eq!(last, fs::canonicalize(&first).unwrap());
    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    straight.assert_same(&run.run_dir(), "killed after it went back");
}

#[test]
fn the_best_checkpoint_comes_along_into_another_directory() {
    // The first one is the best.
    let run = run("mode = \"max\"\n");
    run.fit(&[]).succeeded();
    let names = checkpoints(&run.run_dir());
    run.host(["fit", "--run-dir", "other", "--resume", names[1].to_str().unwrap()]).succeeded();
    let best = fs::read_link(run.folder().join("other/checkpoints/best")).unwrap();
    assert_eq!(Some(best.as_os_str()), names[0].file_name());
    run.host(["validate", "--checkpoint", "other/checkpoints/best"]).succeeded();
}

#[test]
fn what_a_killed_run_left_unfinished_goes() {
    let run = run("");
    run.fit(&[]).succeeded();
    run.write("run/checkpoints/.writing-abc/model.safetensors", "half");
    run.resume(&["--set", "trainer.max_epochs=4"]).succeeded();
    let hidden = |path: &Path| path.file_name().unwrap().to_str().unwrap().starts_with('.');
    let left: Vec<PathBuf> =
        fs::read_dir(run.run_dir().join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!left.iter().any(|path| hidden(path)), "{left:?}");
}

#[test]
fn a_run_config_that_cannot_start_leaves_no_run_directory() {
    let run = run("");
    run.fit(&["--set", "optimizer.parameters=[\"haed\"]"]).failed(2, &["`haed`"]);
    assert!(!run.run_dir().exists());
    run.fit(&[]).succeeded();
}

#[test]
fn a_run_that_cannot_start_leaves_the_users_folder_and_says_why_alone() {
    let run = run("");
    fs::create_dir(run.run_dir()).unwrap();
    let refused = run.fit(&["--set", "optimizer.parameters=[\"nothing\"]"]).failed(2, &["nothing"]);
    refused.does_not_say("records are lost");
    assert!(run.run_dir().is_dir());
    assert_eq!(fs::read_dir(run.run_dir()).unwrap().count(), 0);
}

#[test]
fn checkpoints_that_the_last_hooks_ask_for_are_written() {
    let steps = [&[][..], &["--set", "trainer.max_steps=3"]];
    for (hook, stopped) in ["on_train_epoch_end", "on_train_end", "on_fit_end"]
        .iter()
        .flat_map(|hook| steps.map(|steps| (hook, steps)))
    {
        let run =
            run(&format!("[[callbacks]]\nid = \"case-checkpoint\"\nhook = \"{hook}\"\nname = \"mine\"\n"));
        run.fit(stopped).succeeded();
        let expected = if stopped.is_empty() {
            run.json("checkpoints/last/state.json")["global_step"].clone()
        } else {
            3.into()
        };
        assert_eq!(run.json("checkpoints/mine/state.json")["global_step"], expected, "{hook} {stopped:?}");
    }
}

#[test]
fn a_name_that_no_checkpoint_can_have_is_refused_where_it_is_asked_for() {
    for name in ["last", "best", "a/b", ".hidden"] {
        let run = run(&format!(
            "[[callbacks]]\nid = \"case-checkpoint\"\nhook = \"on_train_epoch_end\"\nname = \"{name}\"\n"
        ));
        run.fit(&[]).failed(3, &["case-checkpoint", "on_train_epoch_end", &format!("`{name}`")]);
    }
}

#[test]
fn no_checkpoint_is_the_best_where_none_is_to_be_kept() {
    let run = run("").fit(&["--set", "checkpoint.save_top_k=0"]).succeeded();
    assert!(!run.stdout.contains("best"), "{run}");
}

#[test]
fn every_teardown_runs_though_one_fails() {
    let run = run("[[callbacks]]\nid = \"faulty-callback\"\nhook = \"teardown\"\n[[callbacks]]\nid \
         = \"case-hooks\"\nfile = \"hooks.txt\"\n");
    run.fit(&[]).failed(3, &["told to fail in teardown"]);
    let hooks = fs::read_to_string(run.folder().join("hooks.txt")).unwrap();
    assert_eq!(hooks.lines().last(), Some("teardown"));
}

#[test]
fn an_interrupted_run_without_checkpoints_says_that_there_is_none() {
    let run = run("enabled = false\n");
    let ended = run.fit(&["--set", "callbacks.0.at_step=1", "--set", "callbacks.0.how=interrupt"]);
    ended.interrupted().says("there is no checkpoint to go on from");
}

#[test]
fn a_plugin_that_is_another_file_than_the_run_had_is_told() {
    let run = run("");
    run.fit(&[]).succeeded();
    let mut plugins = run.json("plugins.json");
    run.host(["validate", "--checkpoint", "run"]).succeeded().does_not_say("another file");
    plugins[0]["sha256"] = "0".repeat(64).into();
    run.write("run/plugins.json", plugins.to_string());
    run.host(["validate", "--checkpoint", "run"]).succeeded().says("this is another file than the run had");
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let run = run("");
    for (folder, reader) in [("out", "2>/dev/null | head -1"), ("log", "2>&1 >/dev/null | head -c 0")] {
        let script = format!("\"$0\" fit run.toml --run-dir {folder} {reader}");
        let mut shell = std::process::Command::new("sh");
        shell
            .arg("-c")
            .arg(script)
            .arg(thaw_tests::host())
            .current_dir(run.folder())
            .env("CUDA_VISIBLE_DEVICES", "");
        thaw_tests::Finished::run(shell).succeeded();
        assert_eq!(checkpoints(&run.folder().join(folder)).len(), EPOCHS, "{folder}");
    }
}
