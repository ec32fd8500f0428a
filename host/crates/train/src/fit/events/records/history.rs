//! `history.jsonl`: what happened in the run, and is never taken back.

mod machine;
mod timing;

use std::path::Path;

use serde_json::{Map, Value, json};
use tch::Device;
use thaw_data::Split;
use thaw_plugin_api::abi::torch_versions;
use thaw_plugin_api::module_tree::{Module, ModuleTree};

use self::machine::Machine;
use self::timing::{Timing, milliseconds};
use super::file::RecordFile;
use super::{RecordsError, stamped};
use crate::ask::Ask;
use crate::fit::events::{
    CacheOrigin, CacheStart, Ending, Event, EventKind, Observer, ObserverError, RunStarted,
};
use crate::run_dir::HISTORY;

/// Writes a record for each start of a run's process (`started`), for what an epoch took (`epoch_ended`), for
/// where passes start from once frozen stages are computed ahead, checkpoints, warnings, and the end. Unlike
/// other records they are not cut where a checkpoint goes on.
pub struct HistoryRecords {
    file: RecordFile,
    /// Records of a run that may still be refused.
    held: Option<Vec<Map<String, Value>>>,
    timing: Timing,
    device: Device,
}

impl HistoryRecords {
    /// Opens the file in a run directory, to go on at its end.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(run_dir: &Path) -> Result<Self, RecordsError> {
        let file = RecordFile::open(run_dir.join(HISTORY))?;
        Ok(Self { file, held: Some(Vec::new()), timing: Timing::default(), device: Device::Cpu })
    }

    /// The run goes on: what was held back is written.
    fn begin(&mut self) -> Result<(), ObserverError> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let whole = self.file.take_off_half();
        held.into_iter().try_for_each(|record| self.file.append(record))?;
        whole
    }

    fn append(&mut self, event: &Event<'_>, name: &str, values: Value) -> Result<(), ObserverError> {
        let mut record = stamped(event);
        record.insert("event".to_owned(), json!(name));
        if let Value::Object(values) = values {
            record.extend(values);
        }
        match &mut self.held {
            Some(held) => {
                held.push(record);
                Ok(())
            }
            None => self.file.append(record),
        }
    }
}

impl Observer for HistoryRecords {
    fn name(&self) -> &str {
        "history"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        self.timing.see(event);
        match &event.kind {
            EventKind::RunStarted(run) => {
                self.device = run.device;
                self.append(event, "started", started(run))
            }
            EventKind::Resumed { checkpoint } => {
                self.begin()?;
                let name = checkpoint.file_name().unwrap_or_default().to_string_lossy();
                self.append(event, "resumed", json!({ "checkpoint": name }))
            }
            EventKind::EpochStarted | EventKind::ValidationStarted { .. } => self.begin(),
            EventKind::EpochEnded { .. } => {
                let mut values = self.timing.of_epoch();
                values.extend(Machine::memory(self.device));
                self.append(event, "epoch_ended", Value::Object(values))?;
                self.file.flush()
            }
            EventKind::FrozenCache { split, start } => {
                self.append(event, "frozen_cache", frozen_cache(*split, start))
            }
            EventKind::CheckpointWritten(written) => {
                let took = milliseconds(written.waited);
                self.append(event, "checkpoint_written", json!({ "name": written.name, "took": took }))
            }
            EventKind::CheckpointLost(lost) => {
                let values = json!({ "name": lost.name, "reason": lost.reason });
                self.append(event, "checkpoint_lost", values)
            }
            EventKind::AskedFor(ask) => self.append(event, "asked", asked(ask)),
            EventKind::Warned(text) => self.append(event, "warned", json!({ "text": text })),
            EventKind::RunEnded(ending) => {
                self.append(event, "ended", ended(*ending))?;
                self.file.flush()
            }
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), ObserverError> {
        self.file.flush()
    }
}

fn started(run: &RunStarted<'_>) -> Value {
    let device = match run.device {
        Device::Cuda(index) => format!("cuda:{index}"),
        Device::Cpu => "cpu".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    json!({
        "thaw": env!("CARGO_PKG_VERSION"),
        "libtorch": torch_versions().libtorch,
        "device": device,
        "machine": Machine::here().json(),
        "model": run.model,
        "data": run.data,
        "train_samples": run.train_samples,
        "val_samples": run.val_samples,
        "class_names": run.class_names,
        "modules": modules(run.tree),
    })
}

/// Modules that have parameters of their own, or are batch norms, in registration order.
fn modules(tree: &ModuleTree) -> Vec<Value> {
    let counts = |module: &&Module| !module.parameters.is_empty() || module.is_batch_norm();
    let module = |module: &Module| {
        let names: Vec<&str> = module.parameters.iter().map(|parameter| parameter.storage()).collect();
        let own = module.parameters.iter().filter(|parameter| parameter.tied_to.is_none());
        let elements: u64 = own.map(|parameter| parameter.numel()).sum();
        json!({
            "path": module.path, "kind": module.kind, "elements": elements, "parameters": names,
        })
    };
    tree.modules().iter().filter(counts).map(module).collect()
}

fn frozen_cache(split: Split, start: &CacheStart<'_>) -> Value {
    let split = if split == Split::Train { "train" } else { "val" };
    match start {
        CacheStart::Stage { after, cut, stages, bytes, is_on_disk, seconds, origin, view } => {
            let mut value = json!({
                "split": split, "after": after, "cut": cut, "stages": stages, "bytes": bytes,
                "on_disk": is_on_disk, "took": seconds, "taken": *origin == CacheOrigin::Taken,
            });
            if let Some((view, views)) = view {
                value["view"] = json!(view);
                value["views"] = json!(views);
            }
            value
        }
        CacheStart::Samples { reason } => json!({ "split": split, "reason": reason }),
    }
}

fn asked(ask: &Ask) -> Value {
    let (name, reason) = match ask {
        Ask::Stop { reason } => (None, Some(reason)),
        Ask::Checkpoint { name } => (name.as_ref(), None),
        Ask::Validate => (None, None),
    };
    let mut values = Map::new();
    values.insert("for".to_owned(), json!(ask.word()));
    name.into_iter().for_each(|name| drop(values.insert("name".to_owned(), json!(name))));
    reason.into_iter().for_each(|reason| drop(values.insert("reason".to_owned(), json!(reason))));
    Value::Object(values)
}

fn ended(ending: Ending<'_>) -> Value {
    let (how, reason) = match ending {
        Ending::Finished => ("finished", None),
        Ending::Stopped { reason } => ("stopped", Some(reason)),
        Ending::Interrupted => ("interrupted", None),
        Ending::Failed { error } => ("failed", Some(error)),
        Ending::Closed => ("closed", None),
    };
    json!({ "ending": how, "reason": reason })
}
