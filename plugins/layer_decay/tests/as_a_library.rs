use thaw_layer_decay::LayerDecay;
use thaw_plugin_api::Result;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun};

#[test]
fn lower_layers_train_at_smaller_rates() -> Result<()> {
    let model = FakeModel::new()
        .linear("stem", 8, 8)
        .linear("body", 8, 8)
        .linear("head", 8, 2)
        .stage("stem", ["stem"])
        .stage("body", ["body"])
        .stage("head", ["head"]);
    let mut run = FakeRun::new(model).optimizer("adamw", 1e-3).weight_decay(0.05);
    run.add_strategy::<LayerDecay>(json!({ "decay": 0.5 }))?;

    let report = run.fit()?;
    report
        .epoch(0)
        .assert_lr("head", 1e-3)
        .assert_lr("body", 5e-4)
        .assert_lr("stem", 2.5e-4)
        .assert_lr("stem.no_decay", 2.5e-4);
    Ok(())
}
