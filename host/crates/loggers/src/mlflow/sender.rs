//! The thread that sends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::PATIENCE;
use super::bell::{Bell, Rung};
use super::identity::Identity;
use super::server::{Server, ServerError};
use super::told::Told;
use super::unsent::Unsent;
use crate::LoggerError;
use crate::error::io;

/// Sends a run to its server.
pub(super) struct Sender {
    server: Server,
    identity: Identity,
    folder: PathBuf,
    unsent: Arc<Unsent>,
    bell: Arc<Bell>,
    told: Arc<Told>,
    /// When the server last failed, if it has not been well since.
    failed: Option<Instant>,
    is_told: bool,
}

impl Sender {
    pub(super) fn new(
        server: Server,
        identity: Identity,
        folder: PathBuf,
        unsent: Arc<Unsent>,
        bell: Arc<Bell>,
        told: Arc<Told>,
    ) -> Self {
        Self { server, identity, folder, unsent, bell, told, failed: None, is_told: false }
    }

    /// Starts the thread. It ends when the run does, or with the process.
    pub(super) fn start(mut self) -> Result<(), LoggerError> {
        let folder = self.folder.clone();
        let thread = std::thread::Builder::new().name("mlflow".to_owned());
        thread.spawn(move || self.run()).map(drop).map_err(io(&folder))
    }

    fn run(&mut self) {
        loop {
            let rung = self.bell.wait();
            if self.may_try() {
                self.send();
            }
            if rung == Rung::Last {
                return self.bell.be_over();
            }
        }
    }

    /// A server that failed is left alone for a while.
    fn may_try(&self) -> bool {
        self.failed.is_none_or(|failed| failed.elapsed() >= PATIENCE)
    }

    /// Sends what the file has.
    fn send(&mut self) {
        let error = match self.send_all() {
            Ok(None) => None,
            Ok(Some(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        self.failed = error.as_ref().map(|_| Instant::now());
        if let Some(error) = error {
            // Before the run is told that it need not wait: it gathers what is warned of then.
            self.tell(&error);
            self.bell.failed();
        } else {
            self.bell.is_well();
        }
    }

    fn send_all(&mut self) -> Result<Option<ServerError>, LoggerError> {
        if self.unsent.is_empty() {
            return Ok(None);
        }
        self.bell.asks();
        let run_id = match self.identity.with_id(&self.server, &self.folder)? {
            Ok(run_id) => run_id,
            Err(error) => return Ok(Some(error)),
        };
        let (server, bell) = (&self.server, &self.bell);
        self.unsent.drain(|item| {
            bell.asks();
            server.send(&run_id, item)
        })
    }

    /// Says once what is wrong: the run goes on.
    fn tell(&mut self, error: &str) {
        if !std::mem::replace(&mut self.is_told, true) {
            let file = self.unsent.path().display();
            self.told.warn(format!("mlflow: {error}; what is not sent is kept in {file}"));
        }
    }
}

impl Identity {
    /// The server's id of the run, which is made where the server does not know it.
    pub(super) fn with_id(
        &mut self,
        server: &Server,
        folder: &std::path::Path,
    ) -> Result<Result<String, ServerError>, LoggerError> {
        if let Some(id) = &self.run_id {
            return Ok(Ok(id.clone()));
        }
        let id = match server.create_run(self) {
            Ok(id) => id,
            Err(error) => return Ok(Err(error)),
        };
        self.run_id = Some(id.clone());
        self.write(folder)?;
        Ok(Ok(id))
    }
}
