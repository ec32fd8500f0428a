//! Every run leaves a report, which can be made again of its records.

use image::{Rgb, RgbImage};
use serde_json::Value;
use thaw_tests::{Run, case};

const NAMES: [&str; 3] = ["<script>alert(1)</script>", "cat & \"dog\"", "owl"];

/// A small classifier of pictures, with names of classes that are no good markup.
fn run() -> Run {
    let run = Run::new(
        "seed = 5\nplugins = [\"autoencoder\"]\n\
         [model]\nid = \"autoencoder-classifier\"\nhidden_dim = 16\nlatent_dim = 8\nnum_classes = 3\n\
         [data]\nkind = \"list\"\npath = \"photos/list.csv\"\nimage_size = 32\nval_split = \
         0.3\nbatch_size = 8\n\
         workers = 0\n[optimizer]\nid = \"adam\"\nlr = 0.01\n[trainer]\nmax_epochs = 2\n",
    );
    let mut list = "path,label\n".to_owned();
    for number in 0..36_u32 {
        let level = |x: u32, y: u32| (number * 37 + x * (number + 3) + y * (number * number + 1)) as u8;
        let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([level(x, y), level(y, x), level(x + y, 1)]));
        picture.save(run.write(&format!("photos/{number}.png"), "")).unwrap();
        let name = NAMES[number as usize % NAMES.len()].replace('"', "\"\"");
        list += &format!("{number}.png,\"{name}\"\n");
    }
    run.write("photos/list.csv", list);
    run
}

fn report(run: &Run) -> String {
    std::fs::read_to_string(run.run_dir().join("report.html")).expect("a run leaves a report")
}

fn count(page: &str, what: &str) -> usize {
    page.matches(what).count()
}

#[test]
fn a_run_leaves_a_report_that_its_records_give_again() {
    let run = run();
    run.fit(&[]).succeeded();
    let page = report(&run);
    for (chart, expected) in
        [("lines", 5), ("thaw wide", 1), ("thaw narrow", 1), ("matrix", 1), ("reliability", 1), ("bars", 1)]
    {
        assert_eq!(count(&page, &format!("<svg class=\"chart {chart}\"")), expected, "{chart} in {page}");
    }
    // Loss and accuracy of training and validation, the rate, speed, memory: a value an epoch.
    assert_eq!(count(&page, "<polyline"), 7, "{page}");
    assert_eq!(count(&page, "<circle"), 14, "{page}");
    assert!(count(&page, "<rect class=\"cell ") > 0, "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"), "{page}");
    assert!(page.contains("class=\"state done\"") && page.contains("<small>of 2</small>"), "{page}");
    assert!(page.contains("autoencoder") && page.contains("batch_size = 8"), "{page}");

    assert_eq!(run.host(["report", "run"]).succeeded().stdout, "run/report.html\n");
    assert_eq!(report(&run), page);
    run.host(["report", "run", "--output", "other.html"]).succeeded();
    assert_eq!(std::fs::read_to_string(run.folder().join("other.html")).unwrap(), page);
    run.host(["report", "run", "--output", "run/metrics.jsonl"]).failed(2, &["--output run/metrics.jsonl"]);
}

#[test]
fn confusion_matrices_have_every_sample_of_validation() {
    let run = run();
    run.fit(&[]).succeeded();
    let matrices = run.records_of("run", "confusion.jsonl");
    let metrics = run.metrics();
    assert_eq!((matrices.len(), metrics.len()), (2, 2), "{matrices:?}");
    for (matrix, metrics) in matrices.iter().zip(&metrics) {
        assert_eq!((&matrix["epoch"], matrix["classes"].as_u64()), (&metrics["epoch"], Some(3)));
        let counts = matrix["counts"].as_array().unwrap().iter();
        let (mut hits, mut all) = (0, 0);
        for pair in counts {
            all += pair[2].as_u64().unwrap();
            hits += if pair[0] == pair[1] { pair[2].as_u64().unwrap() } else { 0 };
        }
        let bins: Vec<(u64, u64, f64)> = serde_json::from_value(matrix["calibration"].clone()).unwrap();
        let sum = |of: fn(&(u64, u64, f64)) -> u64| bins.iter().map(of).sum::<u64>();
        assert_eq!((sum(|bin| bin.0), sum(|bin| bin.1)), (all, hits));
        let accuracy = metrics["val_acc"].as_f64().unwrap();
        assert!((hits as f64 / all as f64 - accuracy).abs() < 1e-6, "{hits} of {all}, expected {accuracy}");
    }
}

#[test]
fn the_samples_to_look_at_are_the_surest_mistakes_and_the_least_certain() {
    let run = run();
    run.fit(&[]).succeeded();
    let records = run.records_of("run", "samples.jsonl");
    assert_eq!(records.len(), 2, "{records:?}");
    // As the samples of the last checkpoint say, one by one.
    let words = ["validate", "--checkpoint", "run/checkpoints/last", "--per-sample", "samples.jsonl"];
    run.host(words).succeeded();
    let text = std::fs::read_to_string(run.folder().join("samples.jsonl")).unwrap();
    let mut all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sure = |sample: &Value| sample["probability"].as_f64().unwrap();
    all.sort_by(|one, other| sure(one).total_cmp(&sure(other)));
    // A checkpoint has its data's path absolute.
    let name = |sample: &&Value| sample["sample"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let names = |samples: &[&Value]| -> Vec<String> { samples.iter().take(12).map(name).collect() };
    let unsure: Vec<&Value> = all.iter().collect();
    let wrong: Vec<&Value> =
        all.iter().rev().filter(|sample| sample["target"] != sample["prediction"]).collect();
    for (kind, expected) in [("wrong", wrong), ("unsure", unsure)] {
        let found: Vec<&Value> = records[1][kind].as_array().unwrap().iter().collect();
        assert_eq!(names(&found), names(&expected), "{kind}");
        assert!(found.iter().all(|sample| sample["picture"].is_string()), "{found:?}");
    }
    let page = report(&run);
    assert!(count(&page, "<img alt=") > 0 && page.contains("most confidently wrong"), "{page}");
    let pictures = std::fs::read_dir(run.run_dir().join("samples")).unwrap().count();
    assert!((1..=48).contains(&pictures), "{pictures}");

    let none = self::run();
    none.fit(&["--set", "trainer.report_samples=0"]).succeeded();
    assert!(none.records_of("run", "samples.jsonl").is_empty() && !report(&none).contains("<img"));
    assert!(!none.run_dir().join("samples").exists());
}

#[test]
fn an_epochs_time_is_told_apart() {
    let run = run();
    run.fit(&[]).succeeded();
    let history = run.records_of("run", "history.jsonl");
    let epochs: Vec<&Value> = history.iter().filter(|record| record["event"] == "epoch_ended").collect();
    assert_eq!(epochs.len(), 2);
    for epoch in epochs {
        let seconds = |key: &str| epoch[key].as_f64().unwrap_or_else(|| panic!("{key} in {epoch}"));
        let parts = ["data", "forward", "backward", "optimizer_step"].map(seconds);
        assert!(parts.iter().all(|part| *part >= 0.0) && parts[1] > 0.0 && parts[2] > 0.0, "{epoch}");
        // Each is rounded to a millisecond.
        assert!(parts.iter().sum::<f64>() <= seconds("training") + 0.003, "{epoch}");
    }
    let page = report(&run);
    for part in ["data", "forward", "backward", "optimizer", "rest of training"] {
        assert!(page.contains(&format!("</i>{part}<")), "{part} in {page}");
    }
}

#[test]
fn the_report_of_a_resumed_run_goes_on() {
    let run = run();
    run.fit(&[]).succeeded();
    // As a process leaves it that is killed while it writes.
    let history = run.run_dir().join("history.jsonl");
    let half = std::fs::read_to_string(&history).unwrap() + "{\"epoch\":2,\"st";
    std::fs::write(&history, half).unwrap();
    run.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    let page = report(&run);
    assert!(page.contains("<small>of 3</small>") && page.contains("class=\"state done\""), "{page}");
    assert!(page.contains("epoch 3: the run goes on from checkpoint"), "{page}");
    assert_eq!(run.records_of("run", "confusion.jsonl").len(), 3);
    run.host(["report", "run"]).succeeded();
    assert_eq!(report(&run), page);
    // Elsewhere, too.
    run.host(["fit", "--resume", "run", "--run-dir", "other", "--set", "trainer.max_epochs=4"]).succeeded();
    let page = std::fs::read_to_string(run.folder().join("other/report.html")).unwrap();
    assert!(page.contains("<small>of 4</small>") && page.contains("epoch 1,"), "{page}");
}

#[test]
fn a_report_that_cannot_be_written_is_told_and_the_run_goes_on() {
    let run = run();
    run.fit(&[]).succeeded();
    std::fs::remove_file(run.run_dir().join("report.html")).unwrap();
    run.write("run/report.html/in_the_way", "");
    let resumed = run.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    resumed.says("observer `report` failed, the run goes on without it");
    run.host(["report", "run"]).failed(1, &["run/report.html: the report cannot be written"]);
}

#[test]
fn a_report_says_how_the_run_ended() {
    let stops = |how: &str| {
        let run = Run::new(&format!(
            "{}[optimizer]\nid = \"adamw\"\nlr = 0.01\n[[callbacks]]\nid = \"case-stop\"\nat_step \
             = 3\nhow = \"{how}\"\n\
             [trainer]\nmax_epochs = 3\n",
            case("bb_steplr").replace("plugins = [", "plugins = [\"case_strategies\", ")
        ));
        (run.fit(&[]), run)
    };
    let (ended, run) = stops("interrupt");
    ended.interrupted();
    assert!(report(&run).contains("class=\"state interrupted\""));
    let (killed, run) = stops("kill");
    assert_eq!(killed.code(), None, "{killed}");
    run.host(["report", "run"]).succeeded();
    assert!(report(&run).contains("class=\"state gone\""));
}

#[test]
fn a_folder_without_a_run_has_no_report() {
    let run = run();
    run.host(["report", "photos"]).failed(2, &["photos/config.toml", "expected a run directory"]);
    assert!(!run.folder().join("photos/report.html").exists());
}
