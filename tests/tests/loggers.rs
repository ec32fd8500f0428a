//! Runs that log elsewhere: the same run as without, and what others read of it.

use thaw_tests::{Run, case, without_times};

/// Records of single batches, two epochs, a checkpoint of each.
const TRAINER: &str = "\n[trainer]\nmax_epochs = 2\nlog_every_n_steps = 2\n\n[checkpoint]\nsave_top_k = -1\n";

/// All of them; nobody listens at the server's address.
const LOGGERS: &str = r#"
[[loggers]]
kind = "csv"

[[loggers]]
kind = "tensorboard"

[[loggers]]
kind = "mlflow"
tracking_uri = "http://127.0.0.1:9"
"#;

fn logged(loggers: &str) -> Run {
    Run::new(&(case("bb_steplr") + TRAINER + loggers))
}

/// The records of metrics, without times.
fn records(run: &Run) -> String {
    without_times(run.text("metrics.jsonl").as_bytes())
}

#[test]
fn a_run_with_loggers_is_the_run_without_them() {
    let (with, without) = (logged(LOGGERS), logged(""));
    for run in [&with, &without] {
        run.fit(&[]).succeeded();
        run.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    }
    assert_eq!(records(&with), records(&without));
    assert_eq!(event_files(&with), 2, "one of each process");
    assert!(with.text("mlflow/unsent.jsonl").contains("train_loss"), "a dead server ends no run");
}

fn event_files(run: &Run) -> usize {
    std::fs::read_dir(run.run_dir().join("tensorboard")).unwrap().count()
}

#[test]
fn what_a_server_did_not_get_is_kept_and_told_of() {
    let run = logged(LOGGERS);
    run.fit(&[]).succeeded().says("mlflow: http://127.0.0.1:9/").says("host log sync");
    // Like every warning: in the records before the end, and in the report.
    let history = run.records_of("run", "history.jsonl");
    assert_eq!(history.last().unwrap()["event"], "ended", "{history:?}");
    let warned: Vec<&str> = history.iter().filter_map(|record| record["text"].as_str()).collect();
    assert!(warned.iter().any(|text| text.starts_with("mlflow: http://127.0.0.1:9/")), "{warned:?}");
    let sync = format!("host log sync {}", run.run_dir().canonicalize().unwrap().display());
    assert!(warned.iter().any(|text| text.ends_with(&sync)), "{warned:?}");
    assert!(run.text("report.html").contains("host log sync"));
    let kept = run.text("mlflow/unsent.jsonl");
    run.host(["log", "sync", "run"]).failed(1, &["http://127.0.0.1:9/", "is kept"]);
    assert_eq!(run.text("mlflow/unsent.jsonl"), kept);
}

#[test]
fn histograms_and_pictures_come_where_they_are_asked_for_and_change_nothing() {
    let tensorboard = "\n[[loggers]]\nkind = \"tensorboard\"\n";
    let (plain, with) =
        (logged(tensorboard), logged(&format!("{tensorboard}histograms = 2\npictures = true\n")));
    for run in [&plain, &with] {
        run.fit(&[]).succeeded();
    }
    assert_eq!(records(&plain), records(&with));
    let bytes = |run: &Run| {
        let entry = std::fs::read_dir(run.run_dir().join("tensorboard")).unwrap().next().unwrap().unwrap();
        std::fs::read(entry.path()).unwrap()
    };
    let count = |run: &Run, text: &str| {
        bytes(run).windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    };
    // One of two epochs.
    assert_eq!((count(&plain, "head.weight"), count(&with, "head.weight")), (0, 1));
}

#[test]
fn what_a_killed_run_logged_is_on_disk() {
    let run = Run::new(
        &(case("bb_steplr").replace("plugins = [", "plugins = [\"case_strategies\", ")
            + TRAINER
            + LOGGERS
            + "\n[[callbacks]]\nid = \"case-stop\"\nat_step = 7\nhow = \"kill\"\n"),
    );
    assert_eq!(run.fit(&[]).code(), None, "it is killed");
    let records = run.records_of("run", "metrics.jsonl");
    let text = ["unsent.jsonl", "sending.jsonl"]
        .map(|name| std::fs::read_to_string(run.run_dir().join("mlflow").join(name)).unwrap_or_default());
    let kept = text.concat();
    assert!(
        !records.is_empty() && kept.contains("\"train_loss\"") && kept.contains("trainer.max_epochs"),
        "{kept}"
    );
    run.host(["log", "sync", "run"]).failed(1, &["http://127.0.0.1:9/", "is kept"]);
    assert!(run.text("mlflow/unsent.jsonl").lines().count() >= kept.lines().count() - 1, "{kept}");
}

#[test]
fn a_logger_that_fails_is_named_and_ends_no_run() {
    let run = logged("\n[[loggers]]\nkind = \"csv\"\npath = \"taken\"\n");
    run.write("taken/metrics.csv", "theirs");
    run.fit(&[]).succeeded().says("observer `csv in taken` failed");
    assert_eq!(std::fs::read_to_string(run.folder().join("taken/metrics.csv")).unwrap(), "theirs");
}

#[test]
fn a_run_that_goes_on_elsewhere_takes_what_was_logged_along() {
    let run = logged(LOGGERS);
    run.fit(&[]).succeeded();
    run.host(["fit", "--resume", "run", "--run-dir", "other", "--set", "trainer.max_epochs=3"]).succeeded();
    let other = run.folder().join("other");
    let text = std::fs::read_to_string(other.join("metrics.csv")).unwrap();
    assert_eq!(text.lines().count(), 1 + run.records_of("other", "metrics.jsonl").len());
    assert_eq!(std::fs::read_dir(other.join("tensorboard")).unwrap().count(), 2);
}

#[test]
fn a_table_that_is_none_is_refused_with_the_nearest_name() {
    let run = logged("\n[[loggers]]\nkind = \"tensorbord\"\n");
    run.fit(&[]).failed(2, &["run.toml", "loggers", "did you mean `tensorboard`?"]);
    let run = logged("\n[loggers]\nkind = \"csv\"\n");
    run.fit(&[]).failed(2, &["run.toml", "write `[[loggers]]`"]);
}

#[test]
fn a_csv_has_a_row_for_every_record_also_over_a_resume() {
    let run = logged(LOGGERS);
    run.fit(&[]).succeeded();
    let first =
        std::fs::read_dir(run.run_dir().join("checkpoints")).unwrap().map(|entry| entry.unwrap().path());
    let first = first.into_iter().find(|path| path.to_string_lossy().contains("epoch=0-")).unwrap();
    let first = first.to_string_lossy();
    run.host(["fit", "--resume", &first, "--set", "trainer.max_epochs=3"]).succeeded();
    let text = run.text("metrics.csv");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let rows: Vec<_> = lines.collect();
    let metrics = run.metrics();
    assert_eq!(rows.len(), metrics.len(), "{text}");
    for (row, record) in rows.iter().zip(&metrics) {
        for (column, cell) in header.iter().zip(row) {
            let found = cell.parse::<f64>().ok();
            assert_eq!(found, record[*column].as_f64(), "{column} of {record}");
        }
    }
}
