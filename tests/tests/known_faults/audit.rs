//! Freeze state and groups that do not go together end a run with the names of the parameters, or warn of
//! them.

use serde_json::Value;
use thaw_tests::{Finished, Run};

use crate::model::{linear, run, sequential};

fn modules() -> Vec<Value> {
    vec![
        sequential("backbone"),
        linear("backbone.0", 16, 8),
        linear("backbone.1", 8, 8),
        linear("head", 8, 4),
    ]
}

fn config(callback: &str) -> String {
    format!(
        "batch_size = 8\n[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n\
         [trainer]\nmax_epochs = 3\nlog_every_n_steps = 1\n{callback}"
    )
}

/// Ends with an error that has these texts; with `audit = "warn"` the run goes to its end and warns of the
/// same.
#[track_caller]
fn is_found(run: &Run, texts: &[&str]) -> Finished {
    let finished = run.fit(&[]).failed(1, texts);
    let warned =
        run.host(["fit", "run.toml", "--run-dir", "warned", "--set", "trainer.audit=warn"]).succeeded();
    for text in texts {
        assert!(warned.stderr.contains(text), "expected a warning with `{text}`: {warned}");
    }
    let silent =
        run.host(["fit", "run.toml", "--run-dir", "silent", "--set", "trainer.audit=off"]).succeeded();
    assert!(!silent.stderr.contains(texts[0]), "{silent}");
    finished
}

const NO_GROUP: &str = "trainable, but in no group";

/// Records of training batches: how far the run came.
fn batches(run: &Run) -> usize {
    run.metrics().iter().filter(|record| record["batch"].is_u64()).count()
}

#[test]
fn trainable_parameters_in_no_group_are_found_before_the_first_step() {
    // The strategy freezes another module, and thaws nothing in this run.
    let run = run(
        &modules(),
        &config("[[callbacks]]\nid = \"forgets-the-group\"\nmodule = \"backbone.0\"\nat_epoch = 9\n"),
    );
    is_found(&run, &[NO_GROUP, "backbone.1.weight, backbone.1.bias", "[optimizer] parameters"]);
    assert_eq!(batches(&run), 0);
}

#[test]
fn a_head_alone_trains_without_a_strategy_and_what_is_not_named_is_frozen() {
    let run = run(&modules(), &config(""));
    run.fit(&[]).succeeded().says("4 parameters outside of [optimizer] parameters are frozen");
    for record in run.groups() {
        assert_eq!(record["trainable"], serde_json::json!(["head.weight", "head.bias"]));
    }
    let plan = run.host(["plan", "run.toml"]).succeeded().does_not_say(NO_GROUP);
    assert!(!plan.stdout.contains(NO_GROUP), "{plan}");
}

#[test]
fn what_a_strategy_unfreezes_without_a_group_is_found_at_that_epoch() {
    let run = run(
        &modules(),
        &config("[[callbacks]]\nid = \"forgets-the-group\"\nmodule = \"backbone\"\nat_epoch = 1\n"),
    );
    is_found(&run, &[NO_GROUP, "backbone.1.weight"]).says("the last good checkpoint is run/checkpoints/last");
    assert_eq!(batches(&run), 4, "the first epoch was as it should be");
}

#[test]
fn what_is_unfrozen_without_a_group_inside_an_epoch_is_found_there() {
    let run = run(
        &modules(),
        &config("[[callbacks]]\nid = \"forgets-the-group\"\nmodule = \"backbone\"\nat_step = 2\n"),
    );
    is_found(&run, &[NO_GROUP, "backbone.1.weight, backbone.1.bias"]);
    assert_eq!(batches(&run), 1, "the second batch ends the run");
}

#[test]
fn what_is_laid_out_anew_before_the_first_epoch_is_not_audited_in_the_sanity_check() {
    let run = run(
        &modules(),
        &config("[[callbacks]]\nid = \"forgets-the-group\"\nmodule = \"backbone\"\nin_sanity_check = true\n"),
    );
    run.fit(&["--set", "trainer.num_sanity_val_steps=1"]).succeeded().does_not_say(NO_GROUP);
    let found = ["fit", "run.toml", "--run-dir", "found", "--set", "callbacks.0.at_epoch=0"];
    run.host(found).failed(1, &[NO_GROUP]);
}

#[test]
fn parameters_without_a_gradient_are_found_at_the_first_step() {
    // No stage runs this module.
    let unused = [modules(), vec![linear("unused", 3, 3)]].concat();
    let run = run(&unused, &config("").replace("[\"head\"]", "[\"\"]"));
    is_found(&run, &["without a gradient", "unused.weight, unused.bias"]);
    assert_eq!(batches(&run), 0);
}

#[test]
fn parameters_without_a_gradient_are_found_when_they_thaw() {
    let unused = [modules(), vec![linear("unused", 3, 3)]].concat();
    let callbacks = "[[callbacks]]\nid = \"backbone-finetuning\"\n\
                     [[callbacks]]\nid = \"forgets-the-group\"\nmodule = \"unused\"\nat_epoch = 1\n";
    let run = run(&unused, &config(callbacks).replace("[\"head\"]", "[\"head\", \"unused\"]"));
    is_found(&run, &["without a gradient", "unused.weight, unused.bias"]);
    assert_eq!(batches(&run), 4, "the first epoch was as it should be");
}

#[test]
fn a_frozen_parameter_that_changes_is_found() {
    for at_step in [1, 6] {
        let callbacks = format!(
            "[[callbacks]]\nid = \"backbone-finetuning\"\n[[callbacks]]\nid = \"meddler\"\nparameter \
             = \"backbone.1.bias\"\nat_step = {at_step}\n"
        );
        is_found(&run(&modules(), &config(&callbacks)), &["frozen, but changed", "backbone.1.bias"]);
    }
}

#[test]
fn a_frozen_parameter_that_changes_before_it_thaws_is_found() {
    // Step 3 changes it, step 4 thaws it within the same epoch: the audit looks before it takes the new state
    // for good.
    let callbacks = "[[callbacks]]\nid = \"forgets-the-group\"\nmodule = \"backbone.0\"\nat_step = 3\n\
                     [[callbacks]]\nid = \"meddler\"\nparameter = \"backbone.0.bias\"\nat_step = 2\n";
    let run = run(&modules(), &config(callbacks).replace("[\"head\"]", "[\"head\", \"backbone\"]"));
    is_found(&run, &["frozen, but changed", "backbone.0.bias"]);
}

#[test]
fn a_run_in_order_is_not_warned_of() {
    let run = run(
        &modules(),
        &config("[[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 1\n"),
    );
    run.fit(&["--set", "trainer.audit=warn"])
        .succeeded()
        .does_not_say("group")
        .does_not_say("gradient")
        .does_not_say("frozen, but");
}
