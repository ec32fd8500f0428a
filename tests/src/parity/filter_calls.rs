//! What `filter_on_optimizer` dropped, from the program's log.

use serde_json::{Value, json};

/// Filter of the log that shows it.
pub const LOG: &str = "error,plugin=debug";

/// The calls of each epoch, in the trace's form: those before its `case-recorder` says that the strategies
/// are done.
pub fn by_epoch(log: &str) -> Vec<Vec<Value>> {
    let (mut epochs, mut calls) = (Vec::new(), Vec::new());
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("filter_on_optimizer dropped=") {
            let list = serde_json::Deserializer::from_str(rest).into_iter::<Value>().next();
            calls.push(json!({ "dropped_by_identity": list.and_then(Result::ok) }));
        } else if line.contains("case-recorder: the epoch begins") {
            epochs.push(std::mem::take(&mut calls));
        }
    }
    epochs
}
