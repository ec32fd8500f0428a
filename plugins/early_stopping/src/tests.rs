use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

use super::EarlyStopping;

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

#[test]
fn a_run_ends_after_so_many_epochs_without_improvement() -> Result<()> {
    assert_eq!(epochs(&[3.0, 2.0, 2.0, 2.5, 2.0, 1.0], json!({}))?, 5);
    assert_eq!(epochs(&[3.0, 2.0, 2.0, 2.5, 1.0, 1.0], json!({}))?, 6);
    run(&[1.0, 1.0, 0.5], json!({ "patience": 1 }))?.fit()?.assert_stopped("`val_loss` has not improved");
    Ok(())
}

#[test]
fn more_is_better_with_mode_max() -> Result<()> {
    assert_eq!(epochs(&[0.5, 0.6, 0.7, 0.6], json!({ "mode": "max", "patience": 1 }))?, 4);
    assert_eq!(epochs(&[0.5, 0.4, 0.7, 0.8], json!({ "mode": "max", "patience": 1 }))?, 2);
    Ok(())
}

#[test]
fn a_change_up_to_min_delta_is_no_improvement() -> Result<()> {
    let config = |mode: &str| json!({ "min_delta": 0.25, "patience": 1, "mode": mode });
    assert_eq!(epochs(&[2.0, 1.75, 1.0], config("min"))?, 2);
    assert_eq!(epochs(&[2.0, 1.5, 1.0], config("min"))?, 3);
    assert_eq!(epochs(&[2.0, 2.25, 3.0], config("max"))?, 2);
    Ok(())
}

#[test]
fn thresholds_end_a_run_at_once() -> Result<()> {
    assert_eq!(epochs(&[2.0, 0.9, 0.8], json!({ "stopping_threshold": 1.0 }))?, 2);
    assert_eq!(epochs(&[2.0, 9.0, 0.8], json!({ "divergence_threshold": 5.0 }))?, 2);
    Ok(())
}

#[test]
fn a_metric_that_is_no_number_ends_a_run_unless_told_otherwise() -> Result<()> {
    const VALUES: &[f64] = &[2.0, f64::NAN, 1.0];
    assert_eq!(epochs(VALUES, json!({}))?, 2);
    assert_eq!(epochs(VALUES, json!({ "check_finite": false }))?, 3);
    Ok(())
}

#[test]
fn a_metric_that_the_run_lacks_is_an_error_unless_told_otherwise() -> Result<()> {
    let error = epochs(&[1.0; 2], json!({ "monitor": "val_f1" })).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("`val_f1` is no metric of this run; there are:") && error.contains("val_loss"), "{error}");
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
    assert_resumes_alike(|| run(&[2.0, 1.0, 1.5, 1.2, 1.1, 0.5], json!({ "patience": 3 })))
}
