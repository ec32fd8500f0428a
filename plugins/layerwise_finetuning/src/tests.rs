use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

use super::LayerwiseFinetuning;

/// Five layers with parameters and others between them; the container has a parameter of its own.
fn model() -> FakeModel {
    FakeModel::new()
        .sequential("backbone", |layers| {
            let layers = layers.parameter("scale", &[1]).conv2d("0", 3, 8, 3).batch_norm("1", 8).relu("2");
            let layers =
                layers.module("3", "Block", |block| block.conv2d("conv", 8, 8, 3).batch_norm("bn", 8));
            layers.dropout("4").conv2d("5", 8, 8, 3).dropout("6").conv2d("7", 8, 8, 3)
        })
        .linear("head", 8, 4)
}

fn run(config: Value) -> Result<FakeRun> {
    let mut run = FakeRun::new(model()).max_epochs(6);
    run.add_strategy::<LayerwiseFinetuning>(config)?;
    Ok(run)
}

#[test]
fn layers_thaw_from_the_top_and_stay_thawed() -> Result<()> {
    let report = run(json!({ "unfreeze_at_epoch": 1, "layers_per_epoch": 2 }))?.fit()?;
    report.epoch(0).assert_trainable(["head"]);
    report.epoch(1).assert_trainable(["head", "backbone.7", "backbone.5"]).assert_groups([
        "default",
        "backbone.7",
        "backbone.5",
    ]);
    report.epoch(2).assert_trainable(["head", "backbone.7", "backbone.5", "backbone.3", "backbone.1"]);
    report.epoch(2).assert_batch_norm("backbone.3", BatchNorm::Train);
    report.epoch(3).assert_trainable([""]);
    report.epoch(5).assert_trainable([""]).assert_groups([
        "default",
        "backbone.7",
        "backbone.5",
        "backbone.3",
        "backbone.1",
        "backbone.0",
        "backbone",
    ]);
    Ok(())
}

#[test]
fn rates_are_a_tenth_of_the_heads_and_fall_with_the_depth() -> Result<()> {
    let report = run(json!({ "unfreeze_at_epoch": 0, "layers_per_epoch": 2, "rate_decay": 0.5 }))?.fit()?;
    report
        .epoch(1)
        .assert_lr("backbone.7", 1e-4)
        .assert_lr("backbone.5", 0.5e-4)
        .assert_lr("backbone.3", 0.25e-4);
    let given = run(json!({ "unfreeze_at_epoch": 0, "lr": 3e-4 }))?.fit()?;
    given.epoch(5).assert_lr("backbone.7", 3e-4).assert_lr("backbone.0", 3e-4);
    Ok(())
}

#[test]
fn children_without_parameters_follow_the_layer_before_them() -> Result<()> {
    let report = run(json!({ "unfreeze_at_epoch": 1, "layers_per_epoch": 1 }))?.fit()?;
    let training = |epoch: usize, path: &str| Ok::<_, Error>(report.epoch(epoch).tree.get(path)?.training);
    assert!(!training(1, "backbone.6")?, "only the last layer trains");
    assert!(training(2, "backbone.6")? && !training(2, "backbone.4")?);
    assert!(training(3, "backbone.4")?);
    Ok(())
}

#[test]
fn batch_norms_stay_frozen_where_they_are_not_to_train() -> Result<()> {
    let report = run(json!({ "unfreeze_at_epoch": 0, "layers_per_epoch": 5, "train_bn": false }))?.fit()?;
    report
        .epoch(3)
        .assert_batch_norm("backbone", BatchNorm::Eval)
        .assert_frozen(["backbone.1", "backbone.3.bn"]);
    let groups: Vec<&str> = report.epoch(3).groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(groups, ["default", "backbone.7", "backbone.5", "backbone.3", "backbone.0", "backbone"]);
    Ok(())
}

/// As transformers' BERT and torchvision's vision transformers name theirs: blocks in a list below an encoder
/// that has more than the list.
fn transformer() -> FakeModel {
    FakeModel::new()
        .module("backbone", "BertModel", |bert| {
            let bert = bert.module("embeddings", "BertEmbeddings", |embeddings| {
                embeddings.linear("word", 8, 8).linear("position", 8, 8)
            });
            bert.module("encoder", "BertEncoder", |encoder| {
                let encoder = encoder.parameter("pos_embedding", &[8]).dropout("dropout");
                let encoder = encoder.module("layer", "ModuleList", |layers| {
                    (0..3).fold(layers, |layers, index| {
                        layers.module(&index.to_string(), "BertLayer", |layer| {
                            layer.sequential("mlp", |mlp| mlp.linear("0", 8, 8).relu("1").linear("2", 8, 8))
                        })
                    })
                });
                encoder.linear("ln", 8, 8)
            })
        })
        .linear("head", 8, 4)
}

#[test]
fn blocks_of_a_transformer_thaw_one_by_one() -> Result<()> {
    let mut run = FakeRun::new(transformer()).max_epochs(6);
    run.add_strategy::<LayerwiseFinetuning>(json!({ "unfreeze_at_epoch": 1, "layers_per_epoch": 1 }))?;
    let report = run.fit()?;
    let layer = |index: usize| format!("backbone.encoder.layer.{index}");
    let (first, second, third) = (layer(0), layer(1), layer(2));
    report.epoch(0).assert_trainable(["head"]);
    report.epoch(1).assert_trainable(["head", "backbone.encoder.ln"]);
    report.epoch(2).assert_trainable(["head", "backbone.encoder.ln", &third]);
    report.epoch(3).assert_trainable(["head", "backbone.encoder.ln", &third, &second]);
    assert!(!report.epoch(4).tree.get("backbone.encoder.dropout")?.training, "it goes with what is below it");
    report.epoch(4).assert_trainable(["head", "backbone.encoder.ln", &third, &second, &first]);
    report.epoch(5).assert_trainable([""]).assert_groups([
        "default",
        "backbone.encoder.ln",
        &third,
        &second,
        &first,
        "backbone.embeddings",
        "backbone",
    ]);
    assert!(report.epoch(5).tree.modules().iter().all(|module| module.training));
    Ok(())
}

#[test]
fn stages_of_several_blocks_stay_whole() -> Result<()> {
    let stage = |model: FakeModel, name: &str| {
        model.sequential(name, |blocks| {
            (0..2).fold(blocks, |blocks, index| {
                blocks.module(&index.to_string(), "BasicBlock", |block| block.conv2d("conv1", 8, 8, 3))
            })
        })
    };
    let model = FakeModel::new().module("backbone", "Backbone", |backbone| {
        ["layer1", "layer2"].into_iter().fold(backbone.conv2d("conv1", 3, 8, 3), stage)
    });
    let mut run = FakeRun::new(model.linear("head", 8, 4)).max_epochs(3);
    run.add_strategy::<LayerwiseFinetuning>(json!({ "unfreeze_at_epoch": 1, "layers_per_epoch": 1 }))?;
    let report = run.fit()?;
    report.epoch(1).assert_trainable(["head", "backbone.layer2"]);
    report.epoch(2).assert_trainable(["head", "backbone.layer2", "backbone.layer1"]);
    Ok(())
}

#[test]
fn layers_can_be_named() -> Result<()> {
    let report = run(
        json!({ "layers": ["backbone.0", "backbone.5"], "unfreeze_at_epoch": 0, "layers_per_epoch": 1 }),
    )?
    .fit()?;
    report.epoch(0).assert_trainable(["head", "backbone.5"]);
    report.epoch(1).assert_trainable([""]);
    Ok(())
}

#[test]
fn a_run_may_stop_after_any_epoch() -> Result<()> {
    assert_resumes_alike(|| run(json!({ "unfreeze_at_epoch": 1, "layers_per_epoch": 1, "rate_decay": 0.5 })))
}

#[test]
fn a_strategy_that_joins_late_catches_up() -> Result<()> {
    let mut frozen = run(json!({ "unfreeze_at_epoch": 9 }))?;
    frozen.run_epochs(2)?;
    let saved = frozen.save()?;
    let report = run(json!({ "unfreeze_at_epoch": 1, "layers_per_epoch": 1 }))?.resumed_from(&saved).fit()?;
    report.epoch(2).assert_trainable(["head", "backbone.7", "backbone.5"]);
    Ok(())
}

#[test]
fn a_backbone_without_layers_is_refused() -> Result<()> {
    let model = FakeModel::new().relu("backbone").linear("head", 8, 4);
    let mut run = FakeRun::new(model);
    run.add_strategy::<LayerwiseFinetuning>(json!({}))?;
    let error = run.fit().err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("`backbone` has no child with parameters"), "{error}");
    Ok(())
}
