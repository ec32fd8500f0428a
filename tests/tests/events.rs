//! What observers of a run are told, and what becomes of one that fails.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};
use thaw_tests::{InProcess, Outcome, Run, in_process};
use thaw_torch::reading::{Reads, WaitCounter};
use thaw_train::fit::events::{Asked, CacheStart, Ending, Event, EventKind, Observer, ObserverError};

type Result = std::result::Result<(), ObserverError>;

/// Does what a test wants with each event.
struct Told<F>(&'static str, F);

impl<F: FnMut(&Event<'_>) -> Result> Observer for Told<F> {
    fn name(&self) -> &str {
        self.0
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result {
        (self.1)(event)
    }
}

/// Lines that an observer writes and the test reads.
type Lines = Rc<RefCell<Vec<String>>>;

fn recorder() -> (impl Observer, Lines) {
    let lines = Lines::default();
    let written = lines.clone();
    let told = move |event: &Event<'_>| {
        written.borrow_mut().push(line(event));
        Ok(())
    };
    (Told("recorder", told), lines)
}

/// An event in a line.
fn line(event: &Event<'_>) -> String {
    let (epoch, batch, step) = (event.progress.epoch, event.progress.batch_index, event.progress.global_step);
    match &event.kind {
        EventKind::RunStarted(run) => format!("run of {} with {} samples", run.model, run.train_samples),
        EventKind::Resumed { .. } => format!("resumed at epoch {epoch}, batch {batch}, step {step}"),
        EventKind::EpochStarted => format!("epoch {epoch} from batch {batch}"),
        EventKind::GroupsChanged(groups) => {
            let names: Vec<&str> = groups.groups.iter().map(|group| group.name.as_str()).collect();
            format!("groups {}", names.join(" "))
        }
        EventKind::StepDone(done) => {
            let stepped = if done.stepped { ", stepped" } else { "" };
            format!("batch {epoch}.{batch}, {} of {} samples{stepped}", done.samples, done.samples_of_run)
        }
        EventKind::Logged(record) => match record.batch {
            Some(batch) => format!("logged batch {batch}"),
            None => format!("logged epoch {epoch}"),
        },
        EventKind::ValidationStarted { asked, batches } => format!("validation of {batches} {asked:?}"),
        EventKind::ValidationBatchDone { .. } => format!("validated batch {batch}"),
        EventKind::Validated(_) => "validated".to_owned(),
        EventKind::EpochEnded { .. } => format!("end of epoch {epoch}"),
        EventKind::EpochEnding { .. } => "time spent".to_owned(),
        EventKind::FrozenCache { split, start: CacheStart::Samples { .. } } => {
            format!("{split:?} starts from the samples")
        }
        EventKind::CheckpointWritten(written) => {
            let best = if written.is_best { ", best" } else { "" };
            let asked = if written.is_requested { ", asked for" } else { "" };
            format!("checkpoint {}{best}{asked}", written.name)
        }
        EventKind::CheckpointLost(lost) => format!("lost {}", lost.name),
        EventKind::Warned(text) => format!("warned: {text}"),
        EventKind::RunEnded(ending) => format!("{ending:?}"),
        _ => "something else".to_owned(),
    }
}

/// Two batches an epoch, one of validation, and a record of every second batch.
const SHORT: [&str; 5] = [
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=2",
    "trainer.limit_val_batches=1",
    "trainer.log_every_n_steps=2",
    "checkpoint.save_top_k=-1",
];

fn short(name: &'static str) -> InProcess {
    InProcess::new(name, Reads::Late).set(&SHORT)
}

fn train(run: &Run, built: InProcess) {
    built.build(run).unwrap().run().unwrap();
}

const SANITY: [&str; 3] = ["validation of 1 BySanityCheck", "validated batch 0", "validated"];
const VALIDATION: [&str; 3] = ["validation of 1 ByEpoch", "validated batch 0", "validated"];

#[test]
fn events_come_in_the_documented_order() {
    let run = in_process(
        "[[callbacks]]\nid = \"case-checkpoint\"\nhook = \"on_train_epoch_end\"\nname = \"mine\"\n",
    );
    let (observer, lines) = recorder();
    train(&run, short("run").set(&["trainer.accumulate_grad_batches=2"]).observed(observer));
    let expected = [
        &["run of case-model with 24 samples"][..],
        &SANITY,
        // Batches are limited: too few of an epoch's for what is frozen to be computed once.
        &["epoch 0 from batch 0", "groups head", "Train starts from the samples"],
        &["batch 0.0, 1 of 1 samples", "batch 0.1, 1 of 2 samples, stepped", "logged batch 1"],
        &VALIDATION[..1],
        &["Val starts from the samples"],
        &VALIDATION[1..],
        &[
            "logged epoch 0",
            "time spent",
            "end of epoch 0",
            "checkpoint mine, asked for",
            "checkpoint epoch=0-step=1, best",
        ],
        &["epoch 1 from batch 0", "groups head backbone"],
        &["batch 1.0, 1 of 3 samples", "batch 1.1, 1 of 4 samples, stepped", "logged batch 1"],
        &VALIDATION,
        &[
            "logged epoch 1",
            "time spent",
            "end of epoch 1",
            "checkpoint mine, asked for",
            "checkpoint epoch=1-step=2, best",
        ],
        &["Finished"],
    ]
    .concat();
    let lines: Vec<String> = lines.take().iter().map(|line| line.replace("unfrozen-", "")).collect();
    assert_eq!(lines, expected);
}

#[test]
fn a_resumed_run_says_where_it_goes_on_and_counts_on() {
    let run = in_process("");
    let (observer, lines) = recorder();
    train(&run, short("run").set(&["trainer.max_steps=1"]).observed(observer));
    assert_eq!(lines.take().last().unwrap(), "Stopped { reason: \"max_steps = 1 is reached\" }");
    let before = run.records_of("run", "metrics.jsonl").last().unwrap()["seconds"].as_f64().unwrap();

    let (observer, lines) = recorder();
    let starts = Rc::new(RefCell::new(f64::NAN));
    let start = starts.clone();
    let clock = Told("clock", move |event: &Event<'_>| {
        if let EventKind::RunStarted(_) = event.kind {
            start.replace(event.seconds);
        }
        Ok(())
    });
    train(&run, short("run").resumed().observed(observer).observed(clock));
    let lines = lines.take();
    let expected = [
        "run of case-model with 24 samples",
        "resumed at epoch 0, batch 1, step 1",
        "epoch 0 from batch 1",
        "batch 0.1, 1 of 2 samples, stepped",
    ];
    assert_eq!(lines[..4], expected);
    assert_eq!(lines.last().unwrap(), "Finished");
    let saved = starts.take();
    assert!(saved > 0.0, "seconds go on from those of the checkpoint: {saved}, after {before}");
}

#[test]
fn a_run_that_fails_says_so_last() {
    let run = in_process("");
    let (observer, lines) = recorder();
    let broken = ["optimizer.lr=1e20", "trainer.gradient_clip_val=0"];
    InProcess::new("run", Reads::AtOnce)
        .set(&broken)
        .observed(observer)
        .build(&run)
        .unwrap()
        .run()
        .unwrap_err();
    let lines = lines.take();
    let last = lines.last().unwrap();
    assert!(last.starts_with("Failed { error: \"the loss is NaN at epoch 1"), "{last}");
}

#[test]
fn an_observer_that_fails_is_named_and_taken_out_and_the_run_is_as_without_it() {
    let run = in_process("");
    train(&run, short("alone"));
    let told = Rc::new(RefCell::new(0));
    let count = told.clone();
    let failing = Told("fragile", move |event: &Event<'_>| {
        *count.borrow_mut() += 1;
        match event.kind {
            EventKind::EpochStarted => Err(std::io::Error::other("the server is gone").into()),
            _ => Ok(()),
        }
    });
    let panicking = Told("hasty", |event: &Event<'_>| match event.kind {
        EventKind::StepDone(_) => panic!("no such widget"),
        _ => Ok(()),
    });
    let (observer, lines) = recorder();
    train(&run, short("run").observed(failing).observed(panicking).observed(observer));
    assert_eq!(*told.borrow(), 1 + SANITY.len() + 1, "it is told nothing after its failure");
    let warnings: Vec<String> = lines.take().into_iter().filter(|line| line.starts_with("warned")).collect();
    let expected = [
        "warned: observer `fragile` failed, the run goes on without it: the server is gone",
        "warned: observer `hasty` failed, the run goes on without it: it panicked: no such widget",
    ];
    assert_eq!(warnings, expected);
    Outcome::of(&run.folder().join("alone")).assert_same(&run.folder().join("run"), "with failing observers");
}

#[test]
fn what_an_observer_loses_is_said_once_and_it_is_told_of_what_comes() {
    let run = in_process("");
    let lossy = Told("lossy", |event: &Event<'_>| match event.kind {
        EventKind::StepDone(_) => Err(ObserverError::Lost("the disk is full".into())),
        _ => Ok(()),
    });
    let (observer, lines) = recorder();
    let error = short("run").observed(lossy).observed(observer).build(&run).unwrap().run().unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "the run trains to its end and says so: {error}");
    let lines = lines.take();
    assert!(lines.contains(&"end of epoch 1".to_owned()), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| *line == "warned: the disk is full").count(), 1, "{lines:?}");
}

#[test]
fn an_observer_that_the_run_cannot_do_without_ends_it() {
    let run = in_process("");
    let strict = Told("ledger", |event: &Event<'_>| match event.kind {
        EventKind::EpochEnded { .. } => Err(ObserverError::EndsRun("the ledger is closed".into())),
        _ => Ok(()),
    });
    let (observer, lines) = recorder();
    let error =
        short("run").observed(strict).observed(observer).build(&run).unwrap().run().unwrap_err().to_string();
    assert_eq!(error, "observer `ledger`: the ledger is closed");
    assert_eq!(lines.take().last().unwrap(), &format!("Failed {{ error: {error:?} }}"));
}

/// Waits of a run of so many batches, with an observer that looks at each of them.
fn waits(run: &Run, name: &'static str, batches: usize, look: fn(&Event<'_>) -> Result) -> u64 {
    let limit = format!("trainer.limit_train_batches={batches}");
    // The pass that computes frozen stages ahead waits, too, and a short epoch has none.
    let cache = "trainer.frozen_cache=off";
    let set = ["trainer.max_epochs=1", "trainer.log_every_n_steps=0", &limit, cache, "optimizer.id=sgd"];
    let observed = InProcess::new(name, Reads::Late).set(&set).observed(Told("looks", look));
    let mut fit = observed.build(run).unwrap();
    let counter = WaitCounter::start().unwrap();
    fit.run().unwrap();
    counter.count()
}

#[test]
fn only_an_observer_that_asks_for_a_value_of_this_batch_waits_for_it() {
    let run = in_process("");
    let asks_for_nothing = |event: &Event<'_>| match &event.kind {
        EventKind::StepDone(step) => {
            assert_eq!(step.rates.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["head"]);
            Ok(())
        }
        _ => Ok(()),
    };
    assert_eq!(
        waits(&run, "nothing-4", 4, asks_for_nothing),
        waits(&run, "nothing-20", 20, asks_for_nothing)
    );
    let looks = |event: &Event<'_>| match &event.kind {
        EventKind::StepDone(step) => {
            assert!(step.latest_loss().is_some() && step.latest_mean("train_acc").is_some());
            Ok(())
        }
        _ => Ok(()),
    };
    assert_eq!(waits(&run, "looks-4", 4, looks), waits(&run, "looks-20", 20, looks));
    // The CPU has nothing to wait for when a loss is read; a norm is read as a GPU's would be.
    let asks = |event: &Event<'_>| match &event.kind {
        EventKind::StepDone(step) => step.grad_norm().map(drop),
        _ => Ok(()),
    };
    assert_eq!(waits(&run, "asks-20", 20, asks), waits(&run, "asks-4", 4, asks) + 16);
}

#[test]
fn a_loss_that_is_asked_for_is_the_batchs_own_and_asking_changes_nothing() {
    let run = in_process("");
    train(&run, InProcess::new("alone", Reads::Late).set(&["trainer.log_every_n_steps=1"]));
    let found = Rc::new(RefCell::new(Vec::new()));
    let losses = found.clone();
    let asks = Told("asks", move |event: &Event<'_>| {
        if let EventKind::StepDone(step) = &event.kind {
            // The first look does not wait, and takes what has arrived.
            step.latest_loss();
            losses.borrow_mut().push((json!(step.loss()?), json!(step.grad_norm()?)));
            assert_eq!(step.means()?.keys().collect::<Vec<_>>(), ["train_acc", "train_loss"]);
        }
        Ok(())
    });
    train(&run, InProcess::new("asked", Reads::Late).set(&["trainer.log_every_n_steps=1"]).observed(asks));
    Outcome::of(&run.folder().join("alone")).assert_same(&run.folder().join("asked"), "asked of each batch");
    let of_batches =
        run.records_of("alone", "metrics.jsonl").into_iter().filter(|record| record["batch"].is_u64());
    let logged: Vec<(Value, Value)> =
        of_batches.map(|record| (record["train_loss_step"].clone(), record["grad_norm"].clone())).collect();
    assert_eq!(found.take(), logged);
}

#[test]
fn what_an_observer_keeps_is_in_checkpoints_and_comes_back() {
    /// Counts epochs over all processes of a run.
    struct Counter(u64, Rc<RefCell<Vec<u64>>>);

    impl Observer for Counter {
        fn name(&self) -> &str {
            "counter"
        }

        fn on_event(&mut self, event: &Event<'_>) -> Result {
            match event.kind {
                EventKind::EpochEnded { .. } => self.0 += 1,
                EventKind::RunEnded(Ending::Finished) => self.1.borrow_mut().push(self.0),
                _ => {}
            }
            Ok(())
        }

        fn save(&mut self) -> std::result::Result<Value, ObserverError> {
            Ok(json!(self.0))
        }

        fn resume(&mut self, saved: &Value) -> Result {
            self.0 = saved.as_u64().unwrap();
            Ok(())
        }
    }

    let run = in_process("");
    let counted = Rc::default();
    for (epochs, resumed) in [("trainer.max_epochs=2", false), ("trainer.max_epochs=5", true)] {
        let built = short("run").set(&[epochs]).observed(Counter(0, Rc::clone(&counted)));
        train(&run, if resumed { built.resumed() } else { built });
    }
    assert_eq!(*counted.borrow(), [2, 5]);
    assert_eq!(run.json("checkpoints/last/state.json")["records"]["counter"], 5);
}

#[test]
fn an_observer_that_cannot_go_on_refuses_the_resume_and_nothing_is_cut() {
    struct Refuses;

    impl Observer for Refuses {
        fn name(&self) -> &str {
            "refuses"
        }

        fn on_event(&mut self, _: &Event<'_>) -> Result {
            Ok(())
        }

        fn save(&mut self) -> std::result::Result<Value, ObserverError> {
            Ok(json!("kept"))
        }

        fn resume(&mut self, saved: &Value) -> Result {
            Err(ObserverError::EndsRun(format!("no longer there: {saved}").into()))
        }
    }

    let run = in_process("");
    train(&run, short("run").observed(Refuses));
    let last = run.run_dir().join("metrics.jsonl");
    let records = std::fs::read(&last).unwrap();
    let more = [&records[..], b"{}\n"].concat();
    std::fs::write(&last, &more).unwrap();
    let built = short("run").set(&["trainer.max_epochs=5"]).observed(Refuses).resumed().build(&run);
    assert_eq!(built.err().unwrap().to_string(), "observer `refuses`: no longer there: \"kept\"");
    assert_eq!(std::fs::read(&last).unwrap(), more);
}

#[test]
fn records_have_the_time_of_day_and_the_seconds_since_the_start() {
    let run = in_process("");
    train(&run, short("run"));
    for name in ["metrics.jsonl", "groups.jsonl"] {
        let records = run.records_of("run", name);
        let mut earlier = (String::new(), 0.0);
        for record in &records {
            let keys: Vec<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(keys[..4], ["epoch", "step", "time", "seconds"], "{name}");
            let time = record["time"].as_str().unwrap().to_owned();
            assert!(is_rfc_3339_in_utc(&time), "{name}: {time}");
            let now = (time, record["seconds"].as_f64().unwrap());
            assert!(now.0 >= earlier.0 && now.1 >= earlier.1, "{name}: {now:?} after {earlier:?}");
            earlier = now;
        }
    }
}

/// `2026-11-30T20:41:11.123Z`.
fn is_rfc_3339_in_utc(time: &str) -> bool {
    let form = "dddd-dd-ddTdd:dd:dd.dddZ";
    time.len() == form.len()
        && time.chars().zip(form.chars()).all(|(found, expected)| match expected {
            'd' => found.is_ascii_digit(),
            expected => found == expected,
        })
}

#[test]
fn a_validation_says_why_it_is() {
    let run = in_process("");
    let asked = Rc::new(RefCell::new(Vec::new()));
    let written = asked.clone();
    let told = Told("why", move |event: &Event<'_>| {
        if let EventKind::Validated(validated) = &event.kind {
            let loss = validated.metrics.mean("val_loss").is_some();
            written.borrow_mut().push((validated.asked, loss));
        }
        Ok(())
    });
    train(&run, short("run").set(&["trainer.max_epochs=1"]).observed(told));
    assert_eq!(asked.take(), [(Asked::BySanityCheck, true), (Asked::ByEpoch, true)]);
}
