use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

use super::MyPlugin;

fn run() -> Result<FakeRun> {
    let model = FakeModel::new()
        .sequential("backbone", |layers| {
            layers.linear("0", 8, 16).batch_norm("1", 16)
        })
        .linear("head", 16, 2);
    let mut run = FakeRun::new(model).optimizer("adam", 1e-3).max_epochs(4);
    let config = json!({ "unfreeze_at_epoch": 2 });
    run.add_strategy::<MyPlugin>(config)?;
    Ok(run)
}

#[test]
fn the_backbone_thaws_at_a_tenth_of_the_rate() -> Result<()> {
    let report = run()?.fit()?;
    report.epoch(1).assert_trainable(["head"]);
    report
        .epoch(1)
        .assert_batch_norm("backbone.1", BatchNorm::Eval);
    report.epoch(2).assert_trainable(["backbone", "head"]);
    report.epoch(2).assert_lr("backbone", 1e-4);
    Ok(())
}

#[test]
fn a_resumed_run_goes_on_as_if_it_had_never_stopped() -> Result<()> {
    assert_resumes_alike(run)
}
