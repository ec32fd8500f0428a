use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun};

use super::TopDown;

#[test]
fn layers_thaw_from_the_top_down_and_stay_thawed() -> Result<()> {
    let model = FakeModel::new()
        .sequential("backbone", |layers| layers.linear("0", 4, 4).linear("1", 4, 4).linear("2", 4, 4))
        .linear("head", 4, 2);
    let mut run = FakeRun::new(model).max_epochs(4);
    run.add_strategy::<TopDown>(json!({ "unfreeze_at_epoch": 1, "layers_per_epoch": 1 }))?;
    let report = run.fit()?;
    report.epoch(0).assert_trainable(["head"]);
    report.epoch(1).assert_trainable(["backbone.2", "head"]).assert_lr("backbone.2", 1e-4);
    report.epoch(2).assert_trainable(["backbone.1", "backbone.2", "head"]);
    report.epoch(3).assert_trainable([""]);
    Ok(())
}
