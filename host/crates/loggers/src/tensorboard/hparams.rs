//! Sessions of the hparams plugin: what a run was trained with.
//!
//! There is no experiment summary: without one the plugin finds hyperparameters and metrics of all runs by
//! itself.

use std::collections::BTreeMap;

use serde_json::Value;

use super::event::Event;
use super::message::Message;
use crate::flat::{flat, text};

const PLUGIN: &str = "hparams";
/// `DT_FLOAT`.
const FLOAT: u64 = 1;

/// How a session ended.
#[derive(Clone, Copy)]
pub(super) enum Status {
    Success = 1,
    Failure = 2,
}

/// A session begins, with the keys of a run config.
pub(super) fn start(time: f64, step: usize, name: &str, config: &Value) -> Event {
    let keys: BTreeMap<String, Value> = flat(config).into_iter().collect();
    let entry = |info: Message, (key, value): (String, Value)| {
        let entry = Message::new().text(1, &key).message(2, &value_of(&value));
        info.message(1, &entry)
    };
    let info = keys.into_iter().fold(Message::new(), entry).text(4, name).double(5, time);
    session(time, step, "_hparams_/session_start_info", &Message::new().message(3, &info))
}

/// It ends.
pub(super) fn end(time: f64, status: Status) -> Event {
    let info = Message::new().int(1, status as u64).double(2, time);
    session(time, 0, "_hparams_/session_end_info", &Message::new().message(4, &info))
}

fn session(time: f64, step: usize, tag: &str, data: &Message) -> Event {
    // A tensor with no numbers.
    let shape = Message::new().message(2, &Message::new());
    let tensor = Message::new().int(1, FLOAT).message(2, &shape);
    Event::of_plugin(time, step, tag, &tensor, PLUGIN, data.bytes())
}

/// `google.protobuf.Value`.
fn value_of(value: &Value) -> Message {
    match value {
        Value::Bool(flag) => Message::new().int(4, u64::from(*flag)),
        Value::Number(number) => match number.as_f64() {
            Some(number) => Message::new().double(2, number),
            None => Message::new().text(3, &number.to_string()),
        },
        other => Message::new().text(3, &text(other)),
    }
}
