//! `mlflow/unsent.jsonl`: what the server has not got yet, an item a line.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::item::Item;
use crate::LoggerError;
use crate::error::io;
use thaw_files::durable;

/// Name of the file.
const FILE: &str = "unsent.jsonl";

/// The file, which the run and the thread that sends write.
pub(super) struct Unsent {
    path: PathBuf,
    /// Held while the file is read or written.
    turn: Mutex<()>,
}

impl Unsent {
    /// The file of a folder, which may not be there.
    pub(super) fn new(folder: &Path) -> Self {
        Self { path: folder.join(FILE), turn: Mutex::new(()) }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether all is sent.
    pub(super) fn is_empty(&self) -> bool {
        !self.path.metadata().is_ok_and(|file| file.len() > 0)
    }

    /// Adds items.
    pub(super) fn append(&self, items: &[Item]) -> Result<(), LoggerError> {
        if items.is_empty() {
            return Ok(());
        }
        let text = self.text(items)?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(io(&self.path))
    }

    /// Gives each item to `send`, and takes it off the file where that is well; stops at the first that is
    /// not.
    pub(super) fn drain<E>(
        &self,
        mut send: impl FnMut(&Item) -> Result<(), E>,
    ) -> Result<Option<E>, LoggerError> {
        let items = {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            self.read()?
        };
        let mut failed = None;
        let mut sent = 0;
        for item in &items {
            match send(item) {
                Ok(()) => sent += 1,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if sent > 0 {
            // Others may have come meanwhile.
            self.rewrite(|items| items.drain(..sent.min(items.len())).for_each(drop))?;
        }
        Ok(failed)
    }

    /// Takes off what says that the run is over.
    pub(super) fn forget_endings(&self) -> Result<(), LoggerError> {
        self.rewrite(|items| items.retain(|item| !item.is_ending()))
    }

    /// Removes the file.
    pub(super) fn clear(&self) -> Result<(), LoggerError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io(&self.path)(error)),
            _ => Ok(()),
        }
    }

    fn rewrite(&self, change: impl FnOnce(&mut Vec<Item>)) -> Result<(), LoggerError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut items = self.read()?;
        let before = items.len();
        change(&mut items);
        if items.is_empty() {
            self.clear()
        } else if items.len() == before {
            Ok(())
        } else {
            durable::write(&self.path, self.text(&items)?.as_bytes()).map_err(io(&self.path))
        }
    }

    /// The items of the file; half a line that a killed process left is none.
    fn read(&self) -> Result<Vec<Item>, LoggerError> {
        let text = match std::fs::read_to_string(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            text => text.map_err(io(&self.path))?,
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let item = |line| serde_json::from_str(line).map_err(|error| io(&self.path)(error.into()));
        whole.lines().map(item).collect()
    }

    fn text(&self, items: &[Item]) -> Result<String, LoggerError> {
        let mut text = String::new();
        for item in items {
            text += &serde_json::to_string(item).map_err(|error| io(&self.path)(error.into()))?;
            text.push('\n');
        }
        Ok(text)
    }
}
