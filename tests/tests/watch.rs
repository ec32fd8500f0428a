//! `host watch` and `host ask`: a live run seen, and asked for something, from another process.

use serde_json::{Value, json};
use thaw_tests::{Finished, Live, Outcome, Run, case};

const EPOCHS: usize = 3;

/// A run that waits in its epoch 1.
fn run() -> Run {
    Run::new(&format!(
        "{}[optimizer]\nid = \"adamw\"\nlr = 0.01\nparameters = [\"head\"]\n[trainer]\nmax_epochs = \
         {EPOCHS}\n[[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 2\n\
         [[callbacks]]\nid = \"case-wait\"\nepochs = [1]\n",
        case("bb_steplr").replace("plugins = [", "plugins = [\"case_strategies\", \"backbone_finetuning\", "),
    ))
}

/// Starts the run and asks it for something while it waits; both go on from there.
fn asked(run: &Run, ask: &[&str]) -> (Finished, Finished) {
    let mut fit = run.start(["fit", "run.toml", "--run-dir", "run"]);
    fit.prints("waits in epoch 1");
    let mut asker = run.start(["ask", "run"].iter().chain(ask));
    asker.prints("asked process");
    fit.go_on();
    (fit.finish(), asker.finish())
}

fn asks(run: &Run) -> Vec<Value> {
    let history = run.records_of("run", "history.jsonl");
    history.into_iter().filter(|record| record["event"] == "asked").collect()
}

fn untouched() -> Run {
    let run = run();
    let mut fit: Live = run.start(["fit", "run.toml", "--run-dir", "run"]);
    fit.prints("waits in epoch 1");
    fit.go_on();
    fit.finish().succeeded();
    run
}

#[test]
fn a_checkpoint_is_written_and_kept_and_changes_nothing() {
    let run = run();
    let (fit, asker) = asked(&run, &["checkpoint", "--name", "before-thaw"]);
    fit.succeeded();
    asker.succeeded().says("checkpoint before-thaw is written");
    assert!(run.run_dir().join("checkpoints/before-thaw/model.safetensors").is_file());
    let records = asks(&run);
    assert_eq!(
        (records.len(), &records[0]["for"], &records[0]["name"]),
        (1, &json!("checkpoint"), &json!("before-thaw"))
    );
    let names = |name: &str| !["history.jsonl", "before-thaw", "state"].iter().any(|own| name.contains(own));
    let difference = Outcome::of(&untouched().run_dir()).difference(&Outcome::of(&run.run_dir()), names);
    assert_eq!(difference, None);
    run.host(["fit", "--resume", "run/checkpoints/before-thaw", "--run-dir", "again"]).succeeded();
}

#[test]
fn a_stop_ends_the_run_after_its_epoch() {
    let run = run();
    let (fit, asker) = asked(&run, &["stop", "--reason", "seen enough"]);
    fit.succeeded().says("2 epochs");
    asker.succeeded().says("the run ends after epoch 2");
    let history = run.records_of("run", "history.jsonl");
    let ended = history.last().unwrap();
    assert_eq!((&ended["ending"], &ended["reason"]), (&json!("stopped"), &json!("seen enough")));
    assert_eq!(asks(&run)[0]["for"], "stop");
    let seen = run.host(["watch", "run", "--once"]).succeeded().stdout;
    assert!(seen.contains("run        run (done: seen enough)"), "{seen}");
    // It can go on.
    run.host(["fit", "--resume", "run"]).succeeded();
    Outcome::of(&untouched().run_dir()).assert_same(&run.run_dir(), "stopped and gone on with");
}

#[test]
fn a_validation_is_made_and_recorded() {
    let run = run();
    let (fit, asker) = asked(&run, &["validate"]);
    fit.succeeded();
    let loss = |record: &&Value| record.get("val_loss").is_some();
    let metrics = run.metrics();
    let validations: Vec<&Value> = metrics.iter().filter(loss).collect();
    assert_eq!(validations.len(), EPOCHS + 1, "{metrics:?}");
    let first = validations[1]["val_loss"].as_f64().unwrap();
    let said = asker.succeeded().stdout;
    let said = said.split("val_loss ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let digits: f64 = said.parse().unwrap();
    assert!((digits - first).abs() <= 5e-4 * first, "{said}, {first}");
    assert_eq!(said.chars().filter(char::is_ascii_digit).count(), 4, "{said}");
    // What somebody asked for ranks nothing: the best is one of whole epochs.
    let best = run.host(["runs", "run", "--json"]).succeeded().stdout;
    let best: Value = serde_json::from_str(&best).unwrap();
    let of_epochs = metrics.iter().filter(|record| record.get("train_loss").is_some());
    let least = of_epochs.map(|record| record["val_loss"].as_f64().unwrap()).fold(f64::INFINITY, f64::min);
    assert_eq!(best[0]["best"]["value"].as_f64(), Some(least), "{best}");
}

#[test]
fn what_a_run_cannot_do_it_refuses_and_goes_on() {
    let run = run();
    run.host(["ask", "nowhere", "stop"]).failed(2, &["no run writes or wrote here"]);
    let (fit, asker) = asked(&run, &["checkpoint", "--name", "last"]);
    asker.failed(1, &["the run refuses", "`last` is a name of the host's own"]);
    fit.succeeded();
    Outcome::of(&untouched().run_dir()).assert_same(&run.run_dir(), "a request that was refused");
    run.host(["ask", "run", "validate"]).failed(1, &["this run is not live"]);
}

#[test]
fn a_live_run_is_seen_from_its_records() {
    let run = run();
    let mut fit = run.start(["fit", "run.toml", "--run-dir", "run"]);
    fit.prints("waits in epoch 1");
    let text = run.host(["watch", "run", "--once"]).succeeded().stdout;
    for expected in [
        "run        run (running)",
        "1 of 3 epochs, step",
        "best       val_loss",
        "loss, training",
        "loss, validation",
        "groups     head 1.000e-2",
        "backbone.0  frozen",
        "head        all",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    fit.go_on();
    fit.finish().succeeded();
    let text = run.host(["watch", "run", "--once"]).succeeded().stdout;
    assert!(text.contains("run (done)") && !text.contains("frozen"), "{text}");
    run.host(["watch", "run"]).failed(2, &["--once"]);
    run.host(["watch", "nowhere", "--once"]).failed(2, &["expected a run directory"]);
}
