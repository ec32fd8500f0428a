use thaw_layerwise_finetuning::LayerwiseFinetuning;
use thaw_plugin_api::Result;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun};

#[test]
fn layers_thaw_from_the_top_down() -> Result<()> {
    let model = FakeModel::new()
        .sequential("backbone", |layers| layers.linear("0", 8, 8).linear("1", 8, 8).linear("2", 8, 8))
        .linear("head", 8, 2);
    let mut run = FakeRun::new(model).max_epochs(4);
    run.add_strategy::<LayerwiseFinetuning>(json!({ "unfreeze_at_epoch": 1, "layers_per_epoch": 2 }))?;

    let report = run.fit()?;
    report.epoch(0).assert_trainable(["head"]);
    report.epoch(1).assert_trainable(["head", "backbone.2", "backbone.1"]);
    report.epoch(2).assert_trainable(["head", "backbone"]);
    Ok(())
}
