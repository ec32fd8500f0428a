//! Arguments of Lightning's `Trainer` under `[trainer]`: how far runs go, held against Lightning
//! (`fixtures/trainer/record.py`), and what they leave.

use serde_json::{Value, json};
use thaw_tests::{Run, Values, fixtures, write_tensors};

/// 44 training and 20 validation samples in batches of 4, under a callback that writes down every hook, and
/// one that asks for the end.
fn run(trainer: &Value, stop_at: &Value) -> Run {
    let stop = stop_at.as_u64().map_or_else(String::new, |step| format!("at_step = {step}\n"));
    let trainer = toml::to_string(trainer).unwrap();
    let case = fixtures().join("loss/classes.json");
    let run = Run::new(&format!(
        "seed = 1\nplugins = [\"case_model\", \"case_strategies\", \"trace\"]\n[model]\nid = \"case-model\"\n\
         case = {case:?}\n[data]\nkind = \"tensors\"\npath = \"data.safetensors\"\nbatch_size = 4\n\
         [optimizer]\nid = \"sgd\"\nlr = 0.01\n[[callbacks]]\nid = \"trace-callback\"\nname = \"a\"\n\
         file = \"hooks\"\n[[callbacks]]\nid = \"case-stop\"\n{stop}[trainer]\n{trainer}"
    ));
    let values: Vec<f32> = (0..44 * 5).map(|number| (number % 7) as f32 - 3.0).collect();
    let labels: Vec<i64> = (0..44).map(|row| row % 3).collect();
    for (file, samples) in [("data.safetensors", 44), ("test.safetensors", 20)] {
        let tensors: [(&str, &[usize], Values); 4] = [
            ("x", &[samples, 5], Values::F32(&values[..samples * 5])),
            ("y", &[samples], Values::I64(&labels[..samples])),
            ("val_x", &[20, 5], Values::F32(&values[..100])),
            ("val_y", &[20], Values::I64(&labels[..20])),
        ];
        write_tensors(&run.folder().join(file), &tensors).unwrap();
    }
    run
}

/// Batches of each pass between two hooks: `start` begins one, `batch` is counted.
fn counts(hooks: &str, start: &str, batch: &str) -> Vec<usize> {
    let (start, batch) = (format!("a {start}\n"), format!("a {batch}"));
    let passes = hooks.split(&start).skip(1);
    passes.map(|pass| pass.lines().filter(|line| *line == batch).count()).collect()
}

fn hooks(run: &Run) -> String {
    std::fs::read_to_string(run.folder().join("hooks")).unwrap()
}

#[test]
fn runs_go_as_far_as_lightnings() {
    let text = std::fs::read_to_string(fixtures().join("trainer/runs.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 37);
    for case in &cases {
        let mut trainer = json!({ "max_epochs": 4, "num_sanity_val_steps": 0 });
        trainer.as_object_mut().unwrap().extend(case["trainer"].as_object().unwrap().clone());
        let run = run(&trainer, &case["stop_at"]);
        run.fit(&[]).succeeded();
        let hooks = hooks(&run);
        let train = counts(&hooks, "on_train_epoch_start", "on_train_batch_end");
        let validations = counts(&hooks, "on_validation_start", "on_validation_batch_end");
        let steps = hooks.lines().filter(|line| *line == "a on_after_optimizer_step").count();
        assert_eq!(json!(train), case["train"], "{case}");
        assert_eq!(json!(steps), case["steps"], "{case}");
        // Where `max_steps` ends a run inside an epoch, Lightning leaves the validation out.
        if case["trainer"].get("max_steps").is_none() {
            assert_eq!(json!(validations), case["validations"], "{case}");
            let trained =
                |before: &str| before.lines().filter(|line| *line == "a on_train_batch_end").count();
            let starts = hooks.match_indices("a on_validation_start\n");
            let places: Vec<usize> = starts.map(|(place, _)| trained(&hooks[..place])).collect();
            assert_eq!(json!(places), case["validated_at"], "{case}");
        }
    }
}

#[test]
fn a_test_takes_as_many_batches_as_lightnings() {
    let text = std::fs::read_to_string(fixtures().join("trainer/runs.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    for case in cases.iter().filter(|case| case["trainer"].get("limit_test_batches").is_some()) {
        let run = run(&case["trainer"], &Value::Null);
        run.fit(&[]).succeeded();
        std::fs::remove_file(run.folder().join("hooks")).unwrap();
        let tested = run
            .host(["test", "--checkpoint", "run/checkpoints/last", "--input", "test.safetensors"])
            .succeeded();
        let batches = counts(&hooks(&run), "on_validation_start", "on_validation_batch_end");
        assert_eq!(json!(batches), json!([case["tested"]]), "{case}");
        let is_limited = case["tested"] != 5;
        assert_eq!(tested.stderr.contains("of 5 batches are tested"), is_limited, "{case}: {tested}");
    }
}

#[test]
fn a_trial_says_so_and_keeps_no_checkpoint() {
    let run = run(&json!({ "fast_dev_run": 2 }), &Value::Null);
    let told = run.fit(&[]).succeeded();
    assert!(told.to_string().contains("fast_dev_run: 2 batches of training and validation"), "{told}");
    assert!(!hooks(&run).contains("on_sanity_check_start"));
    assert!(!run.run_dir().join("checkpoints/last").exists());
    let resolved = std::fs::read_to_string(run.run_dir().join("config.toml")).unwrap();
    assert!(resolved.contains("fast_dev_run = 2") && resolved.contains("max_epochs = 1"), "{resolved}");
    run.fit(&["--set", "trainer.fast_dev_run=soon"])
        .failed(2, &["`trainer.fast_dev_run`", "a number of batches"]);
}

#[test]
fn overfitting_sees_the_same_batches_in_each_epoch() {
    let trainer = json!({ "overfit_batches": 3, "max_epochs": 3, "log_every_n_steps": 1 });
    let run = run(&trainer, &Value::Null);
    run.fit(&["--set", "optimizer.lr=0.0"]).succeeded();
    let records = run.metrics();
    let losses: Vec<&Value> = records
        .iter()
        .filter(|record| record.get("val_loss").is_none())
        .map(|record| &record["train_loss_step"])
        .collect();
    assert_eq!(losses.len(), 9, "{records:?}");
    assert!(losses[..3] == losses[3..6] && losses[..3] == losses[6..], "{losses:?}");
    let shares = [
        ("0.05", "less than one of 11 batches"),
        ("1.5", "a share above 0"),
        ("0", "a number of batches from 1"),
    ];
    for (share, expected) in shares {
        run.fit(&["--set", &format!("trainer.overfit_batches={share}")])
            .failed(2, &["`trainer.overfit_batches`", expected]);
    }
}

#[test]
fn a_stop_that_waits_is_told_and_survives_a_resume() {
    let waits =
        |run: &Run| (run.metrics().len(), run.json("checkpoints/last/state.json")["global_step"].clone());
    let straight = run(&json!({ "min_epochs": 3, "max_epochs": 5 }), &json!(5));
    straight.fit(&[]).succeeded().says("stopping (the step is reached) waits until `min_epochs`");
    assert_eq!(waits(&straight), (3, json!(33)));
    let resumed = run(&json!({ "min_epochs": 3, "max_epochs": 5 }), &json!(5));
    resumed
        .fit(&["--set", "checkpoint.every_n_train_steps=20", "--set", "checkpoint.save_top_k=-1"])
        .succeeded();
    resumed.host(["fit", "--resume", "run/checkpoints/epoch=1-step=20", "--run-dir", "again"]).succeeded();
    assert_eq!(resumed.records_of("again", "metrics.jsonl").len(), 3);
    let refused = run(&json!({ "min_epochs": 3, "max_epochs": 2 }), &Value::Null);
    refused.fit(&[]).failed(2, &["`trainer.min_epochs` is 3", "at most `max_epochs`, which is 2"]);
}

#[test]
fn a_run_ends_when_its_time_is_over_and_a_resumed_one_counts_on() {
    let run = run(&json!({ "max_time": "00:00:00:01", "max_epochs": 1_000_000 }), &Value::Null);
    let told = run.fit(&["--set", "checkpoint.save_top_k=0"]).succeeded();
    assert!(told.to_string().contains("max_time = 00:00:00:01 is reached"), "{told}");
    let steps = |run: &Run| run.json("checkpoints/last/state.json")["global_step"].as_u64().unwrap();
    let before = steps(&run);
    assert!(before > 0);
    let resumed = run.resume(&[]).succeeded();
    assert!(resumed.to_string().contains("max_time = 00:00:00:01 is reached"), "{resumed}");
    assert_eq!(steps(&run), before);
}

#[test]
fn a_resolved_run_config_is_printed_and_nothing_is_run() {
    let run = run(&json!({ "max_epochs": 2 }), &Value::Null);
    let printed = run.fit(&["--print-config", "--set", "trainer.max_steps=7"]).succeeded().stdout;
    let printed: toml::Table = printed.parse().unwrap();
    assert_eq!(printed["trainer"]["max_steps"].as_integer(), Some(7));
    assert_eq!(printed["trainer"]["audit"].as_str(), Some("error"));
    assert!(!run.run_dir().exists());
}

#[test]
fn a_profiled_run_says_what_its_time_went_into() {
    let trainer = json!({ "max_epochs": 2, "profiler": "simple" });
    let profiled = run(&trainer, &Value::Null);
    profiled.fit(&[]).succeeded().says("optimizer_step");
    let table = profiled.text("profile.txt");
    let calls = |name: &str| {
        let row = table.lines().find(|line| line.split_whitespace().next() == Some(name));
        row.unwrap_or_else(|| panic!("{name}: {table}")).split_whitespace().nth(2).unwrap().to_owned()
    };
    // 11 and 5 batches, in two epochs; the sanity check has two of validation.
    for (name, expected) in [
        ("total", "1"),
        ("epoch", "2"),
        ("forward", "22"),
        ("backward", "22"),
        ("optimizer_step", "22"),
        ("validation", "3"),
        ("validation_step", "12"),
        ("to_device", "34"),
        ("save_checkpoint", "2"),
        ("trace-callback.on_train_batch_end", "22"),
    ] {
        assert_eq!(calls(name), expected, "{name}: {table}");
    }
    let trace = profiled.json("profile.json");
    let spans = trace["traceEvents"].as_array().unwrap();
    assert_eq!(spans.iter().filter(|span| span["name"] == "forward").count(), 22);
    let ends = |span: &Value| span["ts"].as_f64().unwrap() + span["dur"].as_f64().unwrap();
    let epoch = spans.iter().find(|span| span["name"] == "epoch").unwrap();
    let forward = spans.iter().find(|span| span["name"] == "forward").unwrap();
    assert!(
        epoch["ts"].as_f64() <= forward["ts"].as_f64() && ends(forward) <= ends(epoch),
        "{epoch} {forward}"
    );
    let plain = run(&json!({ "max_epochs": 2 }), &Value::Null);
    plain.fit(&[]).succeeded();
    assert!(!plain.run_dir().join("profile.txt").exists());
    let weights = "checkpoints/last/model.safetensors";
    let read = |run: &Run| std::fs::read(run.run_dir().join(weights)).unwrap();
    assert_eq!(read(&profiled), read(&plain));
}

#[test]
fn an_argument_that_is_called_otherwise_here_is_told_by_its_name_here() {
    let run = run(&json!({ "max_epochs": 1 }), &Value::Null);
    for (set, here) in [
        ("trainer.logger=true", "`[[loggers]]`"),
        ("trainer.enable_checkpointing=false", "`checkpoint.enabled`"),
        ("checkpoint.save_last=true", "`last` is written always"),
        ("trainer.precision=16-mixed", "here `fp16-mixed`"),
        ("trainer.limit_val_batches=0", "leave out `val_path`"),
    ] {
        let (key, _) = set.split_once('=').unwrap();
        run.fit(&["--set", set]).failed(2, &[&format!("`{key}`"), "what Lightning has there", here]);
    }
}
