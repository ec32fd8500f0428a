mod refused;

use std::path::PathBuf;

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

use super::PhasedFinetuning;

/// A backbone of three blocks, a dropout outside of it, and a head.
fn model() -> FakeModel {
    FakeModel::new()
        .sequential("backbone", |backbone| {
            (0..3).fold(backbone, |backbone, index| {
                backbone.module(&index.to_string(), "Block", |block| {
                    block.conv2d("conv", 8, 8, 3).batch_norm("bn", 8)
                })
            })
        })
        .dropout("dropout")
        .linear("head", 8, 4)
}

/// Epochs of 4 steps.
fn run(config: Value) -> Result<FakeRun> {
    let mut run = FakeRun::new(model()).max_epochs(6);
    run.add_strategy::<PhasedFinetuning>(config)?;
    Ok(run)
}

fn three() -> Value {
    json!({ "phases": [
        { "name": "first", "modules": ["head"], "end": { "epoch": 2 } },
        { "name": "top", "modules": ["backbone.2"], "lr": { "ratio": 0.5 }, "weight_decay": 0.1,
            "end": { "after_epochs": 1 } },
        { "name": "all", "modules": ["*"], "lr": 1e-5, "optimizer": { "betas": [0.8, 0.9],
            "amsgrad": true } },
    ] })
}

#[test]
fn each_phase_thaws_more_in_a_group_of_its_own() -> Result<()> {
    let report = run(three())?.fit()?;
    report.epoch(0).assert_trainable(["head"]).assert_groups(["first"]).assert_lr("first", 1e-3);
    report.epoch(1).assert_trainable(["head"]).assert_batch_norm("backbone", BatchNorm::Eval);
    report
        .epoch(2)
        .assert_trainable(["head", "backbone.2"])
        .assert_groups(["first", "top"])
        .assert_lr("top", 5e-4);
    report
        .epoch(2)
        .assert_batch_norm("backbone.2", BatchNorm::Train)
        .assert_batch_norm("backbone.1", BatchNorm::Eval);
    report.epoch(3).assert_trainable([""]).assert_groups(["first", "top", "all"]).assert_lr("all", 1e-5);
    let groups = &report.epoch(5).groups;
    assert_eq!(groups.iter().map(|group| group.weight_decay).collect::<Vec<_>>(), [0.0, 0.1, 0.0]);
    assert_eq!(
        groups[2].options.iter().map(|(name, value)| (name.as_str(), *value)).collect::<Vec<_>>(),
        [("amsgrad", 1.0), ("beta1", 0.8), ("beta2", 0.9)]
    );
    report.assert_not_stopped();
    Ok(())
}

#[test]
fn an_optimizer_that_takes_over_does_so_for_all_groups() -> Result<()> {
    let build = || {
        run(json!({ "phases": [
            { "name": "a", "modules": ["head"], "optimizer": { "eps": 1e-6 }, "end": { "epoch": 2 } },
            { "name": "b", "modules": ["*"], "lr": 1e-4, "optimizer": { "id": "sgd", "momentum": 0.9 },
                "end": { "epoch": 4 } },
            { "name": "c", "freeze": ["head"], "optimizer": { "id": "adam" } },
        ] }))
    };
    let report = build()?.fit()?;
    report.assert_event(2, "replace-optimizer sgd").assert_event(4, "replace-optimizer adam");
    assert_eq!(report.epoch(1).groups[0].options["eps"], 1e-6);
    // The settings are the optimizer's, not a group's.
    report.epoch(2).assert_groups(["a", "b"]).assert_lr("b", 1e-4);
    assert!(report.epoch(2).groups.iter().all(|group| group.options.is_empty()));
    report.epoch(4).assert_groups(["b"]);
    assert_resumes_alike(build)
}

#[test]
fn parameters_of_the_optimizer_that_no_phase_trains_yet_are_told() -> Result<()> {
    let report = run(three())?.parameters(["head", "backbone.2.conv"]).fit()?;
    report.epoch(0).assert_trainable(["head"]).assert_groups(["first"]);
    report.assert_message(tracing::Level::WARN, "the first one leaves frozen: backbone.2.conv.weight");
    let quiet = run(three())?.parameters(["head"]).fit()?;
    assert!(
        quiet.messages.iter().all(|message| message.level != tracing::Level::WARN),
        "{:?}",
        quiet.messages
    );
    Ok(())
}

#[test]
fn a_dropout_outside_of_frozen_modules_is_active() -> Result<()> {
    let report = run(three())?.fit()?;
    assert!(report.epoch(0).tree.get("dropout")?.training);
    Ok(())
}

#[test]
fn rates_are_a_tenth_of_group_zeros_or_a_share_of_a_named_phase() -> Result<()> {
    let report = run(json!({ "phases": [
        { "name": "a", "modules": ["head"], "lr": { "ratio": 2 }, "end": { "epoch": 1 } },
        { "name": "b", "modules": ["backbone.2"], "end": { "epoch": 2 } },
        { "name": "c", "modules": ["backbone.1"], "lr": { "ratio": 0.5, "of": "a" },
            "group_lr": { "b": 7e-4 } },
    ] }))?
    .fit()?;
    report.epoch(0).assert_lr("a", 2e-3);
    report.epoch(1).assert_lr("b", 2e-4);
    report.epoch(2).assert_lr("c", 1e-3).assert_lr("b", 7e-4);
    Ok(())
}

#[test]
fn a_phase_may_freeze_and_a_later_one_thaw_again() -> Result<()> {
    let report = run(json!({ "phases": [
        { "name": "a", "modules": ["head"], "end": { "epoch": 1 } },
        { "name": "b", "modules": ["backbone"], "freeze": ["head"], "end": { "epoch": 2 } },
        { "name": "c", "modules": ["head"] },
    ] }))?
    .fit()?;
    report.epoch(1).assert_trainable(["backbone"]).assert_groups(["b"]);
    report.epoch(2).assert_trainable([""]).assert_groups(["b", "c"]);
    Ok(())
}

#[test]
fn batch_norms_stay_frozen_where_they_are_not_to_train() -> Result<()> {
    let phases = json!([{ "name": "all", "modules": ["*"], "train_bn": false }]);
    let report = run(json!({ "frozen_bn": "batch-stats", "phases": phases }))?.fit()?;
    report.epoch(0).assert_batch_norm("backbone", BatchNorm::BatchStats);
    report.epoch(0).assert_trainable(["head", "backbone.0.conv", "backbone.1.conv", "backbone.2.conv"]);
    Ok(())
}

#[test]
fn batch_norms_of_frozen_parts_train_with_the_first_phase_where_they_are_to() -> Result<()> {
    let report = run(json!({ "frozen_bn": "train", "phases": [
        { "name": "a", "modules": ["head"], "end": { "epoch": 1 } },
        { "name": "b", "modules": ["backbone"], "end": { "epoch": 2 } },
        { "name": "c", "freeze": ["backbone"], "frozen_bn": "eval" },
    ] }))?
    .fit()?;
    report.epoch(0).assert_batch_norm("backbone", BatchNorm::Train);
    report.epoch(1).assert_trainable([""]).assert_groups(["a", "b"]);
    report
        .epoch(2)
        .assert_trainable(["head"])
        .assert_batch_norm("backbone", BatchNorm::Eval)
        .assert_groups(["a"]);
    Ok(())
}

/// The first phase's best epoch is 1; it has no patience left after epoch 3.
fn monitored(restore_best: bool) -> Value {
    json!({ "phases": [
        { "name": "a", "modules": ["head"], "restore_best": restore_best,
            "end": { "monitor": { "metric": "val_loss", "patience": 2 } } },
        { "name": "b", "modules": ["*"], "end": { "monitor": { "metric": "val_loss", "patience": 1 } } },
    ] })
}

fn with_losses(config: Value) -> Result<FakeRun> {
    let losses = [0.5, 0.3, 0.4, 0.3, 0.9, 0.8, 0.85, 0.1];
    Ok(run(config)?.max_epochs(8).metric("val_loss", move |epoch| losses[epoch]))
}

#[test]
fn a_metric_ends_a_phase_and_its_best_value_does_not_go_over() -> Result<()> {
    let report = with_losses(monitored(false))?.fit()?;
    report.epoch(3).assert_trainable(["head"]);
    report.epoch(4).assert_trainable([""]);
    // 0.9 would have ended the second phase at once by the first one's 0.3.
    report
        .assert_event(6, "on_train_epoch_end")
        .assert_stopped("the last phase, `b`, is over: `val_loss` has not fallen for an epoch");
    assert_eq!(report.epochs.len(), 7);
    Ok(())
}

#[test]
fn the_best_weights_are_saved_and_put_back_before_the_next_phase() -> Result<()> {
    let report = with_losses(monitored(true))?.fit()?;
    report.assert_event(0, "save-checkpoint phase-a").assert_event(1, "save-checkpoint phase-a");
    report.assert_event(4, "restore-weights phase-a");
    let saves = report.events.iter().filter(|event| event.what.starts_with("save-checkpoint")).count();
    assert_eq!(saves, 2);
    Ok(())
}

#[test]
fn a_metric_of_validation_needs_validation_data() -> Result<()> {
    let scheduler = json!({ "phases": [{ "name": "a", "modules": ["head"], "end": { "epoch": 1 } },
        { "name": "b", "modules": ["*"], "scheduler": { "id": "reduce-on-plateau" } }] });
    for (config, key) in [
        (monitored(false), "phase `a`: `phases[0].end.monitor.metric`"),
        (scheduler, "phase `b`: `phases[1].scheduler.monitor`"),
    ] {
        let failed = with_losses(config)?.validation_batches(0).fit();
        let error = failed.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(&format!("{key}: `val_loss` comes from validation, but")), "{error}");
    }
    Ok(())
}

#[test]
fn a_step_ends_a_phase_inside_an_epoch() -> Result<()> {
    let mut run = run(json!({ "phases": [
        { "name": "a", "modules": ["head"], "end": { "step": 6 } },
        { "name": "b", "modules": ["backbone.2"], "end": { "after_steps": 2 } },
        { "name": "c", "modules": ["*"], "end": { "step": 10 } },
    ] }))?;
    let report = run.fit()?;
    report.epoch(1).assert_trainable(["head"]);
    assert_eq!(report.epoch(1).steps.iter().map(|step| step.lr.len()).collect::<Vec<_>>(), [1, 1, 2, 2]);
    // After the last step of an epoch, the next one's start begins the phase.
    report.epoch(2).assert_trainable([""]).assert_groups(["a", "b", "c"]);
    report.assert_stopped("10 steps are done");
    assert_eq!(report.epoch(2).steps.len(), 2);
    Ok(())
}

#[test]
fn the_first_condition_ends_a_phase() -> Result<()> {
    let end = json!({ "after_epochs": 4, "step": 8, "monitor": { "metric": "val_loss", "patience": 9 } });
    let config = json!({ "phases": [{ "name": "a", "modules": ["head"], "end": end }, { "name": "b",
        "modules": ["*"] }] });
    let report = with_losses(config)?.fit()?;
    report.epoch(1).assert_trainable(["head"]);
    report.epoch(2).assert_trainable([""]);
    Ok(())
}

#[test]
fn a_phase_with_a_scheduler_starts_it_anew_over_all_groups() -> Result<()> {
    let build = || {
        let config = json!({ "phases": [
            { "name": "a", "modules": ["head"], "end": { "epoch": 2 } },
            { "name": "b", "modules": ["*"], "lr": { "ratio": 0.5 }, "scheduler": { "id": "cosine" } },
        ] });
        Ok(run(config)?.scheduler(|_, groups| groups.iter_mut().for_each(|group| group.lr *= 0.5)))
    };
    let report = build()?.fit()?;
    report.assert_event(0, "restart-scheduler of the run").assert_event(2, "restart-scheduler cosine");
    report.epoch(1).assert_lr("a", 5e-4);
    report.epoch(2).assert_lr("a", 1e-3).assert_lr("b", 5e-4);
    assert_resumes_alike(build)
}

#[test]
fn a_run_may_stop_after_any_epoch() -> Result<()> {
    assert_resumes_alike(|| run(three()))?;
    assert_resumes_alike(|| with_losses(monitored(true)))
}

#[test]
fn a_strategy_that_joins_late_begins_with_the_phase_that_is_due() -> Result<()> {
    let mut first = run(three())?;
    first.run_epochs(4)?;
    let mut saved = first.save()?;
    saved["states"]["phased-finetuning"]["state"]["position"] = json!(super::Position::default());
    let report = run(json!({ "phases": [
        { "name": "x", "modules": ["head"], "end": { "epoch": 3 } },
        { "name": "y", "modules": ["backbone.2"], "end": { "epoch": 5 } },
        { "name": "z", "modules": ["*"] },
    ] }))?
    .resumed_from(&saved)
    .fit()?;
    report.epoch(4).assert_trainable(["head", "backbone.2"]).assert_groups(["x", "y"]);
    report.epoch(5).assert_trainable([""]);
    Ok(())
}

#[test]
fn a_schedule_without_the_phase_that_a_run_is_in_is_refused() -> Result<()> {
    let mut first = run(three())?;
    first.run_epochs(1)?;
    let saved = first.save()?;
    let other = json!({ "phases": [{ "name": "other", "modules": ["head"] }] });
    let error =
        run(other)?.resumed_from(&saved).fit().err().map(|error| error.to_string()).unwrap_or_default();
    assert!(
        error.contains("the run is in phase `first`, which this schedule does not have; it has: other"),
        "{error}"
    );
    Ok(())
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("phases.toml");
    std::fs::write(&path, text).expect("a temporary file can be written");
    (folder, path)
}

#[test]
fn a_schedule_may_stand_in_a_file() -> Result<()> {
    let (_folder, path) = file(
        "[[phases]]\nname = \"a\"\nmodules = [\"head\"]\nend = { epoch = 1 }\n[[phases]]\nname \
         = \"b\"\nmodules = [\"*\"]\n",
    );
    let mut loaded = FakeRun::new(model()).max_epochs(2);
    loaded.add_strategy::<PhasedFinetuning>(json!({ "schedule": path }))?;
    loaded.fit()?.epoch(1).assert_trainable([""]);

    let strategy: PhasedFinetuning =
        thaw_plugin_api::config::parse(&json!({ "schedule": path }).to_string())?;
    let resolved = Config::to_value(&strategy);
    assert_eq!(resolved["schedule"]["phases"][1]["name"], "b", "a run directory keeps the schedule");
    let again: PhasedFinetuning = thaw_plugin_api::config::parse(&resolved.to_string())?;
    assert_eq!(Config::to_value(&again), resolved);
    Ok(())
}
