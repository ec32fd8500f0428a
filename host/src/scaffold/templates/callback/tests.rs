use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

use super::MyPlugin;

/// A run of four batches an epoch, whose loss halves with every batch: 1, 0.5, 0.25, …
fn run() -> Result<FakeRun> {
    let model = FakeModel::new().linear("head", 16, 2);
    let mut run = FakeRun::new(model).batches(4).max_epochs(4);
    run = run.loss(|batch| 0.5_f64.powi(batch as i32));
    let config = json!({ "limit": 0.2, "patience": 3 });
    run.add_callback::<MyPlugin>(config)?;
    Ok(run)
}

#[test]
fn the_run_stops_after_three_batches_below_the_limit() -> Result<()> {
    let report = run()?.fit()?;
    report.assert_stopped("3 batches had a loss below 0.2");
    report.epoch(0).assert_logged("batches_below_limit", 1.0);
    assert_eq!(report.epoch(1).steps.len(), 2);
    Ok(())
}

#[test]
fn a_resumed_run_goes_on_as_if_it_had_never_stopped() -> Result<()> {
    assert_resumes_alike(run)
}
