//! The thread that sends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::PATIENCE;
use super::bell::{Bell, Rung};
use super::identity::Identity;
use super::server::{Server, ServerError};
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
    ) -> Self {
        Self { server, identity, folder, unsent, bell, failed: None, is_told: false }
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
        self.failed = match self.send_all() {
            Ok(None) => return self.failed = None,
            Ok(Some(error)) => {
                self.tell(&error.to_string());
                Some(Instant::now())
            }
            Err(error) => {
                self.tell(&error.to_string());
                Some(Instant::now())
            }
        };
    }

    fn send_all(&mut self) -> Result<Option<ServerError>, LoggerError> {
        if self.unsent.is_empty() {
            return Ok(None);
        }
        let run_id = match self.identity.with_id(&self.server, &self.folder)? {
            Ok(run_id) => run_id,
            Err(error) => return Ok(Some(error)),
        };
        let server = &self.server;
        self.unsent.drain(|item| server.send(&run_id, item))
    }

    /// Says once what is wrong: the run goes on.
    fn tell(&mut self, error: &str) {
        if !std::mem::replace(&mut self.is_told, true) {
            let file = self.unsent.path().display();
            tracing::warn!("mlflow: {error}; what is not sent is kept in {file}");
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
