//! `kind = "mlflow"`: a run of an MLflow server, over its REST API.
//!
//! What is logged is in `mlflow/unsent.jsonl` of the run directory before it is sent. A thread of its own
//! sends; the run waits for the server only when it is over, and only as long as it keeps answering, for
//! `timeout` seconds at most. What could not be sent, also of a run that was killed, stays there, and
//! [`sync`] sends it later. A run that goes on in its
//! directory goes on in the same run of the server.

mod bell;
mod identity;
mod item;
mod sender;
mod server;
mod sync;
mod told;
mod unsent;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use self::bell::Bell;
use self::identity::Identity;
use self::item::{Item, Metric, Status};
use self::sender::Sender;
use self::server::{Credentials, Server};
use self::told::Told;
use self::unsent::Unsent;
use crate::config::MlflowConfig;
use crate::error::io;
use crate::flat::{flat, text};
use crate::{Begin, Ending, Entry, Logger, LoggerError, Run};
pub use sync::{Synced, sync};

/// Folder in the run directory.
pub(crate) const FOLDER: &str = "mlflow";
/// The server's address, where the run config has none.
const TRACKING_URI: &str = "MLFLOW_TRACKING_URI";
/// How often a run tries a server again that failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Logs to an MLflow server.
pub(crate) struct MlflowLogger {
    bell: Arc<Bell>,
    unsent: Arc<Unsent>,
    timeout: Duration,
    told: Arc<Told>,
    uri: String,
    run_dir: PathBuf,
}

impl MlflowLogger {
    /// Begins or goes on with a run of the server; whether it answers shows later.
    pub(crate) fn open(config: &MlflowConfig, run: &Run<'_>, begin: &Begin) -> Result<Self, LoggerError> {
        let folder = run.folder.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(io(&folder))?;
        let uri = config.tracking_uri.clone().or_else(|| std::env::var(TRACKING_URI).ok());
        let uri = uri.ok_or(LoggerError::NoTrackingUri)?;
        let name = config.run_name.clone().unwrap_or_else(|| run.name());
        let wanted = Identity::new(&uri, &config.experiment, &name, milliseconds(run.time));
        let known = match begin {
            Begin::Resumed { .. } => Identity::read(&folder)?,
            Begin::New => None,
        };
        let goes_on = known.as_ref().is_some_and(|known| known.is_of(&wanted));
        let identity = known.filter(|_| goes_on).unwrap_or(wanted);
        identity.write(&folder)?;
        let unsent = Arc::new(Unsent::new(&folder));
        let bell = Arc::new(Bell::default());
        if goes_on {
            // Its end is not the run's any more.
            unsent.forget_endings()?;
            unsent.append(&[Item::Status { status: Status::Running, end_time: None }])?;
        } else {
            unsent.clear()?;
            // A server refuses other values for parameters that it has.
            let params = flat(run.config);
            unsent.append(&Item::params(params.iter().map(|(key, value)| (key.as_str(), text(value)))))?;
        }
        let timeout = Duration::from_secs_f64(config.timeout);
        let server = Server::new(&identity.tracking_uri, Credentials::of_environment(), timeout);
        let told = Arc::new(Told::default());
        Sender::new(server, identity, folder, unsent.clone(), bell.clone(), told.clone()).start()?;
        bell.ring();
        Ok(Self { bell, unsent, timeout, told, uri, run_dir: run.folder.to_path_buf() })
    }

    /// Writes items down and tells the thread.
    fn send(&self, items: &[Item]) -> Result<(), LoggerError> {
        self.unsent.append(items)?;
        self.bell.ring();
        Ok(())
    }
}

impl Logger for MlflowLogger {
    fn log(&mut self, entry: &Entry<'_>) -> Result<(), LoggerError> {
        let timestamp = milliseconds(entry.time);
        let epoch = [("epoch".to_owned(), entry.epoch as f64)];
        let has_epoch = entry.values.iter().any(|(name, _)| name == "epoch");
        let values = epoch.iter().filter(|_| !has_epoch).chain(entry.values);
        let metric = |(name, value): &(String, f64)| Metric::new(name, *value, timestamp, entry.step);
        self.send(&Item::metrics(values.map(metric)))
    }

    fn end(&mut self, ending: Ending, time: OffsetDateTime) -> Result<(), LoggerError> {
        let status = match ending {
            Ending::Finished => Status::Finished,
            Ending::Interrupted => Status::Killed,
            Ending::Failed => Status::Failed,
        };
        self.send(&[Item::Status { status, end_time: Some(milliseconds(time)) }])?;
        self.bell.close(self.timeout);
        self.unsent.give_up()?;
        if !self.unsent.is_empty() {
            self.told.warn(format!(
                "mlflow: {} has not got everything; it is kept, and sent with: host log sync {}",
                self.uri,
                self.run_dir.display()
            ));
        }
        Ok(())
    }

    fn warnings(&mut self) -> Vec<String> {
        self.told.take()
    }
}

/// Milliseconds since 1970.
fn milliseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

#[cfg(test)]
mod tests;
