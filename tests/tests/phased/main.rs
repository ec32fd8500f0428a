//! `phased-finetuning`: schedules from a file, on the real program.

mod resume;

use std::fs;

use serde_json::{Value, json};
use thaw_tests::{Run, fixtures, read_tensors};

/// 6 batches and 3 steps an epoch, data in a new order in each, dropout and batch norms.
fn run(schedule: &str, more: &str) -> Run {
    let data = fixtures().join("parity/bb_accumulate2_clip/data.safetensors");
    let run = Run::new(&format!(
        r#"seed = 3
plugins = ["case_model", "case_strategies", "phased_finetuning"]

[model]
id = "case-model"
case = "case.json"

[data]
kind = "tensors"
path = {data:?}
batch_size = 7
val_batch_size = 5

[optimizer]
id = "adamw"
lr = 0.01

[[callbacks]]
id = "phased-finetuning"
schedule = "phases.toml"

[[callbacks]]
id = "case-stop"

[trainer]
max_epochs = 6
accumulate_grad_batches = 2
{more}"#
    ));
    let linear = |name: &str, from: usize, to: usize| {
        json!({ "name": name, "type": "Linear",
        "in_features": from, "out_features": to, "bias": true })
    };
    let case = json!({
        "model": { "kind": "mlp_bn" },
        "modules": [
            { "name": "backbone", "type": "Sequential", "own_parameters": [] },
            linear("backbone.0", 16, 12),
            { "name": "backbone.1", "type": "BatchNorm1d", "num_features": 12, "eps": 1e-5, "momentum": 0.1 },
            { "name": "backbone.2", "type": "ReLU" },
            { "name": "backbone.3", "type": "Dropout", "p": 0.4 },
            linear("backbone.4", 12, 10),
            { "name": "head", "type": "Sequential", "own_parameters": [] },
            linear("head.0", 10, 4),
        ],
    });
    run.write("case.json", case.to_string());
    run.write("phases.toml", schedule);
    run
}

/// Ends by a metric with its best weights put back, by a step inside an epoch, and with the run. The loss
/// falls, so that with `max` the first epoch is the best.
const SCHEDULE: &str = r#"
[[phases]]
name = "head"
modules = ["head"]
lr = 0.02
restore_best = true
end = { monitor = { metric = "val_loss", mode = "max", patience = 2 } }

[[phases]]
name = "top"
modules = ["backbone.4"]
lr = { ratio = 0.5 }
weight_decay = 0.3
optimizer = { amsgrad = true, eps = 1e-4 }
scheduler = { id = "cosine", interval = "step" }
end = { after_steps = 5 }

[[phases]]
name = "rest"
modules = ["*"]
lr = 1e-3
optimizer = { betas = [0.8, 0.99] }
scheduler = { id = "warmup", interval = "step", total_iters = 2 }
"#;

fn records(run: &Run) -> Vec<(u64, u64, Vec<(String, f64)>)> {
    let number = |record: &Value, key: &str| record[key].as_u64().unwrap();
    let groups = |record: &Value| {
        let groups = record["groups"].as_array().unwrap().iter();
        groups
            .map(|group| (group["name"].as_str().unwrap().to_owned(), group["lr"].as_f64().unwrap()))
            .collect()
    };
    run.groups()
        .iter()
        .map(|record| (number(record, "epoch"), number(record, "step"), groups(record)))
        .collect()
}

#[test]
fn phases_end_by_metric_step_and_run() {
    let run = run(SCHEDULE, "");
    run.fit(&[]).succeeded();
    let records = records(&run);
    let at: Vec<(u64, u64, Vec<&str>)> = records
        .iter()
        .map(|(epoch, step, groups)| (*epoch, *step, groups.iter().map(|(name, _)| name.as_str()).collect()))
        .collect();
    let (one, two, three) = (vec!["head"], vec!["head", "top"], vec!["head", "top", "rest"]);
    // The second phase begins with epoch 3, after 9 steps, and ends after 14, which is inside epoch 4.
    let expected = [
        (0, 0, &one),
        (1, 3, &one),
        (2, 6, &one),
        (3, 9, &two),
        (4, 12, &two),
        (4, 14, &three),
        (5, 15, &three),
    ];
    assert_eq!(at, expected.map(|(epoch, step, groups)| (epoch, step, groups.clone())));
    // A schedule starts anew with its phase: at the groups' own rates, and down to nothing over its five
    // steps.
    assert_eq!(records[3].2, [("head".to_owned(), 0.02), ("top".to_owned(), 0.01)]);
    let cosine = (1.0 + (std::f64::consts::PI * 3.0 / 5.0).cos()) / 2.0;
    assert!((records[4].2[0].1 - 0.02 * cosine).abs() < 1e-12, "{records:?}");
    let rates: Vec<f64> = records[5].2.iter().map(|(_, lr)| *lr).collect();
    let warm = [0.02, 0.01, 1e-3].map(|lr| lr * 0.01);
    assert!(rates.iter().zip(warm).all(|(found, expected)| (found - expected).abs() < 1e-15), "{rates:?}");
    let settings = |group: usize| {
        let group = &run.groups()[6]["groups"][group];
        (group["weight_decay"].clone(), group["options"].clone())
    };
    assert_eq!(settings(0), (json!(0.01), Value::Null));
    assert_eq!(settings(1), (json!(0.3), json!({ "amsgrad": 1.0, "eps": 1e-4 })));
    assert_eq!(settings(2), (json!(0.01), json!({ "beta1": 0.8, "beta2": 0.99 })));
    // They act: only the second group keeps the largest means.
    let state = read_tensors(&run.run_dir().join("checkpoints/last/optimizer.safetensors")).unwrap();
    let largest: Vec<&str> = state.keys().filter_map(|name| name.strip_suffix("/max_exp_avg_sq")).collect();
    assert_eq!(largest, ["backbone.4.bias", "backbone.4.weight"]);
}

/// A phase's settings against the same ones as the run's own: only the momentum and the decay of the second
/// phase differ.
#[test]
fn settings_of_a_phase_act_as_the_runs_own_would() {
    let one_phase = |settings: &str| format!("[[phases]]\nname = \"all\"\nmodules = [\"*\"]\n{settings}");
    let of_run = [
        "optimizer.id=sgd",
        "optimizer.momentum=0.9",
        "optimizer.nesterov=true",
        "optimizer.weight_decay=0.2",
    ];
    let of_phase = "weight_decay = 0.2\noptimizer = { momentum = 0.9, nesterov = true }\n";
    let weights = |schedule: &str, set: &[&str]| {
        let run = run(schedule, "");
        run.fit(&set.iter().flat_map(|set| ["--set", set]).collect::<Vec<_>>()).succeeded();
        fs::read(run.run_dir().join("checkpoints/last/model.safetensors")).unwrap()
    };
    let expected = weights(&one_phase(""), &of_run);
    assert!(weights(&one_phase(of_phase), &of_run[..1]) == expected);
    // Another kind than the run's AdamW, in the first phase already.
    let other_kind = of_phase.replace("{ momentum", "{ id = \"sgd\", momentum");
    assert!(weights(&one_phase(&other_kind), &[]) == expected);
    assert!(weights(&one_phase(""), &of_run[..1]) != expected);
}

#[test]
fn the_best_epochs_weights_are_put_back_before_the_next_phase() {
    // Nothing moves in the second phase.
    let schedule = r#"
        [[phases]]
        name = "a"
        modules = ["head"]
        restore_best = true
        end = { monitor = { metric = "val_loss", mode = "max", patience = 2 } }
        [[phases]]
        name = "b"
        group_lr = { a = 0.0 }
    "#;
    let run = run(schedule, "");
    run.fit(&["--set", "trainer.max_epochs=3"]).succeeded();
    let weights = |name: &str| {
        fs::read(run.run_dir().join("checkpoints").join(name).join("model.safetensors")).unwrap()
    };
    let (best, third) = (weights("phase-a"), weights("last"));
    assert!(best != third, "two more epochs moved the weights");
    run.resume(&["--set", "trainer.max_epochs=4"])
        .succeeded()
        .says("weights of checkpoint `phase-a` restored");
    assert!(weights("last") == best);
    let loss = |epoch: usize| run.metrics()[epoch]["val_loss"].as_f64().unwrap();
    assert_eq!(loss(3), loss(0), "validation is that of the best epoch again");
}

/// AdamW for the head, SGD for all from inside epoch 1 on, Adam in the end. The run's scheduler cycles the
/// momentum of each.
const OPTIMIZERS: &str = r#"
[[phases]]
name = "head"
modules = ["head"]
optimizer = { eps = 1e-4 }
end = { step = 5 }

[[phases]]
name = "rest"
modules = ["*"]
lr = 1e-3
weight_decay = 0.1
optimizer = { id = "sgd", momentum = 0.5, nesterov = true }
end = { epoch = 4 }

[[phases]]
name = "last"
optimizer = { id = "adam", betas = [0.8, 0.99], amsgrad = true }
"#;
const CYCLE: &str = "[scheduler]\nid = \"one-cycle\"\nmax_lr = 0.02\n";

#[test]
fn a_phase_may_have_another_optimizer() {
    let run = run(OPTIMIZERS, CYCLE);
    run.fit(&[]).succeeded().says("from here on the optimizer is sgd");
    let records = run.groups();
    let optimizers: Vec<&str> = records.iter().map(|record| record["optimizer"].as_str().unwrap()).collect();
    assert_eq!(optimizers, ["adamw", "adamw", "sgd", "sgd", "sgd", "adam", "adam"]);
    let momentum = |record: &Value| {
        record["groups"][0]["options"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(momentum(&records[0]), ["beta1", "eps"]);
    assert_eq!(momentum(&records[2]), ["momentum"]);
    assert_eq!(momentum(&records[6]), ["beta1"]);
    // The head's group goes on at its rate, with its decay; its state is the new optimizer's alone.
    assert_eq!(records[2]["groups"][0]["weight_decay"], 0.01);
    let state = read_tensors(&run.run_dir().join("checkpoints/last/optimizer.safetensors")).unwrap();
    let kinds = |suffix: &str| state.keys().filter(|name| name.ends_with(suffix)).count();
    assert_eq!((kinds("/momentum_buffer"), kinds("/max_exp_avg_sq")), (0, 8));
    assert_eq!(state["head.0.weight/step"], [6.0], "two epochs of three steps");
    let kept = run.json("checkpoints/last/state.json")["optimizer"].clone();
    assert_eq!(
        (&kept["id"], &kept["betas"], &kept["lr"]),
        (&json!("adam"), &json!([0.8, 0.99]), &json!(0.01))
    );
}

#[test]
fn the_runs_scheduler_goes_on_over_phases_without_one() {
    let schedule = "[[phases]]\nname = \"a\"\nmodules = [\"head\"]\nend = { epoch = 2 }\n\
                    [[phases]]\nname = \"b\"\nmodules = [\"*\"]\nlr = { ratio = 0.5 }\n";
    let run = run(schedule, "[scheduler]\nid = \"warmup\"\ntotal_iters = 4\nstart_factor = 0.2\n");
    run.fit(&[]).succeeded();
    let rates: Vec<Vec<f64>> =
        records(&run).iter().map(|(_, _, groups)| groups.iter().map(|(_, lr)| *lr).collect()).collect();
    let expected = [
        vec![0.002],
        vec![0.004],
        vec![0.006, 0.003],
        vec![0.008, 0.004],
        vec![0.01, 0.005],
        vec![0.01, 0.005],
    ];
    for (found, expected) in rates.iter().zip(&expected) {
        assert_eq!(found.len(), expected.len(), "{rates:?}");
        assert!(
            found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12),
            "{rates:?}"
        );
    }
}

/// A phase's rates are its own: a cosine that went on past its end would rise again, with what thaws.
#[test]
fn a_phases_scheduler_ends_with_it() {
    for (scheduler, end) in [
        ("{ id = \"cosine\", interval = \"step\" }", "{ after_epochs = 2 }"),
        ("{ id = \"cosine\" }", "{ after_epochs = 2 }"),
        ("{ id = \"one-cycle\", interval = \"step\", max_lr = 0.1 }", "{ after_steps = 4 }"),
        ("{ id = \"exponential\", gamma = 0.1 }", "{ monitor = { metric = \"val_loss\", patience = 0 } }"),
    ] {
        let schedule = format!(
            "[[phases]]\nname = \"a\"\nmodules = [\"head\"]\nlr = 0.02\nscheduler = {scheduler}\nend = \
             {end}\n\
             [[phases]]\nname = \"b\"\nmodules = [\"backbone.4\"]\nlr = {{ ratio = 0.5 }}\nend = {{ \
             after_epochs = 1 }}\n\
             [[phases]]\nname = \"c\"\nmodules = [\"*\"]\nlr = 5e-5\n"
        );
        let schedule = schedule.replace("\"val_loss\",", "\"val_loss\", min_delta = 1000.0,");
        let run = run(&schedule, "");
        run.fit(&[]).succeeded();
        let records = records(&run);
        let own = [("a".to_owned(), 0.02), ("b".to_owned(), 0.01), ("c".to_owned(), 5e-5)];
        let later: Vec<_> = records.iter().filter(|(_, _, groups)| groups.len() > 1).collect();
        assert!(later.len() > 3, "{records:?}");
        for (_, _, groups) in later {
            assert_eq!(groups[..], own[..groups.len()], "{scheduler}: {records:?}");
        }
    }
}

#[test]
fn epochs_that_do_not_validate_do_not_count() {
    // What comes after the first value is no improvement.
    let schedule = SCHEDULE.replace("mode = \"max\"", "min_delta = 1000.0");
    let run = run(&schedule, "check_val_every_n_epoch = 2\n");
    run.fit(&[]).succeeded();
    // Checks after epochs 1, 3 and 5: the second phase never begins.
    assert!(records(&run).iter().all(|(_, _, groups)| groups.len() == 1));
    let state = run.json("checkpoints/last/state.json");
    assert_eq!(state["callbacks"][0]["state"]["state"]["position"]["watch"]["wait_count"], 2);
}

#[test]
fn a_wrong_schedule_ends_the_program_before_anything_is_trained() {
    let cases = [
        (
            "modules = [\"head\"]",
            "module = [\"head\"]",
            ["phases.toml", "phase `head`: unknown key `phases[0].module`", "did you mean `modules`?"],
        ),
        (
            "backbone.4",
            "backbone.5",
            ["phases.toml", "phase `top`: `phases[1].modules`", "did you mean `backbone."],
        ),
        (
            "\"cosine\"",
            "\"cosin\"",
            [
                "phases.toml",
                "phase `top`: `phases[1].scheduler`: `scheduler.id` is \"cosin\"",
                "did you mean `cosine`?",
            ],
        ),
        (
            "betas = [0.8, 0.99]",
            "momentum = 0.9",
            ["phases.toml", "phase `rest`: `phases[2].optimizer`", "momentum: found an unknown option"],
        ),
        (
            "amsgrad = true,",
            "id = \"sgdd\",",
            ["phases.toml", "phase `top`: `phases[1].optimizer`", "did you mean `sgd`?"],
        ),
        (
            "\"val_loss\", mode",
            "\"val_lss\", mode",
            ["phases.toml", "phase `head`: `phases[0].end.monitor.metric`", "did you mean `val_loss`?"],
        ),
    ];
    for (right, wrong, texts) in cases {
        let run = run(&SCHEDULE.replace(right, wrong), "");
        let failed = run.fit(&["--set", "trainer.num_sanity_val_steps=0"]).failed(2, &texts);
        assert!(failed.error().contains("phased-finetuning"), "{failed}");
    }
}
