//! Freeze state, groups and rates after a restart.

use serde_json::Value;
use thaw_tests::{Run, read_tensors};

use crate::model::{batch_norm, linear, names, run, sequential};

/// Momentum, and a strategy that unfreezes at epoch 1 and doubles the backbone's rate afterwards.
const CONFIG: &str = "batch_size = 8\n\
    [optimizer]\nid = \"sgd\"\nlr = 0.01\nmomentum = 0.9\nparameters = [\"head\"]\n\
    [trainer]\nmax_epochs = 4\n\
    [[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 1\n";

const BACKBONE: [&str; 4] = ["backbone.0.weight", "backbone.0.bias", "backbone.1.weight", "backbone.1.bias"];

fn start() -> Run {
    let modules = [
        sequential("backbone"),
        linear("backbone.0", 16, 8),
        batch_norm("backbone.1", 8),
        linear("head", 8, 4),
    ];
    run(&modules, CONFIG)
}

/// A run of two epochs, of which the backbone trained in the second.
fn stopped() -> Run {
    let run = start();
    run.fit(&["--set", "trainer.max_epochs=2"]).succeeded();
    run
}

fn rates(record: &Value) -> Vec<(&str, f64)> {
    let groups = record["groups"].as_array().unwrap().iter();
    groups.map(|group| (group["name"].as_str().unwrap(), group["lr"].as_f64().unwrap())).collect()
}

#[test]
fn what_was_unfrozen_before_a_restart_still_trains_after_it() {
    let run = stopped();
    let last = run.run_dir().join("checkpoints/last/model.safetensors");
    let before = read_tensors(&last).unwrap();
    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    let after = read_tensors(&last).unwrap();
    for record in &run.groups()[1..] {
        for name in BACKBONE {
            assert!(names(&record["trainable"]).contains(&name), "{name} is frozen in {record}");
        }
        assert_eq!(record["batch_norm"]["backbone.1"]["training"], true, "{record}");
    }
    // A bias before a batch norm has no gradient to speak of.
    for name in ["backbone.0.weight", "backbone.1.weight", "backbone.1.bias", "backbone.1.running_mean"] {
        assert_ne!(before[name], after[name], "{name} does not train after the restart");
    }
}

#[test]
fn what_was_frozen_before_a_restart_is_frozen_after_it() {
    let run = start();
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let modes = |run: &Run| run.json("checkpoints/last/state.json")["modules"].clone();
    let before = modes(&run);
    assert!(before.to_string().contains("\"training\":false"), "{before}");
    run.host(["fit", "run.toml", "--resume", "run", "--set", "callbacks.0.unfreeze_backbone_at_epoch=9"])
        .succeeded();
    assert_eq!(modes(&run), before);
}

#[test]
fn rates_that_a_strategy_had_reached_go_on_from_there() {
    let run = stopped();
    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    let rates: Vec<f64> = run.groups()[1..].iter().map(|record| rates(record)[1].1).collect();
    assert_eq!(rates, [0.001, 0.002, 0.004]);
}

#[test]
fn a_run_with_more_groups_than_it_began_with_is_resumed_by_their_names() {
    let run = stopped();
    // The run config alone would make one group, of the head.
    run.host(["fit", "run.toml", "--resume", "run", "--set", "trainer.max_epochs=3"]).succeeded();
    let groups = run.groups();
    let names_of =
        |record: &Value| rates(record).iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(names_of(&groups[0]), ["head"]);
    assert_eq!(names_of(&groups[2]), ["head", "backbone"]);
    assert_eq!(names(&groups[2]["groups"][1]["parameters"]), BACKBONE);
}

#[test]
fn momentum_comes_back_to_the_parameter_that_it_is_of() {
    // The other order of a group's parameters in the checkpoint: state by position would go to other ones.
    let straight = start();
    straight.fit(&[]).succeeded();
    let run = stopped();
    let path = run.run_dir().join("checkpoints/last/state.json");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for group in state["groups"].as_array_mut().unwrap() {
        group["parameters"].as_array_mut().unwrap().reverse();
    }
    std::fs::write(&path, state.to_string()).unwrap();
    std::fs::remove_file(path.with_file_name("state.sha256")).unwrap();
    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    for file in ["model", "optimizer"] {
        let file = format!("checkpoints/last/{file}.safetensors");
        let bytes = |run: &Run| std::fs::read(run.run_dir().join(&file)).unwrap();
        assert!(bytes(&run) == bytes(&straight), "{file} differs");
    }
}
