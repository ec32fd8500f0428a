//! `host runs`: runs beside each other.

use serde_json::Value;
use thaw_tests::{Finished, Run, fixtures};

/// A folder with runs of three rates, of which the last is cut short.
fn sweep() -> Run {
    let file = |name: &str| fixtures().join("loss").join(name);
    let run = Run::new(&format!(
        "seed = 1\nplugins = [\"case_model\"]\n[model]\nid = \"case-model\"\ncase = {:?}\ntask = \
         \"classification\"\n[data]\nkind = \"tensors\"\npath = {:?}\nbatch_size = 4\n[optimizer]\nid = \
         \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = 3\nmetrics = [\"f1_macro\"]\n",
        file("classes.json"),
        file("classes.safetensors"),
    ));
    for (name, lr) in [("a", "0.001"), ("b", "0.5"), ("c", "0.05")] {
        fit(&run, name, lr).succeeded();
    }
    let history = run.folder().join("runs/c/history.jsonl");
    let text = std::fs::read_to_string(&history).unwrap();
    let cut: Vec<&str> = text.lines().filter(|line| !line.contains("\"ended\"")).collect();
    std::fs::write(&history, cut.join("\n") + "\n").unwrap();
    run.write("runs/notes/readme.txt", "no run");
    run
}

fn fit(run: &Run, name: &str, lr: &str) -> Finished {
    let (folder, lr) = (format!("runs/{name}"), format!("optimizer.lr={lr}"));
    run.host(["fit", "run.toml", "--run-dir", &folder, "--set", &lr])
}

fn listed(run: &Run, words: &[&str]) -> Vec<Value> {
    let text = run.host(["runs", "--json"].iter().chain(words)).succeeded().stdout;
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
}

fn names(runs: &[Value]) -> Vec<&str> {
    runs.iter().map(|run| run["name"].as_str().unwrap()).collect()
}

/// The least `val_loss` of a run.
fn least(run: &Run, name: &str) -> f64 {
    let records = run.records_of(&format!("runs/{name}"), "metrics.jsonl");
    records.iter().filter_map(|record| record["val_loss"].as_f64()).fold(f64::INFINITY, f64::min)
}

#[test]
fn runs_are_listed_with_state_best_epoch_and_what_differs() {
    let run = sweep();
    let runs = listed(&run, &[]);
    assert_eq!(names(&runs), ["a", "b", "c"]);
    for found in &runs {
        let name = found["name"].as_str().unwrap();
        assert_eq!((&found["epochs"], &found["max_epochs"]), (&Value::from(3), &Value::from(3)));
        assert_eq!(found["best"]["value"].as_f64(), Some(least(&run, name)), "{found}");
        assert!(found["seconds"].is_f64(), "{found}");
        assert_eq!(found["settings"].as_object().unwrap().len(), 1, "{found}");
    }
    let of = |key: &str| -> Vec<&Value> { runs.iter().map(|run| &run[key]).collect() };
    assert_eq!(of("state"), ["done", "done", "gone"]);
    assert_eq!(of("resumable"), [false, false, true]);
    assert_eq!(runs[1]["settings"]["optimizer.lr"], "0.5");

    let text = run.host(["runs"]).succeeded().stdout;
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.contains("gone, resumable  3/3") && text.contains("optimizer.lr=0.05"), "{text}");
    assert_eq!(names(&listed(&run, &["runs/b"])), ["b"]);
}

#[test]
fn runs_are_sorted_best_first_and_filtered() {
    let run = sweep();
    let mut expected = ["a", "b", "c"].map(|name| (least(&run, name), name));
    expected.sort_by(|one, other| one.0.total_cmp(&other.0));
    let sorted = listed(&run, &["--sort", "val_loss"]);
    assert_eq!(names(&sorted), expected.map(|(_, name)| name));
    let scores = listed(&run, &["--sort", "val_f1_macro"]);
    let scores: Vec<f64> = scores.iter().map(|run| run["best"]["value"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|one, other| one >= other), "more of a score is better: {scores:?}");

    assert_eq!(names(&listed(&run, &["--filter", "state=done"])), ["a", "b"]);
    assert_eq!(names(&listed(&run, &["--filter", "state=resumable"])), ["c"]);
    assert_eq!(names(&listed(&run, &["--filter", "optimizer.lr=5e-1"])), ["b"]);
    assert!(listed(&run, &["--filter", "state=done", "--filter", "optimizer.lr=0.05"]).is_empty());
    run.host(["runs", "--sort", "val_los"]).failed(2, &["--sort val_los", "did you mean `val_loss`?"]);
    run.host(["runs", "--filter", "optimizer.lrr=1"])
        .failed(2, &["optimizer.lrr", "did you mean `optimizer.lr`?"]);
    run.host(["runs", "--filter", "state=doen"])
        .failed(2, &["expected one of running", "did you mean `done`?"]);
    run.host(["runs", "--filter", "done"]).failed(2, &["--filter", "KEY=VALUE"]);
    run.host(["runs", "runs/notes"]).failed(2, &["runs/notes", "no run"]);
}

#[test]
fn all_that_differs_is_listed_however_long_it_is() {
    let run = sweep();
    let more =
        ["--set", "optimizer.momentum=0.125", "--set", "trainer.log_every_n_steps=3", "--set", "seed=77"];
    let words = ["fit", "run.toml", "--run-dir", "runs/d", "--set", "optimizer.weight_decay=0.0625"];
    run.host(words.iter().chain(&more)).succeeded();
    let text = run.host(["runs"]).succeeded().stdout;
    for key in ["optimizer.momentum=0.125", "trainer.log_every_n_steps=3", "seed=77", "weight_decay=0.0625"] {
        assert!(text.contains(key), "{key} in {text}");
    }
}

#[test]
fn a_run_that_cannot_be_read_is_told_and_the_others_listed() {
    let run = sweep();
    run.write("runs/b/metrics.jsonl", "no record\nnor this\n");
    let finished = run.host(["runs", "--json"]).succeeded().says("left out: runs/b/metrics.jsonl");
    let runs: Vec<Value> = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(names(&runs), ["a", "c"]);
}

#[test]
fn a_comparison_has_a_line_for_each_run_in_the_chart_of_each_metric() {
    let run = sweep();
    let compare = ["runs", "compare", "runs/a", "runs/b"];
    let text = run.host(compare).succeeded().stdout;
    assert!(text.ends_with("comparison.html\n") && text.contains("optimizer.lr=0.5"), "{text}");
    let page = std::fs::read_to_string(run.folder().join("comparison.html")).unwrap();
    // Loss and accuracy of training and validation, and the score of validation.
    assert_eq!(page.matches("<svg class=\"chart lines\"").count(), 5, "{page}");
    assert_eq!(page.matches("<polyline").count(), 10, "{page}");
    assert!(page.contains("<code>optimizer.lr</code>") && !page.contains("<code>seed</code>"), "{page}");
    assert!(!page.contains("<script") && !page.contains("http:"), "{page}");

    run.host(compare.iter().chain(&["--output", "runs/a/metrics.jsonl"])).failed(2, &["--output"]);
    run.host(["runs", "compare", "runs/a"]).failed(2, &["RUN_DIR"]);
    run.host(["runs", "compare", "runs/a", "runs/notes"])
        .failed(2, &["runs/notes", "expected a run directory"]);
}
