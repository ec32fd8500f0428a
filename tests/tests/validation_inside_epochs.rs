//! `trainer.val_check_interval` on the real program, held against Lightning
//! (`fixtures/trainer/record_checks.py`).

use std::fs;

use serde_json::{Value, json};
use thaw_tests::{Outcome, Run, fixtures};

/// A run on the recorded data, from the recorded weights, in batches of 4: 6 an epoch.
fn run(callbacks: &str, lr: &Value, trainer: &Value, top: &Value) -> Run {
    let file = |name: &str| fixtures().join("loss").join(name);
    let mut table = json!({ "max_epochs": 3, "num_sanity_val_steps": 0 });
    table.as_object_mut().unwrap().extend(trainer.as_object().unwrap().clone());
    Run::new(&format!(
        "seed = 1\nplugins = [\"case_model\", \"case_strategies\", \"early_stopping\", \"trace\"]\n\
         [model]\nid = \"case-model\"\ncase = {:?}\ntask = \"regression\"\nweights = {:?}\n\
         [data]\nkind = \"tensors\"\npath = {:?}\nbatch_size = 4\nshuffle = false\n\
         [optimizer]\nid = \"sgd\"\nlr = {lr}\n{callbacks}\
         [checkpoint]\nsave_top_k = {top}\n[trainer]\n{}\n",
        file("numbers.json"),
        file("init-numbers.safetensors"),
        file("numbers.safetensors"),
        toml::to_string(&table).unwrap(),
    ))
}

fn cases() -> Vec<Value> {
    let text = fs::read_to_string(fixtures().join("trainer/checks.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The run of a recorded case, which writes down its hooks.
fn of_case(case: &Value) -> Run {
    let stop = case["patience"].as_u64().map_or_else(String::new, |patience| {
        format!("[[callbacks]]\nid = \"early-stopping\"\npatience = {patience}\n")
    });
    let trace = "[[callbacks]]\nid = \"trace-callback\"\nname = \"a\"\nfile = \"hooks\"\n";
    run(&format!("{trace}{stop}"), &case["lr"], &case["trainer"], &case["save_top_k"])
}

/// Names of the checkpoints that are kept for their rank, and of the best one.
fn kept(run: &Run) -> (Value, String) {
    let state = run.json("checkpoints/last/state.json");
    let mut names: Vec<&str> =
        state["kept"].as_array().unwrap().iter().map(|kept| kept["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let best = fs::read_link(run.run_dir().join("checkpoints/best")).unwrap();
    for name in &names {
        assert!(run.run_dir().join("checkpoints").join(name).join("model.safetensors").exists(), "{name}");
    }
    (json!(names), best.to_str().unwrap().to_owned())
}

#[test]
fn validations_and_their_checkpoints_come_where_lightning_has_them() {
    let cases = cases();
    assert_eq!(cases.len(), 9);
    for case in &cases {
        let run = of_case(case);
        run.fit(&[]).succeeded();
        let name = &case["name"];
        let records = run.metrics();
        let found: Vec<&Value> = records.iter().filter(|record| record.get("val_loss").is_some()).collect();
        let expected = case["validated"].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
        for (found, expected) in found.into_iter().zip(expected) {
            assert_eq!((&found["epoch"], &found["step"]), (&expected["epoch"], &expected["step"]), "{name}");
            let (loss, recorded) =
                (found["val_loss"].as_f64().unwrap(), expected["val_loss"].as_f64().unwrap());
            assert!((loss - recorded).abs() <= 2e-6 * recorded, "{name}: {found}, recorded {recorded}");
        }
        assert_eq!(run.json("checkpoints/last/state.json")["global_step"], case["steps"], "{name}");
        let (names, best) = kept(&run);
        assert_eq!((&names, json!(best)), (&case["kept"], case["best"].clone()), "{name}");
    }
}

#[test]
fn hooks_of_a_validation_inside_an_epoch_come_between_two_batches() {
    for case in cases() {
        let run = of_case(&case);
        run.fit(&[]).succeeded();
        let recorded: Vec<&str> =
            case["hooks"].as_array().unwrap().iter().map(|hook| hook.as_str().unwrap()).collect();
        let hooks = fs::read_to_string(run.folder().join("hooks")).unwrap();
        let hooks = hooks.lines().filter_map(|line| line.strip_prefix("a "));
        let hooks: Vec<&str> = hooks.filter(|hook| recorded.contains(hook)).collect();
        assert_eq!(hooks, recorded, "{}", case["name"]);
    }
}

#[test]
fn a_run_that_is_interrupted_in_a_validation_inside_an_epoch_validates_first_when_it_goes_on() {
    let trainer = json!({ "val_check_interval": 2, "log_every_n_steps": 1 });
    let stop = |how: &str, inside: &str, step: usize| {
        let stop = format!("id = \"case-stop\"\nhow = \"{how}\"\ninside = \"{inside}\"\nat_step = {step}\n");
        run(&format!("[[callbacks]]\n{stop}"), &json!(0.1), &trainer, &json!(2))
    };
    let straight = stop("request", "training", 99);
    straight.fit(&[]).succeeded();
    let whole = Outcome::of(&straight.run_dir());
    for (how, inside, step) in
        [("interrupt", "validation", 8), ("interrupt", "validation", 12), ("interrupt", "training", 9)]
    {
        let run = stop(how, inside, step);
        run.fit(&[]).interrupted();
        assert_eq!(run.json("checkpoints/last/state.json")["global_step"], step);
        run.resume(&["--set", "callbacks.0.at_step=99"]).succeeded();
        whole.assert_same(&run.run_dir(), &format!("{how} in {inside} at step {step}"));
        assert_eq!(kept(&run), kept(&straight));
    }
    for step in [7, 8, 10] {
        let run = stop("request", "training", step);
        run.fit(&[]).succeeded();
        run.resume(&["--set", "callbacks.0.at_step=99"]).succeeded();
        whole.assert_same(&run.run_dir(), &format!("after step {step}"));
    }
}

#[test]
fn a_window_ends_before_the_checkpoint_of_a_validation_in_it() {
    let trainer = json!({ "val_check_interval": 1, "accumulate_grad_batches": 2, "max_epochs": 1 });
    let run = run("", &json!(0.02), &trainer, &json!(-1));
    run.fit(&[])
        .succeeded()
        .says("inside a window of `trainer.accumulate_grad_batches = 2` rank no checkpoint");
    let records = run.metrics();
    let steps = records.iter().filter(|record| record.get("val_loss").is_some());
    let steps: Vec<&Value> = steps.map(|record| &record["step"]).collect();
    assert_eq!(json!(steps), json!([0, 1, 1, 2, 2, 3]));
    assert_eq!(kept(&run).0, json!(["epoch=0-step=1", "epoch=0-step=2", "epoch=0-step=3"]));
}

#[test]
fn an_interval_that_no_epoch_has_is_refused() {
    for (interval, expected) in [
        ("7", "at most 6, the batches of training in an epoch"),
        ("0", "a number of batches from 1"),
        ("1.5", "a share above 0"),
    ] {
        let run = run("", &json!(0.02), &json!({}), &json!(1));
        run.fit(&["--set", &format!("trainer.val_check_interval={interval}")])
            .failed(2, &["`trainer.val_check_interval`", expected]);
        assert!(!run.run_dir().exists());
    }
}
