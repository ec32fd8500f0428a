use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

use super::{BackboneFinetuning, rounded};

fn model() -> FakeModel {
    FakeModel::new()
        .sequential("backbone", |layers| {
            layers.conv2d("0", 3, 8, 3).batch_norm("1", 8).relu("2").dropout("3")
        })
        .linear("head", 8, 4)
}

fn run(config: Value) -> Result<FakeRun> {
    let mut run = FakeRun::new(model()).max_epochs(6);
    run.add_strategy::<BackboneFinetuning>(config)?;
    Ok(run)
}

#[test]
fn the_backbone_is_frozen_in_evaluation_mode_and_then_trains_at_a_tenth_of_the_rate() -> Result<()> {
    let report = run(json!({ "unfreeze_backbone_at_epoch": 2 }))?.fit()?;
    for epoch in 0..2 {
        report
            .epoch(epoch)
            .assert_trainable(["head"])
            .assert_groups(["default"])
            .assert_batch_norm("backbone", BatchNorm::Eval);
        assert!(
            !report.epoch(epoch).tree.get("backbone.3")?.training,
            "dropout of a frozen backbone is in evaluation mode"
        );
    }
    report.epoch(2).assert_trainable([""]).assert_groups(["default", "backbone"]).assert_lr("backbone", 1e-4);
    report.epoch(2).assert_batch_norm("backbone", BatchNorm::Train);
    assert!(report.epoch(2).tree.get("backbone.3")?.training);
    report.epoch(3).assert_lr("backbone", 2e-4);
    report.epoch(5).assert_lr("backbone", 8e-4);
    Ok(())
}

#[test]
fn the_backbone_rate_stays_at_the_head_rate_unless_told_otherwise() -> Result<()> {
    let aligned = run(json!({ "unfreeze_backbone_at_epoch": 0, "lambda_func": 5 }))?.fit()?;
    aligned.epoch(2).assert_lr("backbone", 1e-3);
    let free =
        run(json!({ "unfreeze_backbone_at_epoch": 0, "lambda_func": 5, "should_align": false }))?.fit()?;
    free.epoch(2).assert_lr("backbone", 2.5e-3);
    Ok(())
}

#[test]
fn lambda_is_called_with_the_epoch_counted_from_one() -> Result<()> {
    let report = run(json!({ "unfreeze_backbone_at_epoch": 1, "lambda_func": "1 + 0.1 * epoch" }))?.fit()?;
    report.epoch(2).assert_lr("backbone", 1e-4 * 1.3);
    report.epoch(3).assert_lr("backbone", 1e-4 * 1.3 * 1.4);
    Ok(())
}

#[test]
fn lambda_may_be_a_function_in_rust() -> Result<()> {
    let strategy: BackboneFinetuning =
        thaw_plugin_api::config::parse(r#"{ "unfreeze_backbone_at_epoch": 1 }"#)?;
    let mut run = FakeRun::new(model()).max_epochs(3);
    run.add_built_strategy(strategy.with_lambda(|epoch| if epoch == 3 { 4.0 } else { 1.0 }));
    run.fit()?.epoch(2).assert_lr("backbone", 4e-4);
    Ok(())
}

#[test]
fn batch_norms_that_do_not_train_stay_as_they_were_frozen() -> Result<()> {
    for (name, kind) in [("eval", BatchNorm::Eval), ("batch-stats", BatchNorm::BatchStats)] {
        let report =
            run(json!({ "unfreeze_backbone_at_epoch": 1, "train_bn": false, "frozen_bn": name }))?.fit()?;
        for epoch in [0, 1, 4] {
            report.epoch(epoch).assert_batch_norm("backbone.1", kind);
        }
        report.epoch(1).assert_trainable(["head", "backbone.0"]);
    }
    Ok(())
}

#[test]
fn a_run_may_stop_after_any_epoch() -> Result<()> {
    assert_resumes_alike(|| run(json!({ "unfreeze_backbone_at_epoch": 2, "lambda_func": "1 + 1 / epoch" })))
}

#[test]
fn a_strategy_that_joins_late_takes_over_what_it_finds() -> Result<()> {
    // Another strategy left the backbone frozen: it thaws now.
    let mut frozen = run(json!({ "unfreeze_backbone_at_epoch": 9 }))?;
    frozen.run_epochs(3)?;
    let saved = frozen.save()?;
    let report = run(json!({ "unfreeze_backbone_at_epoch": 1 }))?.resumed_from(&saved).fit()?;
    report.epoch(3).assert_trainable([""]).assert_lr("backbone", 1e-4);
    report.epoch(4).assert_lr("backbone", 2e-4);

    // Another strategy unfroze it: its rate goes on from where it is.
    let mut trained = run(json!({ "unfreeze_backbone_at_epoch": 0, "lambda_func": 1 }))?;
    trained.run_epochs(3)?;
    let mut saved = trained.save()?;
    saved["states"]["backbone-finetuning"]["state"]["previous_backbone_lr"] = Value::Null;
    let report = run(json!({ "unfreeze_backbone_at_epoch": 1 }))?.resumed_from(&saved).fit()?;
    report.epoch(3).assert_lr("backbone", 2e-4);
    Ok(())
}

#[test]
fn verbose_tells_both_rates() -> Result<()> {
    let report = run(json!({ "unfreeze_backbone_at_epoch": 1, "verbose": true, "rounding": 5 }))?.fit()?;
    report.assert_message(tracing::Level::INFO, "Current lr: 0.001, Backbone lr: 0.0001");
    let quiet = run(json!({ "unfreeze_backbone_at_epoch": 1 }))?.fit()?;
    assert!(
        quiet.messages.iter().all(|message| message.level > tracing::Level::INFO),
        "{:?}",
        quiet.messages
    );
    Ok(())
}

#[test]
fn rates_are_rounded_without_trailing_zeros() {
    assert_eq!(rounded(0.001, 12), "0.001");
    assert_eq!(rounded(1.0 / 3.0, 4), "0.3333");
    assert_eq!(rounded(2.0, 12), "2");
}

#[test]
fn a_wrong_configuration_is_refused() {
    let refused = |config: Value| run(config).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused(json!({ "unfreeze_at_epoch": 2 })).contains("unknown key `unfreeze_at_epoch`"));
    assert!(
        refused(json!({ "backbone_initial_lr": -1 }))
            .contains("`backbone_initial_lr` is -1.0, expected a number of at least 0")
    );
    assert!(refused(json!({ "lambda_func": "2 * epohc" })).contains("did you mean `epoch`?"));
    assert!(refused(json!({ "frozen_bn": "evaluation" })).contains("one of train, batch-stats, eval"));
}

#[test]
fn a_backbone_of_another_name_is_named_in_the_error() -> Result<()> {
    let error =
        run(json!({ "module": "bakbone" }))?.fit().err().map(|error| error.to_string()).unwrap_or_default();
    assert!(
        error.contains("freeze_before_training") && error.contains("did you mean `backbone`?"),
        "{error}"
    );
    Ok(())
}

#[test]
fn of_a_model_without_a_backbone_the_error_says_how_to_get_one() -> Result<()> {
    let mut run = FakeRun::new(FakeModel::new().conv2d("conv1", 3, 8, 3).linear("fc", 8, 4)).max_epochs(1);
    run.add_strategy::<BackboneFinetuning>(json!({}))?;
    let error = run.fit().err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("its top modules are: conv1, fc"), "{error}");
    assert!(error.contains("without its last layer and set `num_classes`"), "{error}");
    assert!(error.contains("use `phased-finetuning`"), "{error}");
    Ok(())
}

#[test]
fn of_a_model_with_its_librarys_names_the_error_names_the_part_with_the_layers() -> Result<()> {
    let model = FakeModel::new().module("bert", "BertModel", |bert| {
        bert.module("layer", "ModuleList", |layers| layers.linear("0", 8, 8).linear("1", 8, 8))
    });
    let build = |config: Value| {
        let mut run = FakeRun::new(model.clone().linear("classifier", 8, 4)).max_epochs(1);
        run.add_strategy::<BackboneFinetuning>(config)?;
        run.fit()
    };
    let error = build(json!({})).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("the layers of this model are in `bert`: set `module = \"bert\"`"), "{error}");
    build(json!({ "module": "bert" }))?.epoch(0).assert_trainable(["classifier"]);
    Ok(())
}

#[test]
fn a_factor_that_is_no_rate_is_refused() -> Result<()> {
    let error = run(json!({ "unfreeze_backbone_at_epoch": 0, "lambda_func": "2 - epoch" }))?.fit().err();
    let error = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("`lambda_func` is -1 for epoch = 3"), "{error}");
    Ok(())
}
