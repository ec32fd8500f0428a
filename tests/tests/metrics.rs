//! Metrics of a whole validation by name, on the real program, held against torchmetrics
//! (`fixtures/metrics/record.py`).

use serde_json::{Value, json};
use thaw_tests::{Run, fixtures};

/// A run on the recorded data that keeps the recorded weights; validation has batches of 4, the last one
/// of 3.
fn run(data: &str, metrics: &[&str]) -> Run {
    let file = |name: &str| fixtures().join("loss").join(name);
    let task = if data == "classes" { "classification" } else { "regression" };
    Run::new(&format!(
        "seed = 1\nplugins = [\"case_model\"]\n[model]\nid = \"case-model\"\ncase = {:?}\ntask = \"{task}\"\n\
         weights = {:?}\n[data]\nkind = \"tensors\"\npath = {:?}\nbatch_size = 4\n[optimizer]\nid = \"sgd\"\n\
         lr = 0.0\n[trainer]\nmax_epochs = 2\nmetrics = {metrics:?}\n",
        file(&format!("{data}.json")),
        file(&format!("init-{data}.safetensors")),
        file(&format!("{data}.safetensors")),
    ))
}

/// What torchmetrics says of it.
fn recorded(data: &str) -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(fixtures().join("metrics/recorded.json")).unwrap();
    let recorded: Value = serde_json::from_str(&text).unwrap();
    recorded["runs"][data].as_object().unwrap().clone()
}

fn told(run: &Run, words: &[&str]) -> Value {
    let told = run.host(words.iter().chain(&["--checkpoint", "run", "--json"])).succeeded();
    serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}", told.stdout))
}

fn assert_recorded(found: &Value, prefix: &str, data: &str) {
    for (name, expected) in recorded(data) {
        let found = found[format!("{prefix}_{name}")].as_f64().unwrap_or_else(|| panic!("{name}: {found}"));
        let expected = expected.as_f64().unwrap();
        assert!((found - expected).abs() < 2e-6 * expected.abs().max(1.0), "{name}: {found}, {expected}");
    }
}

#[test]
fn metrics_of_a_run_are_those_of_torchmetrics_over_the_whole_validation() {
    for data in ["classes", "numbers"] {
        let names = recorded(data);
        let names: Vec<&str> = names.keys().map(String::as_str).collect();
        let run = run(data, &names);
        run.fit(&[]).succeeded();
        let epochs = run.metrics();
        assert_eq!(epochs.len(), 2);
        epochs.iter().for_each(|epoch| assert_recorded(epoch, "val", data));
        assert_recorded(&told(&run, &["validate"])["metrics"], "val", data);
    }
}

#[test]
fn a_confusion_matrix_by_name_is_printed_and_written_and_ranks_nothing() {
    run("numbers", &["confusion"]).fit(&[]).failed(2, &["`confusion` is of classes"]);
    let run = run("classes", &["confusion", "acc"]);
    run.fit(&[]).succeeded();
    let text = std::fs::read_to_string(fixtures().join("metrics/recorded.json")).unwrap();
    let recorded: Value = serde_json::from_str(&text).unwrap();
    // torchmetrics' MulticlassConfusionMatrix over the same validation.
    let expected = &recorded["confusion"];
    assert_eq!(&told(&run, &["validate"])["confusion"], expected);
    let record = run.records_of("run", "confusion.jsonl").pop().unwrap();
    let mut matrix = vec![vec![0; 3]; 3];
    for pair in record["counts"].as_array().unwrap() {
        let number = |at: usize| pair[at].as_u64().unwrap();
        matrix[number(0) as usize][number(1) as usize] = number(2);
    }
    assert_eq!(&serde_json::json!(matrix), expected);
    assert!(std::fs::read_to_string(run.run_dir().join("report.html")).unwrap().contains("confusion matrix"));
    let shown = run.host(["validate", "--checkpoint", "run"]).succeeded().stdout;
    let row = |class: usize| -> Vec<u64> {
        let line =
            shown.lines().find(|line| line.trim_start().starts_with(&format!("{class} {}  ", class + 1)));
        let cells = line.unwrap_or_else(|| panic!("{class} in {shown}")).split_whitespace().skip(2);
        cells.map(|cell| cell.parse().unwrap()).collect()
    };
    assert_eq!(serde_json::json!([row(0), row(1), row(2)]), *expected, "{shown}");
    assert!(run.metrics()[0].get("val_confusion").is_none(), "{:?}", run.metrics());

    for key in [
        "checkpoint.monitor=val_confusion",
        "scheduler={ id = \"reduce-on-plateau\", monitor = \"val_confusion\", mode = \"max\" }",
    ] {
        let refused = run.host(["fit", "run.toml", "--run-dir", "other", "--set", key]);
        refused.failed(2, &["monitor", "val_confusion", "is a matrix", "`val_f1_macro`"]);
    }
}

#[test]
fn what_is_found_is_written_beside_the_run_each_time_anew() {
    let run = run("classes", &["acc", "f1_macro"]);
    run.fit(&[]).succeeded();
    let records = std::fs::read(run.run_dir().join("metrics.jsonl")).unwrap();
    let read = |name: &str| -> Value {
        let path = run.folder().join(name);
        serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|_| panic!("{}", path.display())))
            .unwrap()
    };
    let shown = run.host(["validate", "--checkpoint", "run"]).succeeded().stdout;
    assert!(shown.ends_with("written to run/evaluations/validate-1.json\n"), "{shown}");
    let found = told(&run, &["validate"]);
    assert_eq!(read("run/evaluations/validate-1.json"), found);
    assert_eq!(read("run/evaluations/validate-2.json"), found);
    // Under each other, with four digits; all digits in the file.
    let numbers = shown.lines().filter_map(|line| line.strip_prefix("val_")).map(|line| {
        let number = line.split_whitespace().nth(1).unwrap();
        (line.find('.').unwrap(), number.chars().filter(char::is_ascii_digit).count())
    });
    let numbers: Vec<(usize, usize)> = numbers.collect();
    assert!(numbers.len() == 3 && numbers.iter().all(|(point, _)| *point == numbers[0].0), "{shown}");
    // Leading zeros do not count.
    assert!(numbers.iter().all(|(_, digits)| (4..=6).contains(digits)), "{shown}");
    let class = &found["classes"][0];
    let number = |key: &str| class[key].as_f64().unwrap();
    assert!((number("recall") - number("hits") / number("samples")).abs() < 1e-12, "{class}");
    assert!(number("precision") > 0.0 && number("f1") > 0.0, "{class}");

    let data = fixtures().join("loss/classes.safetensors");
    let test = ["test", "--checkpoint", "run", "--input", data.to_str().unwrap()];
    let shown = run.host(test.iter().chain(&["--output", "found.json"])).succeeded().stdout;
    assert!(shown.ends_with("written to found.json\n"), "{shown}");
    assert_eq!(read("found.json")["command"], "test");
    run.host(test.iter().chain(&["--output", "found.json"])).succeeded();
    assert!(!run.folder().join("run/evaluations/test-1.json").exists());
    // What somebody else wrote stays.
    for other in ["run/metrics.jsonl", "run.toml", "run/checkpoints/best/state.json"] {
        run.host(test.iter().chain(&["--output", other])).failed(2, &[&format!("--output {other}")]);
    }
    assert_eq!(std::fs::read(run.run_dir().join("metrics.jsonl")).unwrap(), records);
    // A checkpoint that lies in no run directory.
    std::fs::rename(run.run_dir().join("checkpoints"), run.folder().join("moved")).unwrap();
    let shown = run.host(["validate", "--checkpoint", "moved/last"]).succeeded().stdout;
    assert!(!shown.contains("written to"), "{shown}");
}

#[test]
fn a_metric_ranks_checkpoints_the_way_its_name_improves() {
    let run = run("classes", &["ece", "auroc"]);
    let train = ["--set", "optimizer.lr=0.5", "--set", "trainer.max_epochs=4"];
    for (metric, sign) in [("val_ece", -1.0), ("val_auroc", 1.0)] {
        let monitor = format!("checkpoint.monitor={metric}");
        let run_dir = format!("of-{metric}");
        run.host(["fit", "run.toml", "--run-dir", &run_dir, "--set", &monitor].iter().chain(&train))
            .succeeded();
        let text = std::fs::read_to_string(run.folder().join(&run_dir).join("metrics.jsonl")).unwrap();
        let epochs: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let values: Vec<f64> = epochs.iter().map(|epoch| sign * epoch[metric].as_f64().unwrap()).collect();
        let best =
            (1..values.len()).fold(0, |best, epoch| if values[epoch] > values[best] { epoch } else { best });
        let link = std::fs::read_link(run.folder().join(&run_dir).join("checkpoints/best")).unwrap();
        let expected = format!("epoch={best}-");
        assert!(link.to_string_lossy().starts_with(&expected), "{metric}: {values:?}, {}", link.display());
    }
}

#[test]
fn a_metric_that_does_not_fit_the_model_is_refused_before_the_run() {
    for (data, metrics, parts) in [
        ("classes", &["acc", "r2"][..], ["`trainer.metrics` is \"r2\"", "`r2` is of numbers"]),
        ("numbers", &["auroc"][..], ["`trainer.metrics` is \"auroc\"", "`auroc` is of classes"]),
        ("classes", &["f1_macr"][..], ["trainer.metrics[0]", "did you mean `f1_macro`?"]),
    ] {
        let run = run(data, metrics);
        run.fit(&[]).failed(2, &parts);
        assert!(!run.run_dir().exists(), "{metrics:?}");
    }
    // How many outputs this model has, only a batch shows.
    run("classes", &["top5"]).fit(&[]).failed(2, &["trainer.metrics", "3 classes", "`top3`"]);
    run("classes", &["f1"]).fit(&[]).failed(2, &["trainer.metrics", "`f1_macro`"]);
    run("classes", &[])
        .fit(&["--set", "checkpoint.monitor=val_f1_macro"])
        .failed(2, &["val_f1_macro", "is no metric of this run"]);
}

#[test]
fn a_resumed_run_may_have_other_metrics() {
    let run = run("classes", &["acc"]);
    run.fit(&[]).succeeded();
    run.resume(&["--set", "trainer.metrics=[\"kappa\"]", "--set", "trainer.max_epochs=3"]).succeeded();
    let epochs = run.metrics();
    assert!(epochs[1].get("val_kappa").is_none() && epochs[2]["val_kappa"].is_f64(), "{epochs:?}");
}

#[test]
fn a_resumed_run_keeps_the_metrics_that_somebody_waits_for() {
    let run = run("classes", &["acc", "kappa"]);
    run.fit(&["--set", "checkpoint.monitor=val_kappa"]).succeeded();
    let without = ["--set", "trainer.metrics=[\"acc\"]", "--set", "trainer.max_epochs=3"];
    run.resume(&without).failed(2, &["trainer.metrics", "`monitor = \"val_kappa\"` waits for it"]);
    run.resume(&["--set", "trainer.metrics=[\"kappa\"]", "--set", "trainer.max_epochs=3"]).succeeded();
}

#[test]
fn a_row_for_each_sample_adds_up_to_the_metrics() {
    let run = run("classes", &["acc"]);
    run.fit(&[]).succeeded();
    let data = fixtures().join("loss/classes.safetensors");
    for (words, prefix, samples) in
        [(vec!["validate"], "val", 11), (vec!["test", "--input", data.to_str().unwrap()], "test", 22)]
    {
        let found = told(&run, &[&words[..], &["--per-sample", "rows.jsonl"]].concat());
        let text = std::fs::read_to_string(run.folder().join("rows.jsonl")).unwrap();
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), samples);
        let hits = rows.iter().filter(|row| row["target"] == row["prediction"]).count();
        let metric = |name: &str| found["metrics"][format!("{prefix}_{name}")].as_f64().unwrap();
        assert!((metric("acc") - hits as f64 / samples as f64).abs() < 1e-9);
        let loss: f64 = rows.iter().map(|row| row["loss"].as_f64().unwrap()).sum::<f64>() / samples as f64;
        assert!((metric("loss") - loss).abs() < 1e-6, "{loss}, {found}");
        assert!(rows.iter().all(|row| (1.0 / 3.0..=1.0).contains(&row["probability"].as_f64().unwrap())));
        let names: std::collections::BTreeSet<&str> =
            rows.iter().map(|row| row["sample"].as_str().unwrap()).collect();
        assert_eq!(names.len(), samples, "each has a name of its own");
    }
    run.host(["validate", "--checkpoint", "run", "--per-sample", "rows.csv"]).succeeded();
    let text = std::fs::read_to_string(run.folder().join("rows.csv")).unwrap();
    assert_eq!(text.lines().next(), Some("sample,target,prediction,probability,loss"));
    let refused = run.host(["validate", "--checkpoint", "run", "--per-sample", "rows.txt"]);
    refused.failed(2, &["rows.txt", ".csv or .jsonl"]);
}

#[test]
fn rows_of_numbers_have_targets_and_predictions() {
    let run = run("numbers", &[]);
    run.fit(&[]).succeeded();
    let found = told(&run, &["validate", "--per-sample", "rows.csv"]);
    let text = std::fs::read_to_string(run.folder().join("rows.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("sample,target_0,target_1,prediction_0,prediction_1,loss"));
    let errors = lines.map(|line| {
        let numbers: Vec<f64> = line.split(',').skip(1).map(|field| field.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 5, "{line}");
        ((numbers[0] - numbers[2]).abs() + (numbers[1] - numbers[3]).abs()) / 2.0
    });
    let errors: Vec<f64> = errors.collect();
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!((found["metrics"]["val_mae"].as_f64().unwrap() - mean).abs() < 1e-6, "{mean} {found}");
}

#[test]
fn intervals_hold_the_metrics_and_are_the_same_each_time() {
    let run = run("classes", &["auroc", "f1_macro"]);
    run.fit(&[]).succeeded();
    let found = told(&run, &["validate", "--bootstrap", "200"]);
    for name in ["val_loss", "val_acc", "val_auroc", "val_f1_macro"] {
        let ends: Vec<f64> = serde_json::from_value(found["intervals"][name].clone()).unwrap();
        let value = found["metrics"][name].as_f64().unwrap();
        assert!(ends[0] < value && value < ends[1], "{name}: {value}, {ends:?}");
    }
    let bootstrap = &found["bootstrap"];
    assert_eq!((&bootstrap["resamples"], &bootstrap["undefined"]), (&json!(200), &json!({})));
    assert!(bootstrap["without_a_class"].is_u64(), "{found}");
    assert_eq!(found, told(&run, &["validate", "--bootstrap", "200"]));
    let other = told(&run, &["validate", "--bootstrap", "200", "--set", "seed=2"]);
    assert_ne!(found["intervals"], other["intervals"]);
    let text = run.host(["validate", "--checkpoint", "run", "--bootstrap", "20"]).succeeded().stdout;
    assert!(text.contains("95% intervals of 20 resamples") && text.contains(" to "), "{text}");
    run.host(["validate", "--checkpoint", "run", "--bootstrap", "1"]).failed(2, &["--bootstrap"]);
}
