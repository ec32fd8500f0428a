//! A run that was ended anywhere and goes on gives the same bytes as one that was not: weights, optimizer,
//! metrics, groups.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use thaw_tests::{Outcome, Run, fixtures};

/// A model with batch norms and dropout on data in a new order in each epoch, accumulation with a short last
/// window and a short last batch (6 batches, 4 steps an epoch), a strategy that unfreezes at epoch 1.
fn run(more: &str) -> Run {
    let data = fixtures().join("parity/bb_accumulate2_clip/data.safetensors");
    let run = Run::new(&format!(
        r#"seed = 3
plugins = ["case_model", "case_strategies", "backbone_finetuning"]

[model]
id = "case-model"
case = "case.json"

[data]
kind = "tensors"
path = {data:?}
batch_size = 7
val_batch_size = 5
shuffle = true

[optimizer]
id = "adamw"
lr = 0.01
parameters = ["head"]

[[callbacks]]
id = "backbone-finetuning"
unfreeze_backbone_at_epoch = 1
lambda_func = 1.5

[[callbacks]]
id = "case-stop"

[trainer]
max_epochs = 3
accumulate_grad_batches = 2
log_every_n_steps = 4
gradient_clip_val = 1.0
frozen_cache = "on"
{more}"#
    ));
    run.write("case.json", model().to_string());
    run
}

const STEPS_PER_EPOCH: usize = 3;
const STEPS: usize = 9;

fn model() -> Value {
    let linear = |name: &str, from: usize, to: usize| {
        json!({ "name": name, "type": "Linear",
        "in_features": from, "out_features": to, "bias": true })
    };
    json!({
        "model": { "kind": "mlp_bn" },
        "modules": [
            { "name": "backbone", "type": "Sequential", "own_parameters": [] },
            linear("backbone.0", 16, 12),
            { "name": "backbone.1", "type": "BatchNorm1d", "num_features": 12, "eps": 1e-5, "momentum": 0.1 },
            { "name": "backbone.2", "type": "ReLU" },
            { "name": "backbone.3", "type": "Dropout", "p": 0.4 },
            linear("backbone.4", 12, 10),
            { "name": "head", "type": "Sequential", "own_parameters": [] },
            { "name": "head.0", "type": "Dropout", "p": 0.2 },
            linear("head.1", 10, 4),
        ],
    })
}

const COSINE: &str = "[scheduler]\nid = \"cosine\"\nT_max = 9\ninterval = \"step\"\n";
const PLATEAU: &str = "[scheduler]\nid = \"reduce-on-plateau\"\nmonitor = \"val_loss\"\npatience = \
                       0\nthreshold = 0.5\nfactor = 0.5\n";

fn straight(more: &str) -> Outcome {
    let run = run(more);
    run.fit(&[]).succeeded();
    let outcome = Outcome::of(&run.run_dir());
    let records = outcome.text("metrics.jsonl");
    assert!(records.contains("batches_seen"), "{records}");
    outcome
}

#[test]
fn two_runs_give_the_same_bytes() {
    assert!(straight(COSINE) == straight(COSINE));
}

#[test]
fn a_run_resumed_after_any_epoch_equals_the_uninterrupted_one() {
    for scheduler in [COSINE, PLATEAU] {
        let straight = straight(scheduler);
        for epochs in 1..3 {
            let run = run(scheduler);
            run.fit(&["--set", &format!("trainer.max_epochs={epochs}")]).succeeded();
            run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
            straight.assert_same(&run.run_dir(), &format!("after {epochs} epochs"));
        }
    }
}

#[test]
fn a_run_resumed_after_any_step_equals_the_uninterrupted_one() {
    let straight = straight(COSINE);
    for step in 1..STEPS {
        let run = run(COSINE);
        run.fit(&["--set", &format!("trainer.max_steps={step}")]).succeeded();
        let state = run.json("checkpoints/last/state.json");
        // Steps come after batches 2, 4 and 6 of an epoch.
        let position = (step / STEPS_PER_EPOCH, [0, 2, 4][step % STEPS_PER_EPOCH]);
        assert_eq!(
            (state["epoch"].clone(), state["batch"].clone(), state["global_step"].clone()),
            (json!(position.0), json!(position.1), json!(step))
        );
        run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
        straight.assert_same(&run.run_dir(), &format!("after step {step}"));
    }
}

#[test]
fn a_run_that_was_stopped_interrupted_or_killed_equals_the_uninterrupted_one() {
    let straight = straight(COSINE);
    for (how, code) in [("request", Some(0)), ("interrupt", Some(130)), ("kill", None)] {
        for step in [1, 3, 5, 6, 8] {
            let run = run(COSINE);
            let (at_step, how_set) =
                (format!("callbacks.1.at_step={step}"), format!("callbacks.1.how={how}"));
            let ended =
                run.fit(&["--set", &at_step, "--set", &how_set, "--set", "checkpoint.every_n_train_steps=1"]);
            assert_eq!(ended.code(), code, "{ended}");
            // Killed at its first step, a run has no checkpoint yet.
            if (how, step) == ("kill", 1) {
                run.resume(&[]).failed(2, &["run: no checkpoint"]);
                continue;
            }
            run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
            straight.assert_same(&run.run_dir(), &format!("{how} at step {step}"));
        }
    }
}

#[test]
fn every_checkpoint_of_a_run_can_be_gone_on_from_in_another_folder() {
    let straight = straight(PLATEAU);
    let run = run(PLATEAU);
    run.fit(&["--set", "checkpoint.every_n_train_steps=1", "--set", "checkpoint.save_top_k=-1"]).succeeded();
    let checkpoints = run.run_dir().join("checkpoints");
    let mut names: Vec<String> = fs::read_dir(&checkpoints)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name.starts_with("epoch="));
    names.sort();
    assert_eq!(names.len(), STEPS, "{names:?}");
    // After the last one nothing is left to do.
    for (index, name) in names[..STEPS - 1].iter().enumerate() {
        let folder = format!("again-{index}");
        let checkpoint = checkpoints.join(name);
        run.host(["fit", "run.toml", "--run-dir", &folder, "--resume", checkpoint.to_str().unwrap()])
            .succeeded();
        let found = Outcome::of(&run.folder().join(&folder));
        // Not the state: what else is kept there is another run directory's business.
        for (found, expected) in found.0[..4].iter().zip(&straight.0[..4]) {
            assert!(
                found == expected,
                "{} after {name} differs:\n{}",
                found.0,
                String::from_utf8_lossy(&found.1)
            );
        }
    }
}

#[test]
fn a_run_that_was_resumed_twice_equals_the_uninterrupted_one() {
    let straight = straight(COSINE);
    let run = run(COSINE);
    run.fit(&["--set", "trainer.max_steps=2"]).succeeded();
    run.host(["fit", "run.toml", "--resume", "run", "--set", "trainer.max_steps=7"]).succeeded();
    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    straight.assert_same(&run.run_dir(), "after steps 2 and 7");
}

#[test]
fn convolutions_with_the_channels_last_resume_exactly() {
    let case = fixtures().join("parity/conv_milestones_bn_frozen");
    let run = Run::new(&format!(
        "plugins = [\"case_model\"]\n[model]\nid = \"case-model\"\ncase = {:?}\n[data]\nkind \
         = \"tensors\"\npath = {:?}\nbatch_size = 8\n\
         [optimizer]\nid = \"adam\"\n[trainer]\nmax_epochs = 2\nchannels_last = true\n",
        case.join("case.json"),
        case.join("data.safetensors"),
    ));
    run.fit(&[]).succeeded();
    let straight = Outcome::of(&run.run_dir());
    fs::remove_dir_all(run.run_dir()).unwrap();
    run.fit(&["--set", "trainer.max_steps=2"]).succeeded();
    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    straight.assert_same(&run.run_dir(), "channels last, after step 2");
}

#[test]
fn a_stop_inside_an_epoch_validates_and_marks_the_best_checkpoint() {
    let run = run("");
    run.fit(&["--set", "trainer.max_steps=4"]).succeeded();
    let last = run.metrics().pop().unwrap();
    assert_eq!((last["epoch"].clone(), last["step"].clone()), (json!(1), json!(4)));
    assert!(last["val_loss"].is_f64(), "{last}");
    let checkpoints = run.run_dir().join("checkpoints");
    assert_eq!(fs::read_link(checkpoints.join("last")).unwrap(), Path::new("epoch=1-step=4"));
    assert!(checkpoints.join("best/model.safetensors").is_file());
}
