//! A real model's tree, as `host plan --tree` prints it, in an author's fake run.

use serde_json::{Value, json};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::testing::{FakeModel, FakeRun};
use thaw_tests::{Run, case};

/// Trains the head alone, and the whole model from one epoch on.
#[derive(Config)]
struct HeadFirst {
    /// Epoch at which the backbone thaws.
    #[config(default = 5)]
    unfreeze_at_epoch: usize,
}

impl Strategy for HeadFirst {
    const ID: &'static str = "head-first";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.module("backbone")?.freeze(BatchNorm::Eval);
        Ok(())
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        if epoch == self.unfreeze_at_epoch {
            let rate = optimizer.group(0)?.lr * 0.1;
            model.module("backbone")?.unfreeze_and_add_param_group(optimizer, rate)?;
        }
        Ok(())
    }
}

#[test]
fn a_fake_run_over_an_exported_tree_trains_what_the_host_s_plan_says() {
    let run = Run::new(
        &(case("bb_steplr")
            + "[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 3\n\
               [[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 1\nlambda_func = \
               1\n"),
    );
    let plan = |print: &str| {
        run.host(["--plugin", "backbone_finetuning", "plan", "run.toml", print]).succeeded().stdout
    };
    let model = FakeModel::from_json(&plan("--tree")).unwrap();
    let planned: Value = serde_json::from_str(&plan("--json")).unwrap();

    let mut fake = FakeRun::new(model).optimizer("sgd", 0.1).parameters(["head"]).max_epochs(3);
    fake.add_strategy::<HeadFirst>(json!({ "unfreeze_at_epoch": 1 })).unwrap();
    let report = fake.fit().unwrap();
    let planned = planned["epochs"].as_array().unwrap();
    assert_eq!(report.epochs.len(), planned.len());
    for (record, planned) in report.epochs.iter().zip(planned) {
        assert_eq!(json!(record.tree.trainable()), planned["trainable"]);
        let group = |group: &Value| (group["name"].clone(), group["lr"].clone(), group["parameters"].clone());
        let groups: Vec<_> =
            record.groups.iter().map(|found| group(&serde_json::to_value(found).unwrap())).collect();
        assert_eq!(groups, planned["groups"].as_array().unwrap().iter().map(group).collect::<Vec<_>>());
        for (path, flags) in record.batch_norms() {
            assert_eq!(json!(flags.training), planned["batch_norm"][path]["training"], "{path}");
        }
    }
}

#[test]
fn an_exported_tree_has_what_the_model_has() {
    let run = Run::new("plugins = [\"vision\"]\n[model]\nid = \"mobilenet-v3-small\"\nnum_classes = 4\n");
    let exported = run.host(["plan", "run.toml", "--tree"]).succeeded().stdout;
    let tree = FakeModel::from_json(&exported).unwrap().tree().unwrap();
    assert_eq!(serde_json::to_value(&tree).unwrap(), serde_json::from_str::<Value>(&exported).unwrap());
    assert!(tree.stages().len() > 10 && tree.modules().iter().any(|module| module.is_batch_norm()));
}
