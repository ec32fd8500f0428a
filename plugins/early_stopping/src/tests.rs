use thaw_plugin_api::context::number_from_json;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::{self, json};
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

use super::{EarlyStopping, Watch};

/// A run whose `val_loss` has these values, one an epoch.
fn run(values: &'static [f64], config: Value) -> Result<FakeRun> {
    let mut run = FakeRun::new(FakeModel::new().linear("head", 4, 2)).max_epochs(values.len());
    run = run.metric("val_loss", |epoch| values[epoch]);
    run.add_callback::<EarlyStopping>(config)?;
    Ok(run)
}

/// How many epochs such a run has.
fn epochs(values: &'static [f64], config: Value) -> Result<usize> {
    Ok(run(values, config)?.fit()?.epochs.len())
}

/// Runs of Lightning's callback: `tests/fixtures/early_stopping/generate.py` made them.
const RECORDED: &str = include_str!("../../../tests/fixtures/early_stopping/early_stopping.json");

/// What a recorded run ended with.
#[derive(Debug, PartialEq)]
enum End {
    Error,
    Epochs { epochs: usize, best: Option<f32>, wait_count: usize, reason: &'static str },
}

fn recorded_end(case: &Value) -> End {
    if case.get("error").is_some() {
        return End::Error;
    }
    // Lightning's best score is never none.
    let worst = if case["parameters"]["mode"] == "max" { f32::NEG_INFINITY } else { f32::INFINITY };
    let best = number_from_json(&case["best_score"]).map(|best| best as f32).filter(|best| *best != worst);
    // `EarlyStoppingReason` by number.
    let reasons =
        ["", "better than stopping_threshold", "worse than divergence_threshold", "has not improved", "is"];
    let number = |key: &str| case[key].as_u64().unwrap_or_else(|| panic!("{key} of {case}")) as usize;
    End::Epochs {
        epochs: number("epochs"),
        best,
        wait_count: number("wait_count"),
        reason: reasons[number("stopping_reason")],
    }
}

/// Such a run here.
fn end(case: &Value, values: &[f64]) -> Result<End> {
    let number = |key: &str| case[key].as_u64().unwrap_or(1) as usize;
    let (of_training, of_validation) = (values.to_vec(), values.to_vec());
    let mut run = FakeRun::new(FakeModel::new().linear("head", 4, 2))
        .max_epochs(values.len())
        .batches(1)
        .loss(move |batch| of_training[batch]);
    run = run
        .validation_batches(usize::from(case["validates"] == true))
        .metric("val_loss", move |epoch| of_validation[epoch]);
    run = run.check_val_every_n_epoch(number("check_val_every_n_epoch"));
    run.add_callback::<EarlyStopping>(case["parameters"].clone())?;
    let Ok(report) = run.fit() else { return Ok(End::Error) };
    let watch: Watch =
        serde_json::from_value(run.save()?["states"]["early-stopping"]["state"]["watch"].clone())?;
    let best = watch.best_score().map(|best| best as f32);
    let stopped = report.stopped.unwrap_or_default();
    let reasons =
        ["better than stopping_threshold", "worse than divergence_threshold", "has not improved", "is"];
    let reason = reasons.into_iter().find(|reason| stopped.contains(reason)).unwrap_or_default();
    Ok(End::Epochs { epochs: report.epochs.len(), best, wait_count: watch.wait_count(), reason })
}

/// Where Thaw differs on purpose.
fn differs(case: &Value) -> bool {
    let parameters = &case["parameters"];
    let (of_training, at_end) =
        (parameters["monitor"] == "train_loss", &parameters["check_on_train_epoch_end"]);
    let (validates, every_epoch) = (case["validates"] == true, case["check_val_every_n_epoch"] == 1);
    // A metric of training is that of the epoch, where Lightning has that of the epoch before during a
    // validation.
    (of_training && validates && (*at_end == false || at_end.is_null() && !every_epoch))
        // Without validation, Lightning would by default look never.
        || (of_training && !validates && at_end.is_null() && !every_epoch)
        // A value counts once: Lightning looks at the last one anew in epochs that do not validate, and
        // misses one before the first validation.
        || (!of_training && validates && *at_end == true && !every_epoch)
        // A metric of validation is missed, but the run goes on: a run with the defaults runs without
        // validation.
        || (!of_training && !validates && *at_end != false && case.get("error").is_some())
}

#[test]
fn runs_end_where_those_of_lightning_do() -> Result<()> {
    let recorded: Value = serde_json::from_str(RECORDED)?;
    let mut same = 0;
    for case in recorded["cases"].as_array().into_iter().flatten() {
        let name = case["sequence"].as_str().unwrap_or_default();
        let values =
            recorded["sequences"][name].as_array().into_iter().flatten().filter_map(number_from_json);
        let found = end(case, &values.collect::<Vec<_>>())?;
        assert_eq!(found == recorded_end(case), !differs(case), "{found:?} in {case}");
        same += usize::from(!differs(case));
    }
    assert_eq!(same, 222, "cases that are the same");
    Ok(())
}

#[test]
fn a_metric_that_the_run_lacks_is_an_error_unless_told_otherwise() -> Result<()> {
    let error = epochs(&[1.0; 2], json!({ "monitor": "val_f1" }))
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        error.contains("`val_f1` is no metric of this run; there are:") && error.contains("val_loss"),
        "{error}"
    );
    let report = run(&[1.0; 2], json!({ "monitor": "val_f1", "strict": false }))?.fit()?;
    report.assert_not_stopped().assert_message(tracing::Level::WARN, "val_f1");
    let report = run(&[1.0; 2], json!({ "monitor": "val_f1" }))?.validation_batches(0).fit()?;
    report.assert_not_stopped().assert_message(tracing::Level::WARN, "val_f1");
    Ok(())
}

#[test]
fn improvements_are_told_on_request() -> Result<()> {
    let report = run(&[2.0, 1.5], json!({ "verbose": true }))?.fit()?;
    report.assert_message(tracing::Level::INFO, "`val_loss` improved by 5.000e-1, new best: 1.5");
    Ok(())
}

#[test]
fn a_resumed_run_ends_in_the_same_epoch() -> Result<()> {
    assert_resumes_alike(|| run(&[2.0, 1.0, 1.5, 1.2, 1.1, 0.5], json!({ "patience": 3 })))?;
    // Nothing is better than an infinite score, which JSON's numbers are not.
    assert_resumes_alike(|| {
        run(&[2.0, f64::NEG_INFINITY, 1.5, 1.2, 1.1, 0.5], json!({ "check_finite": false }))
    })
}
