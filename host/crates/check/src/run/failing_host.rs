//! A host that refuses everything, and calls in an order that no run has.

use std::ffi::c_void;

use serde_json::Value;
use thaw_plugin_api::abi::{BoxedInstance, RawServices, contain};
use thaw_plugin_api::context::{Progress, Services};
use thaw_plugin_api::error::ErrorKind;
use thaw_plugin_api::hook::Hook;
use thaw_plugin_api::{Error, Result};

use crate::{Outcome, Subject, Verdict};

/// Does nothing that it is asked for.
struct Refusing;

impl Services for Refusing {
    fn request(&mut self, operation: &str, _: Value) -> Result<Value> {
        Err(Error::new(format_args!("the host of the check refuses `{operation}`")))
    }

    fn tensor(&mut self, name: &str) -> Result<*mut c_void> {
        Err(Error::new(format_args!("the host of the check has no tensor `{name}`")))
    }
}

/// Calls everything there is; gives the errors.
fn call_all(instance: &mut BoxedInstance, told: impl Fn(&str)) -> Vec<(String, Error)> {
    let usual =
        Progress { epoch: 3, global_step: 7, max_epochs: 9, num_training_batches: 2, ..Progress::default() }
            .to_numbers();
    // Hosts of other versions send fewer numbers or more.
    let progress: [&[u64]; 3] = [&usual, &[], &[u64::MAX; 12]];
    let mut errors = Vec::new();
    let mut note =
        |what: &str, answer: Result<()>| errors.extend(answer.err().map(|error| (what.to_owned(), error)));
    for numbers in progress {
        let hooks = Hook::ALL
            .iter()
            .map(|hook| (hook.name(), *hook as u32))
            .chain([("a hook of a later version", 9999)]);
        for (name, number) in hooks {
            told(name);
            let call = RawServices::with(&mut Refusing, |services| {
                instance.hook(number, numbers.into(), services).into_result()
            });
            note(name, contain(|| Ok(call.map(drop)?)));
        }
        told("finetune");
        for epoch in [0, 5, u64::MAX] {
            let call = RawServices::with(&mut Refusing, |services| {
                instance.finetune(epoch, numbers.into(), services).into_result()
            });
            note("finetune", contain(|| Ok(call?)));
        }
        told("freeze_before_training");
        let call = RawServices::with(&mut Refusing, |services| {
            instance.freeze_before_training(services).into_result()
        });
        note("freeze_before_training", contain(|| Ok(call?)));
    }
    errors
}

/// The errors of an instance whose host refuses everything.
///
/// # Errors
/// The instance cannot be made.
pub fn errors(subject: &Subject) -> Result<Vec<(String, Error)>, Outcome> {
    let mut instance = subject.instance()?;
    Ok(call_all(&mut instance, |_| {}))
}

pub(super) fn contained(subject: &mut Subject) -> Verdict {
    let mut instance = subject.instance()?;
    let errors = call_all(&mut instance, |hook| {
        subject.job().doing(&format!("in `{hook}`, with a host that refuses everything"))
    });
    if let Some((hook, error)) = errors.iter().find(|(_, error)| error.kind() == ErrorKind::Panic) {
        let hint = "hand the host's error on with `?` where the code unwraps it now";
        return Err(Outcome::failed(format!("`{hook}` {error}"), "an error", hint));
    }
    subject.job().doing("in `state`, after hooks that failed");
    contain(|| Ok(instance.state().into_result()?)).map_err(|error| {
        Outcome::failed(
            format!("`state` after hooks that failed: {error}"),
            "the state",
            "a hook that fails leaves its instance as it was",
        )
    })?;
    Ok(Outcome::noted(format!("{} calls failed with an error", errors.len())))
}
