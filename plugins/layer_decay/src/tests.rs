use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

use super::LayerDecay;

/// A transformer in small: a class token of its own, four blocks, a norm, a head.
fn model() -> FakeModel {
    FakeModel::new()
        .parameter("cls_token", &[1, 1, 8])
        .linear("embed", 8, 8)
        .sequential("blocks", |blocks| {
            (0..4).fold(blocks, |blocks, index| {
                blocks.module(&index.to_string(), "Block", |block| {
                    block.layer_norm("norm", 8).linear("mlp", 8, 8)
                })
            })
        })
        .layer_norm("norm", 8)
        .linear("head", 8, 4)
}

fn run(model: FakeModel, config: Value) -> Result<FakeRun> {
    let mut run = FakeRun::new(model).optimizer("adamw", 1e-3).weight_decay(0.05).max_epochs(4);
    run.add_strategy::<LayerDecay>(config)?;
    Ok(run)
}

#[test]
fn rates_fall_by_the_decay_from_the_last_layer_down() -> Result<()> {
    let report = run(model(), json!({}))?.fit()?;
    // timm's layer_scales: decay ** (layer_max - layer), layers embed, blocks 0 to 3, norm, head.
    let scales = [0.177978515625, 0.2373046875, 0.31640625, 0.421875, 0.5625, 1.0];
    for (name, scale) in
        ["embed", "blocks.0", "blocks.1", "blocks.2", "blocks.3", "head"].into_iter().zip(scales)
    {
        report.epoch(0).assert_lr(name, 1e-3 * scale);
    }
    report.epoch(0).assert_lr("norm.no_decay", 0.75e-3).assert_trainable([""]);
    Ok(())
}

#[test]
fn stages_give_the_order_where_the_model_declares_them() -> Result<()> {
    let staged = model()
        .stage("stem", ["embed"])
        .stage("lower", ["blocks.0", "blocks.1"])
        .stage("upper", ["blocks.2", "blocks.3"])
        .stage("head", ["norm", "head"]);
    let report = run(staged, json!({ "decay": 0.1 }))?.fit()?;
    report
        .epoch(0)
        .assert_lr("stem", 1e-6)
        .assert_lr("lower", 1e-5)
        .assert_lr("upper", 1e-4)
        .assert_lr("head", 1e-3);
    Ok(())
}

#[test]
fn configured_layers_win_over_stages() -> Result<()> {
    let staged = model().stage("all", ["embed", "blocks", "norm", "head"]);
    let report = run(staged, json!({ "decay": 0.1, "layers": ["blocks", "head"] }))?.fit()?;
    report.epoch(0).assert_lr("blocks", 1e-4).assert_lr("head", 1e-3);
    Ok(())
}

#[test]
fn a_module_around_the_layers_goes_with_the_first_and_the_rest_with_the_last() -> Result<()> {
    let report = run(model(), json!({ "decay": 0.1, "layers": ["blocks.[01]", "blocks.[23]"] }))?.fit()?;
    let group_of = |parameter: &str| {
        let groups = &report.epoch(0).groups;
        groups
            .iter()
            .find(|group| group.parameters.iter().any(|name| name == parameter))
            .map(|group| group.name.clone())
    };
    assert_eq!(group_of("cls_token").as_deref(), Some("blocks.[01]"));
    assert_eq!(group_of("head.weight").as_deref(), Some("blocks.[23]"));
    Ok(())
}

#[test]
fn parameters_of_one_dimension_go_without_weight_decay() -> Result<()> {
    let report = run(model(), json!({}))?.fit()?;
    for group in &report.epoch(0).groups {
        let expected = if group.name.ends_with(".no_decay") { 0.0 } else { 0.05 };
        assert_eq!(group.weight_decay, expected, "group {}", group.name);
    }
    let all = run(model(), json!({ "no_weight_decay_1d": false }))?.fit()?;
    assert!(all.epoch(0).groups.iter().all(|group| group.weight_decay == 0.05));
    Ok(())
}

#[test]
fn no_rate_falls_below_the_smallest_scale() -> Result<()> {
    let report = run(model(), json!({ "decay": 0.1, "min_scale": 0.05 }))?.fit()?;
    report.epoch(0).assert_lr("embed", 5e-5).assert_lr("blocks.3", 5e-5).assert_lr("head", 1e-3);
    Ok(())
}

#[test]
fn groups_are_laid_out_once_and_then_belong_to_the_scheduler() -> Result<()> {
    let build = || {
        let run = run(model(), json!({}))?;
        Ok(run.scheduler(|_, groups| groups.iter_mut().for_each(|group| group.lr *= 0.5)))
    };
    let report = build()?.fit()?;
    report.epoch(2).assert_lr("head", 0.25e-3).assert_lr("blocks.3", 0.25e-3 * 0.5625);
    assert_resumes_alike(build)
}

#[test]
fn groups_of_the_run_config_keep_their_names_and_options() -> Result<()> {
    let tree = model().tree()?;
    let mut optimizer = Optimizer::new("sgd", 0.1, 0.0, Vec::new());
    for (name, lr) in [("blocks", 0.1), ("head", 1.0)] {
        let mut group =
            ParamGroup { parameters: tree.select([name])?.parameters, ..optimizer.new_group(name, lr) };
        group.options.insert("momentum".to_owned(), lr);
        optimizer.add_param_group(group)?;
    }
    let strategy: LayerDecay =
        thaw_plugin_api::config::parse(r#"{ "decay": 0.5, "no_weight_decay_1d": false }"#)?;
    let groups = strategy.lay_out(&tree, &optimizer)?;
    let found: Vec<(&str, f64, Option<f64>)> = groups
        .iter()
        .map(|group| (group.name.as_str(), group.lr, group.options.get("momentum").copied()))
        .collect();
    let blocks = [
        ("blocks/blocks.0", 0.1 / 32.0),
        ("blocks/blocks.1", 0.1 / 16.0),
        ("blocks/blocks.2", 0.0125),
        ("blocks/blocks.3", 0.025),
    ];
    let mut expected: Vec<(&str, f64, Option<f64>)> =
        blocks.into_iter().map(|(name, lr)| (name, lr, Some(0.1))).collect();
    expected.push(("head/head", 1.0, Some(1.0)));
    assert_eq!(found, expected);
    Ok(())
}

#[test]
fn a_wrong_layer_is_named_before_training() -> Result<()> {
    let error = run(model(), json!({ "layers": ["bloks", "head"] }))?.fit().err();
    let error = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("freeze_before_training") && error.contains("did you mean `blocks`?"), "{error}");
    Ok(())
}
