use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

use super::PlateauThawing;

/// The loss falls in epochs 0 and 1, and stalls from then on.
fn run() -> Result<FakeRun> {
    let model = FakeModel::new()
        .sequential("backbone", |layers| layers.linear("0", 4, 4).linear("1", 4, 4))
        .linear("head", 4, 2);
    let mut run = FakeRun::new(model).max_epochs(7).parameters(["head"]);
    run = run.metric("val_loss", |epoch| if epoch == 0 { 2.0 } else { 1.0 });
    run.add_strategy::<PlateauThawing>(json!({ "patience": 1 }))?;
    Ok(run)
}

#[test]
fn a_layer_thaws_at_each_plateau_the_last_first() -> Result<()> {
    let report = run()?.fit()?;
    report.epoch(2).assert_trainable(["head"]);
    report.epoch(3).assert_trainable(["backbone.1", "head"]).assert_lr("backbone.1", 1e-4);
    report.epoch(4).assert_trainable(["backbone.1", "head"]);
    report.epoch(5).assert_trainable(["backbone", "head"]);
    Ok(())
}

#[test]
fn a_metric_that_is_not_logged_is_named_and_nothing_thaws() -> Result<()> {
    let model =
        FakeModel::new().sequential("backbone", |layers| layers.linear("0", 4, 4)).linear("head", 4, 2);
    let mut run = FakeRun::new(model).max_epochs(4).parameters(["head"]);
    run.add_strategy::<PlateauThawing>(json!({ "monitor": "val_f1" }))?;
    let report = run.fit()?;
    report.assert_message(tracing::Level::WARN, "val_f1");
    report.epoch(3).assert_trainable(["head"]);
    Ok(())
}

#[test]
fn a_resumed_run_thaws_at_the_same_epochs() -> Result<()> {
    assert_resumes_alike(run)
}
