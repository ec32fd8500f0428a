//! Which run of which server: `mlflow/run.json`.

use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::LoggerError;
use crate::error::io;
use thaw_files::durable;

const FILE: &str = "run.json";

/// A run of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) tracking_uri: String,
    pub(super) experiment: String,
    pub(super) run_name: String,
    /// In milliseconds since 1970.
    pub(super) start_time: i64,
    /// The server's id; none until the server knows the run.
    pub(super) run_id: Option<String>,
}

impl Identity {
    /// A run that no server knows yet.
    pub(super) fn new(tracking_uri: &str, experiment: &str, run_name: &str, start_time: i64) -> Self {
        Self {
            tracking_uri: tracking_uri.trim_end_matches('/').to_owned(),
            experiment: experiment.to_owned(),
            run_name: run_name.to_owned(),
            start_time,
            run_id: None,
        }
    }

    /// Whether both are in the same place of the same server.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        (&self.tracking_uri, &self.experiment) == (&other.tracking_uri, &other.experiment)
    }

    /// The one that a folder has.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, LoggerError> {
        let path = folder.join(FILE);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(io(&path))?,
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| io(&path)(error.into()))
    }

    /// Writes it.
    pub(super) fn write(&self, folder: &Path) -> Result<(), LoggerError> {
        let path = folder.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|error| io(&path)(error.into()))?;
        durable::write(&path, &text).map_err(io(&path))
    }
}
