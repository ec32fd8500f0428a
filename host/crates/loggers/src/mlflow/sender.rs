//! The thread that sends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::PATIENCE;
use super::identity::Identity;
use super::item::Item;
use super::queue::Queue;
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
    queue: Arc<Queue>,
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
        queue: Arc<Queue>,
    ) -> Self {
        Self { server, identity, folder, unsent, queue, failed: None, is_told: false }
    }

    /// Starts the thread. It ends when the queue is closed, or with the process.
    pub(super) fn start(mut self) -> Result<(), LoggerError> {
        let folder = self.folder.clone();
        let thread = std::thread::Builder::new().name("mlflow".to_owned());
        thread.spawn(move || self.run()).map(drop).map_err(io(&folder))
    }

    fn run(&mut self) {
        while let Some(item) = self.queue.first() {
            let sent = self.may_try() && self.send(&item);
            let queue = self.queue.clone();
            queue.done(|| {
                if !sent {
                    self.keep(item);
                }
            });
        }
    }

    /// A server that failed is left alone for a while: the queue is not to grow meanwhile.
    fn may_try(&self) -> bool {
        self.failed.is_none_or(|failed| failed.elapsed() >= PATIENCE)
    }

    /// Sends what was left before, then an item. Whether it is with the server.
    fn send(&mut self, item: &Item) -> bool {
        let sent = self.send_all(item);
        match sent {
            Ok(None) => {
                self.failed = None;
                return true;
            }
            Ok(Some(error)) => self.tell(&error.to_string()),
            Err(error) => self.tell(&error.to_string()),
        }
        self.failed = Some(Instant::now());
        false
    }

    fn send_all(&mut self, item: &Item) -> Result<Option<ServerError>, LoggerError> {
        let run_id = match self.identity.with_id(&self.server, &self.folder)? {
            Ok(run_id) => run_id,
            Err(error) => return Ok(Some(error)),
        };
        let server = &self.server;
        if let Some(error) = self.unsent.drain(|item| server.send(&run_id, item))? {
            return Ok(Some(error));
        }
        Ok(self.server.send(&run_id, item).err())
    }

    fn keep(&mut self, item: Item) {
        if let Err(error) = self.unsent.append(&[item]) {
            self.tell(&error.to_string());
        }
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
