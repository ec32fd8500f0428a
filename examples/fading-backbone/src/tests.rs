use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

use super::FadingBackbone;

fn run() -> Result<FakeRun> {
    let model =
        FakeModel::new().sequential("backbone", |layers| layers.linear("0", 4, 4)).linear("head", 4, 2);
    let mut run = FakeRun::new(model).max_epochs(4).parameters(["head"]);
    run.add_strategy::<FadingBackbone>(
        json!({ "unfreeze_backbone_at_epoch": 1, "lambda_func": 3.0, "half_life": 1.0,
            "should_align": false }),
    )?;
    Ok(run)
}

#[test]
fn growth_halves_with_each_half_life() -> Result<()> {
    let report = run()?.fit()?;
    report.epoch(0).assert_trainable(["head"]);
    report.epoch(1).assert_lr("backbone", 1e-4);
    report.epoch(2).assert_lr("backbone", 1e-4 * 2.0);
    report.epoch(3).assert_lr("backbone", 1e-4 * 2.0 * 1.5);
    Ok(())
}

#[test]
fn a_resumed_run_goes_on_from_the_same_rate() -> Result<()> {
    assert_resumes_alike(run)
}
