//! What is monitored is a new value, improves the way its name says, and exists; else the run says so before
//! it has trained.

use serde_json::Value;
use thaw_tests::{Run, case};

const SGD: &str = "[optimizer]\nid = \"sgd\"\nlr = 0.05\n";

fn run(more: &str) -> Run {
    Run::new(&(case("bb_steplr") + SGD + more))
}

/// `values` of a metric by epoch, in a run that validates every second epoch.
fn run_with_metric(values: &str, more: &str) -> Run {
    let config = case("bb_steplr").replace("[\"case_model\"]", "[\"case_model\", \"case_strategies\"]");
    let callback = format!("[[callbacks]]\nid = \"case-metric\"\nvalues = {values}\n");
    Run::new(&format!("{config}{SGD}{callback}[trainer]\nmax_epochs = 4\n{more}"))
}

#[test]
fn an_epoch_that_does_not_validate_has_no_validation_loss_to_rank_by_or_to_show() {
    let run = run("[trainer]\nmax_epochs = 4\ncheck_val_every_n_epoch = 2\n[checkpoint]\nsave_top_k = 4\n");
    let finished = run.fit(&[]).succeeded();
    let state = run.json("checkpoints/last/state.json");
    let kept: Vec<u64> =
        state["kept"].as_array().unwrap().iter().map(|kept| kept["epoch"].as_u64().unwrap()).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.iter().all(|epoch| epoch % 2 == 1), "{kept:?}");
    let epochs: Vec<&str> = finished.stdout.lines().filter(|line| line.contains("samples/s")).collect();
    let shows: Vec<bool> = epochs.iter().map(|line| line.contains("val_loss")).collect();
    assert_eq!(shows, [false, true, false, true], "{finished}");
}

#[test]
fn a_plateau_counts_each_value_once() {
    // With a patience of 1 the third value that is no improvement reduces the rate: after epochs 4, 6 and 8.
    let scheduler =
        "[scheduler]\nid = \"reduce-on-plateau\"\npatience = 1\nthreshold = 1e9\nthreshold_mode = \"abs\"\n";
    let run = run(&format!("{scheduler}[trainer]\nmax_epochs = 8\ncheck_val_every_n_epoch = 2\n"));
    run.fit(&[]).succeeded();
    let rates: Vec<f64> =
        run.groups().iter().map(|record| record["groups"][0]["lr"].as_f64().unwrap()).collect();
    assert_eq!(rates[..6], [0.05; 6], "{rates:?}");
    assert!((rates[6] - 0.005).abs() < 1e-12, "{rates:?}");
}

#[test]
fn a_plateau_of_steps_looks_at_a_validation_once() {
    let scheduler = "[scheduler]\nid = \"reduce-on-plateau\"\ninterval = \"step\"\npatience = 0\n\
        threshold = 1e9\nthreshold_mode = \"abs\"\n";
    let run = run(&format!("{scheduler}[trainer]\nmax_epochs = 4\n"));
    run.fit(&[]).succeeded();
    // The first value is the best so far; each later one reduces the rate once, at the next epoch's first
    // step.
    let rates: Vec<f64> =
        run.groups().iter().map(|record| record["groups"][0]["lr"].as_f64().unwrap()).collect();
    let expected = [0.05, 0.05, 0.05, 0.005];
    assert!(rates.iter().zip(expected).all(|(rate, expected)| (rate - expected).abs() < 1e-12), "{rates:?}");
}

#[test]
fn an_accuracy_is_maximised_unless_the_run_config_says_otherwise() {
    let run = run("[trainer]\nmax_epochs = 4\n[checkpoint]\nmonitor = \"val_acc\"\n");
    run.fit(&[]).succeeded().does_not_say("WARN");
    let accuracies: Vec<f64> =
        run.metrics().iter().map(|record| record["val_acc"].as_f64().unwrap()).collect();
    let best = run.json("checkpoints/last/state.json")["best"]["value"].as_f64().unwrap();
    assert_eq!(best, accuracies.iter().copied().fold(0.0, f64::max), "{accuracies:?}");
    std::fs::remove_dir_all(run.run_dir()).unwrap();
    let finished = run.fit(&["--set", "checkpoint.mode=min"]).succeeded();
    finished.says("mode = \"min\" looks for the smallest `val_acc`");
}

#[test]
fn a_metric_whose_name_says_nothing_needs_a_mode() {
    let wait = "check_val_every_n_epoch = 2\n[checkpoint]\nmonitor = \"metric\"\n";
    let run = run_with_metric("[3.0, 1.0, 4.0, 2.0]", wait);
    run.fit(&[]).failed(2, &["checkpoint.monitor", "`metric`", "set mode = \"min\" or mode = \"max\""]);
    for (mode, best) in [("min", 1.0), ("max", 4.0)] {
        std::fs::remove_dir_all(run.run_dir()).unwrap();
        run.fit(&["--set", &format!("checkpoint.mode={mode}")]).succeeded();
        assert_eq!(run.json("checkpoints/last/state.json")["best"]["value"], best);
    }
    let early = [
        "--plugin",
        "early_stopping",
        "--set",
        "callbacks=[{ id = \"early-stopping\", monitor = \"temperature\" }]",
    ];
    run.fit(&early).failed(2, &["callbacks[0]", "`temperature`", "mode = \"max\""]);
    run.fit(&["--set", "scheduler={ id = \"reduce-on-plateau\", monitor = \"temperature\" }"])
        .failed(2, &["scheduler.mode", "`temperature`"]);
}

#[test]
fn a_metric_that_the_run_does_not_have_ends_it_before_it_trains() {
    let run = run("[trainer]\nmax_epochs = 2\n");
    let plateau = "scheduler={ id = \"reduce-on-plateau\", monitor = \"val_f1\" }";
    let early = "callbacks=[{ id = \"early-stopping\", monitor = \"val_accuracy\" }]";
    let phase = "{ name = \"a\", modules = [\"*\"], end = { monitor = { metric = \"val_f1\" } } }";
    let phased = format!("callbacks=[{{ id = \"phased-finetuning\", phases = [{phase}] }}]");
    // That of a phase which begins only later.
    let second = "{ name = \"a\", modules = [\"head\"], end = { epoch = 1 } }, { name = \"b\", modules = \
                  [\"*\"], scheduler = { id = \"reduce-on-plateau\", monitor = \"val_f1\" } }";
    let scheduled = format!("callbacks=[{{ id = \"phased-finetuning\", phases = [{second}] }}]");
    let plugins = ["--plugin", "early_stopping", "--plugin", "phased_finetuning"];
    for (set, key) in [
        ("checkpoint.monitor=val_f1", "checkpoint.monitor = \"val_f1\""),
        (plateau, "scheduler.monitor = \"val_f1\""),
        (early, "early-stopping = \"val_accuracy\""),
        (&phased, "phases[0].end.monitor.metric = \"val_f1\""),
        (&scheduled, "phased-finetuning: phases[1].scheduler.monitor = \"val_f1\""),
    ] {
        let finished = run.fit(&[&plugins[..], &["--set", set]].concat());
        finished.failed(2, &[key, "is no metric of this run", "val_acc, val_loss"]);
        assert!(run.metrics().is_empty(), "no epoch is lost");
        std::fs::remove_dir_all(run.run_dir()).unwrap();
    }
    // Names of training are known after its first batch.
    run.fit(&["--set", "checkpoint.monitor=train_los"]).failed(2, &["did you mean `train_loss`?"]);
    assert!(run.metrics().is_empty());
}

#[test]
fn a_metric_that_a_callback_logs_later_is_waited_for_until_an_epoch_has_validated() {
    let run = run_with_metric("[3.0, 1.0, 4.0, 2.0]", "[checkpoint]\nmonitor = \"val_f1\"\n");
    run.fit(&[]).failed(2, &["checkpoint.monitor = \"val_f1\"", "there are: metric, train_acc"]);
    std::fs::remove_dir_all(run.run_dir()).unwrap();
    let scheduler = "{ id = \"reduce-on-plateau\", monitor = \"val_f1\" }";
    let phase = format!("{{ name = \"a\", modules = [\"*\"], scheduler = {scheduler} }}");
    let phase = format!("{{ id = \"phased-finetuning\", phases = [{phase}] }}");
    let callbacks = format!("callbacks=[{{ id = \"case-metric\", values = [3.0, 1.0] }}, {phase}]");
    let set = ["--set", "checkpoint.monitor=val_loss", "--set", &callbacks, "--plugin", "phased_finetuning"];
    run.fit(&set).failed(2, &["phases[0].scheduler.monitor = \"val_f1\"", "there are: metric, train_acc"]);
}

#[test]
fn without_validation_data_nobody_waits_for_its_metrics() {
    let config = case("bb_steplr");
    let run = Run::new(&(config + SGD + "[trainer]\nmax_epochs = 2\n"));
    let data = thaw_plugin_api::tch::Tensor::read_safetensors(
        thaw_tests::fixtures().join("parity/bb_steplr/data.safetensors"),
    );
    let training: Vec<_> = data.unwrap().into_iter().filter(|(name, _)| !name.starts_with("val_")).collect();
    thaw_plugin_api::tch::Tensor::write_safetensors(&training, run.folder().join("data.safetensors"))
        .unwrap();
    let more = ["--set", "data.path=data.safetensors", "--set", "scheduler={ id = \"reduce-on-plateau\" }"];
    run.fit(&more).failed(2, &["scheduler.monitor = \"val_loss\"", "no validation data"]);
    std::fs::remove_dir_all(run.run_dir()).unwrap();
    let best = run.fit(&more[..2]).succeeded();
    assert!(best.stdout.contains("best train_loss"), "{best}");
    assert!(matches!(run.json("checkpoints/last/state.json")["best"], Value::Object(_)));
}
