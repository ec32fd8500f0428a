//! A plan says beforehand what a run then does.

use serde_json::Value;
use thaw_tests::{Run, case};

/// What both a plan and `groups.jsonl` say of an epoch; batch norms without their counters, which only training has.
fn told(epoch: &Value) -> (Value, Value, Value, Vec<(String, Value, Value)>) {
    let norms = epoch["batch_norm"].as_object().unwrap().iter();
    let norms = norms.map(|(path, norm)| (path.clone(), norm["training"].clone(), norm["track_running_stats"].clone()));
    (epoch["epoch"].clone(), epoch["groups"].clone(), epoch["trainable"].clone(), norms.collect())
}

fn assert_plan_is_kept(config: &str, more: &[&str]) {
    let run = Run::new(&(case("bb_steplr") + config));
    let plugins = ["--plugin", "backbone_finetuning", "--plugin", "layerwise_finetuning"];
    let arguments = plugins.iter().chain(&["plan", "run.toml", "--json"]).chain(more);
    let planned = run.host(arguments).succeeded();
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    assert!(!run.run_dir().exists(), "a plan writes nothing");
    run.fit(&plugins).succeeded();
    let planned: Vec<_> = plan["epochs"].as_array().unwrap().iter().map(told).collect();
    let done: Vec<_> = run.groups().iter().map(told).collect();
    assert_eq!(planned, done);
}

#[test]
fn thawing_and_a_schedule_of_epochs_go_as_planned() {
    assert_plan_is_kept(
        "[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[scheduler]\nid = \"step\"\nstep_size = 1\ngamma = 0.7\n\
         [trainer]\nmax_epochs = 6\n[[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 2\nlambda_func = 1.5\n",
        &[],
    );
}

#[test]
fn layers_and_a_schedule_of_steps_go_as_planned() {
    assert_plan_is_kept(
        "[optimizer]\nid = \"adam\"\nlr = 0.01\nparameters = [\"head\"]\n[scheduler]\nid = \"cosine\"\ninterval = \"step\"\n\
         [trainer]\nmax_epochs = 4\naccumulate_grad_batches = 2\n\
         [[callbacks]]\nid = \"layerwise-finetuning\"\nunfreeze_at_epoch = 1\nlayers_per_epoch = 2\nfrozen_bn = \"batch-stats\"\n",
        &["--steps-per-epoch", "2"],
    );
}

#[test]
fn a_plan_needs_no_data() {
    let config = case("bb_steplr")
        + "[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 3\n\
         [[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 1\n";
    let run = Run::new(&config);
    let gone = ["--plugin", "backbone_finetuning", "plan", "run.toml", "--set", "data.path=nowhere.safetensors"];
    let text = run.host(gone).succeeded().stdout;
    assert!(text.contains("epoch 1\n  trains      head\n") && text.contains("epochs 2 to 3\n  trains      the whole model\n"), "{text}");
}
