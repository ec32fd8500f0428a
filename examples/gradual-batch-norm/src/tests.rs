use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun};

use super::GradualBatchNorm;

#[test]
fn batch_norms_freeze_from_the_input_up() -> Result<()> {
    let model = FakeModel::new()
        .sequential("backbone", |layers| {
            layers.linear("0", 4, 4).batch_norm("1", 4).linear("2", 4, 4).batch_norm("3", 4)
        })
        .linear("head", 4, 2);
    let mut run = FakeRun::new(model).max_epochs(3);
    run.add_callback::<GradualBatchNorm>(json!({ "start_epoch": 1, "per_epoch": 1 }))?;
    let report = run.fit()?;
    report.epoch(0).assert_trainable([""]);
    report.epoch(1).assert_frozen(["backbone.1"]).assert_batch_norm("backbone.1", BatchNorm::Eval);
    report.epoch(1).assert_batch_norm("backbone.3", BatchNorm::Train);
    report
        .epoch(2)
        .assert_trainable(["backbone.0", "backbone.2", "head"])
        .assert_batch_norm("backbone.3", BatchNorm::Eval);
    Ok(())
}
