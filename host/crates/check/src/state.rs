//! Saved state: what was saved comes back, what was not saved is refused, and a resumed run is the run.

use serde_json::{Value, json};
use thaw_plugin_api::abi::{BoxedInstance, contain};
use thaw_plugin_api::error::ErrorKind;
use thaw_plugin_api::testing::FakeRun;
use thaw_plugin_api::{Error, Result};

use super::run::{USUAL, build, configs, run_of, straight};
use super::trace::Trace;
use super::{Body, Check, Outcome, Subject, Verdict};
use thaw_data::CounterRng;

pub(super) const CHECKS: &[Check] = &[
    Check::new(
        "state-round-trip",
        "state loaded into a new instance is saved again byte for byte",
        Body::Instance(round_trip),
    )
    .after("runs"),
    Check::new(
        "state-refused",
        "what is no state is refused, and the instance goes on as it was",
        Body::Instance(refused),
    )
    .after("deterministic"),
    Check::new(
        "resume",
        "a run that is stopped after any epoch and resumed equals one without a stop",
        Body::Instance(resume),
    )
    .after("deterministic"),
];

fn save(instance: &BoxedInstance) -> Result<String> {
    contain(|| Ok(instance.state().into_result()?.into_string()))
}

fn load(instance: &mut BoxedInstance, text: &str) -> Result<()> {
    contain(|| Ok(instance.load_state(text.into()).into_result()?))
}

/// States of an id: of a fresh instance, and of every epoch of its runs.
fn states(subject: &Subject) -> Result<Vec<String>, Outcome> {
    let mut states = vec![save(&subject.instance()?).map_err(|error| unsaved(&error))?];
    for config in configs(subject, 4) {
        let (_, report) = straight(subject, &config, USUAL)?;
        states.extend(
            report
                .epochs
                .iter()
                .filter_map(|record| record.states.get(&subject.item().id))
                .map(Value::to_string),
        );
    }
    states.dedup();
    Ok(states)
}

fn unsaved(error: &Error) -> Outcome {
    Outcome::failed(
        format!("`state` failed: {error}"),
        "the state",
        "`state` has to work whenever a checkpoint may be written",
    )
}

fn round_trip(subject: &mut Subject) -> Verdict {
    let states = states(subject)?;
    let hint = "each field that changes is marked `#[config(state)]`; a hand-written `load_state` reads all \
                that `state` writes";
    for state in &states {
        subject.job().doing(&format!("loading {state}"));
        let mut instance = subject.instance()?;
        load(&mut instance, state).map_err(|error| {
            Outcome::failed(format!("{state} was refused: {error}"), "it to be taken", hint)
        })?;
        let again = save(&instance).map_err(|error| unsaved(&error))?;
        if again != *state {
            return Err(Outcome::failed(again, state, hint));
        }
    }
    Ok(Outcome::noted(format!("{} states", states.len())))
}

/// Texts that are no state of the id, with a word for each.
fn no_states(subject: &Subject) -> Result<Vec<(String, String)>, Outcome> {
    const LONG: usize = 1 << 20;
    let own = save(&subject.instance()?).map_err(|error| unsaved(&error))?;
    let mut numbers = subject.random(5);
    let mut random = |length: usize| -> String { (0..length).map(|_| character(&mut numbers)).collect() };
    let mut texts = vec![
        ("an empty text".to_owned(), String::new()),
        ("random text".to_owned(), random(64)),
        ("1 MiB of random text".to_owned(), random(LONG)),
        ("a list".to_owned(), "[]".to_owned()),
        ("an empty table".to_owned(), "{}".to_owned()),
    ];
    let half: String = own.chars().take(own.chars().count() / 2).collect();
    texts.push(("half of its own state".to_owned(), half));
    if let Ok(Value::Object(whole)) = serde_json::from_str::<Value>(&own) {
        let version = whole.get("version").cloned().unwrap_or_default();
        let strange =
            json!({ "version": version, "state": { "no such entry": [random(8)], "nor this one": null } });
        texts.push(("entries of something else".to_owned(), strange.to_string()));
        let mut later = whole.clone();
        later.insert("version".to_owned(), json!(u32::MAX));
        texts.push(("a state of a later version".to_owned(), Value::Object(later).to_string()));
        for key in whole.get("state").and_then(Value::as_object).into_iter().flat_map(|state| state.keys()) {
            let mut other = whole.clone();
            // No field has this type.
            other["state"][key] = json!({ "no": [{ "such": "value" }] });
            texts.push((format!("another type for `{key}`"), Value::Object(other).to_string()));
        }
    }
    Ok(texts)
}

/// Letters, digits, signs and a few that take more bytes.
fn character(numbers: &mut CounterRng) -> char {
    let code = 32 + numbers.below(0x3ff) as u32;
    char::from_u32(code).unwrap_or('?')
}

/// What `load_state` says to texts that are no state.
///
/// # Errors
/// The instance cannot be made.
pub(super) fn errors(subject: &Subject) -> Result<Vec<(String, Error)>, Outcome> {
    let mut instance = subject.instance()?;
    let texts = no_states(subject)?;
    Ok(texts.into_iter().filter_map(|(name, text)| Some((name, load(&mut instance, &text).err()?))).collect())
}

fn refused(subject: &mut Subject) -> Verdict {
    let mut instance = subject.instance()?;
    let before = save(&instance).map_err(|error| unsaved(&error))?;
    for (name, text) in no_states(subject)? {
        subject.job().doing(&format!("loading {name}"));
        match load(&mut instance, &text) {
            Ok(()) => {
                let hint = "a checkpoint of another plugin would be taken in silence: refuse entries that \
                            are missing, of another type or unknown";
                return Err(Outcome::failed(format!("{name} was taken"), "an error", hint));
            }
            Err(error) if error.kind() == ErrorKind::Panic => {
                return Err(Outcome::failed(
                    format!("{name}: {error}"),
                    "an error",
                    "return an error where `load_state` panics now",
                ));
            }
            Err(_) => {}
        }
        let after = save(&instance).map_err(|error| unsaved(&error))?;
        if after != before {
            let hint = "read every entry before a field is set";
            return Err(Outcome::failed(
                format!("after {name}, the state is {after}"),
                format!("as before, {before}"),
                hint,
            ));
        }
    }
    subject.job().doing("in a run of the instance that refused them");
    let (model, straight) = straight(subject, subject.config(), USUAL)?;
    let hint = "read every entry before a field is set, also one that is not saved";
    let usual = |found: String| {
        Outcome::failed(format!("after it refused them, {found}"), "the run of a fresh instance", hint)
    };
    let report = run_of(subject, instance, &model, USUAL).fit().map_err(|error| usual(error.to_string()))?;
    match Trace::of(&report).difference(&Trace::of(&straight)) {
        None => Ok(Outcome::passed()),
        Some((found, _)) => Err(usual(found)),
    }
}

fn resume(subject: &mut Subject) -> Verdict {
    let configs = configs(subject, 6);
    for config in &configs {
        let (model, straight) = straight(subject, config, USUAL)?;
        let whole = Trace::of_epochs(&straight);
        for stop in 1..straight.epochs.len() {
            let place = format!("resumed after {stop} epochs");
            subject.job().doing(&place);
            let anew = || build(subject, &model, config, USUAL);
            let resumed = resumed_after(stop, anew).map_err(|error| {
                Outcome::failed(format!("{place}: {error}"), "the run without a stop", RESUME)
            })?;
            if let Some((found, expected)) = Trace::of_epochs(&resumed).difference(&whole.since_epoch(stop)) {
                return Err(Outcome::failed(format!("{place}, {found}"), expected, RESUME));
            }
        }
    }
    Ok(Outcome::noted(format!("{} epochs, {} configurations", USUAL.epochs, configs.len())))
}

const RESUME: &str = "a field that changes in a run is not in its state: mark it `#[config(state)]`, or let \
                      it follow from the epoch; tensors are no state: write them into it as numbers; \
                      `freeze_before_training` does not run again";

fn resumed_after(
    stop: usize,
    anew: impl Fn() -> Result<FakeRun>,
) -> Result<thaw_plugin_api::testing::Report> {
    let mut first = anew()?;
    first.run_epochs(stop)?;
    let saved = first.save()?;
    anew()?.resumed_from(&saved).fit()
}
