//! The model's modules, and the names of its classes: from the run's own record, or its last checkpoint's.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use thaw_train::checkpoint::{LAST, STATE};
use thaw_train::run_dir::CHECKPOINTS;

use super::{GroupsRecord, HistoryRecord, What};

/// A module with parameters of its own, or a batch norm.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct ModuleRecord {
    /// Dotted path.
    pub path: String,
    /// PyTorch's class name.
    #[serde(default)]
    pub kind: String,
    /// Elements of its parameters.
    #[serde(default)]
    pub elements: u64,
    /// Names of its parameters.
    #[serde(default)]
    pub parameters: Vec<String>,
}

/// What was found.
pub(super) struct Kept {
    pub(super) modules: Vec<ModuleRecord>,
    pub(super) class_names: Vec<String>,
    /// What is missing.
    pub(super) note: Option<String>,
}

/// Modules and classes of a run. Those of versions before have them in their checkpoints; without one, only
/// the modules are known that trained once.
pub(super) fn of_run(run_dir: &Path, history: &[HistoryRecord], groups: &[GroupsRecord]) -> Kept {
    let started = history.iter().rev().find_map(|record| match &record.what {
        What::Started(started) => Some(started),
        _ => None,
    });
    if let Some(started) = started {
        return Kept {
            modules: started.modules.clone(),
            class_names: started.class_names.clone(),
            note: None,
        };
    }
    let state = run_dir.join(CHECKPOINTS).join(LAST).join(STATE);
    let state: Option<Value> = std::fs::read(state).ok().and_then(|text| serde_json::from_slice(&text).ok());
    if let Some((state, modules)) = state.as_ref().and_then(|state| Some((state, of_checkpoint(state)?))) {
        let names = state.get("class_names").cloned().unwrap_or_default();
        return Kept { modules, class_names: serde_json::from_value(names).unwrap_or_default(), note: None };
    }
    let note = "The run did not record its modules and has no checkpoint: the thaw chart has only \
     those that \
                trained once, and batch norms.";
    let note = (!groups.is_empty()).then(|| note.to_owned());
    Kept { modules: of_groups(groups), class_names: Vec::new(), note }
}

fn of_checkpoint(state: &Value) -> Option<Vec<ModuleRecord>> {
    let modules = state.get("modules")?.as_array()?;
    let module = |module: &Value| {
        let parameters = module.get("parameters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let storage = |parameter: &Value| {
            let name = parameter.get("tied_to").filter(|tied| tied.is_string());
            name.or(parameter.get("name")).and_then(Value::as_str).map(str::to_owned)
        };
        let numel = |parameter: &Value| -> u64 {
            let shape = parameter.get("shape").and_then(Value::as_array).into_iter().flatten();
            shape.filter_map(Value::as_u64).product()
        };
        let text = |key: &str| module.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let own = parameters.iter().filter(|parameter| !parameter["tied_to"].is_string());
        ModuleRecord {
            path: text("path"),
            kind: text("kind"),
            elements: own.map(numel).sum(),
            parameters: parameters.iter().filter_map(storage).collect(),
        }
    };
    let counts = |module: &ModuleRecord| !module.parameters.is_empty();
    Some(modules.iter().map(module).filter(counts).collect())
}

fn of_groups(groups: &[GroupsRecord]) -> Vec<ModuleRecord> {
    let mut modules: Vec<ModuleRecord> = Vec::new();
    let mut seen = HashSet::new();
    let names = groups.iter().flat_map(|record| &record.trainable).filter(|name| seen.insert(*name));
    for name in names {
        let path = name.rsplit_once('.').map_or("", |(path, _)| path);
        match modules.iter_mut().find(|module| module.path == path) {
            Some(module) => module.parameters.push(name.clone()),
            None => modules.push(ModuleRecord {
                path: path.to_owned(),
                parameters: vec![name.clone()],
                ..ModuleRecord::default()
            }),
        }
    }
    for path in groups.iter().flat_map(|record| record.batch_norm.keys()) {
        if modules.iter().all(|module| module.path != *path) {
            modules.push(ModuleRecord { path: path.clone(), ..ModuleRecord::default() });
        }
    }
    modules
}
