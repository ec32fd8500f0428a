//! `mlflow/unsent.jsonl`: what the server has not got yet, an item a line.
//!
//! Whatever is to be sent is in a file before it counts as logged, so that a process that is killed loses
//! nothing. The thread that sends takes the whole file, under another name, and the run goes on with a new
//! one: neither waits for the other. What was sent right before a kill may be sent again, which changes
//! nothing on a server.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::item::Item;
use crate::LoggerError;
use crate::error::io;
use thaw_files::durable;

/// Name of the file.
const FILE: &str = "unsent.jsonl";
/// Its name while it is being sent.
const TAKEN: &str = "sending.jsonl";

/// The files, which the run and the thread that sends write.
pub(super) struct Unsent {
    path: PathBuf,
    taken: PathBuf,
    /// Held while names of files change, or one is added to.
    turn: Mutex<Whose>,
}

/// Whether the thread that sends may still change the files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Both,
    /// The run has not waited for it any longer.
    RunAlone,
}

impl Unsent {
    /// The files of a folder, which may not be there.
    pub(super) fn new(folder: &Path) -> Self {
        let (path, taken) = (folder.join(FILE), folder.join(TAKEN));
        Self { path, taken, turn: Mutex::new(Whose::Both) }
    }

    /// The file that keeps what was not sent.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether all is sent.
    pub(super) fn is_empty(&self) -> bool {
        [&self.path, &self.taken].iter().all(|path| !path.metadata().is_ok_and(|file| file.len() > 0))
    }

    /// Adds items.
    pub(super) fn append(&self, items: &[Item]) -> Result<(), LoggerError> {
        if items.is_empty() {
            return Ok(());
        }
        let text = self.text(items)?;
        let _turn = self.lock();
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(io(&self.path))
    }

    /// Gives each item to `send`, and takes it off the file where that is well; stops at the first that is
    /// not.
    pub(super) fn drain<E>(
        &self,
        mut send: impl FnMut(&Item) -> Result<(), E>,
    ) -> Result<Option<E>, LoggerError> {
        if !self.take()? {
            return Ok(None);
        }
        let mut items = read(&self.taken)?.0;
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
        let turn = self.lock();
        if *turn == Whose::Both {
            items.drain(..sent);
            if !items.is_empty() {
                items.extend(read(&self.path)?.0);
                durable::write(&self.path, self.text(&items)?.as_bytes()).map_err(io(&self.path))?;
            }
            remove(&self.taken)?;
        }
        Ok(failed)
    }

    /// Gives the file its other name; false where there is nothing to send.
    fn take(&self) -> Result<bool, LoggerError> {
        let turn = self.lock();
        if *turn == Whose::RunAlone {
            return Ok(false);
        }
        self.gather(&turn)?;
        match std::fs::rename(&self.path, &self.taken) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io(&self.path)(error)),
        }
    }

    /// What a process left that was killed is in one file again.
    pub(super) fn mend(&self) -> Result<(), LoggerError> {
        self.gather(&self.lock())
    }

    /// From now on the thread that sends changes nothing, and the one file has all that it was about.
    pub(super) fn give_up(&self) -> Result<(), LoggerError> {
        let mut turn = self.lock();
        *turn = Whose::RunAlone;
        self.gather(&turn)
    }

    fn gather(&self, _turn: &MutexGuard<'_, Whose>) -> Result<(), LoggerError> {
        let (mut items, _) = read(&self.taken)?;
        let (more, is_whole) = read(&self.path)?;
        if items.is_empty() && is_whole {
            return remove(&self.taken);
        }
        items.extend(more);
        durable::write(&self.path, self.text(&items)?.as_bytes()).map_err(io(&self.path))?;
        remove(&self.taken)
    }

    /// Takes off what says that the run is over.
    pub(super) fn forget_endings(&self) -> Result<(), LoggerError> {
        let turn = self.lock();
        self.gather(&turn)?;
        let (mut items, _) = read(&self.path)?;
        let before = items.len();
        items.retain(|item| !item.is_ending());
        match items.len() {
            0 => remove(&self.path),
            after if after == before => Ok(()),
            _ => durable::write(&self.path, self.text(&items)?.as_bytes()).map_err(io(&self.path)),
        }
    }

    /// Removes the files.
    pub(super) fn clear(&self) -> Result<(), LoggerError> {
        let _turn = self.lock();
        remove(&self.path)?;
        remove(&self.taken)
    }

    fn text(&self, items: &[Item]) -> Result<String, LoggerError> {
        let mut text = String::new();
        for item in items {
            text += &serde_json::to_string(item).map_err(|error| io(&self.path)(error.into()))?;
            text.push('\n');
        }
        Ok(text)
    }

    fn lock(&self) -> MutexGuard<'_, Whose> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The items of a file, and whether it ends with a whole one: half a line that a killed process left is none.
fn read(path: &Path) -> Result<(Vec<Item>, bool), LoggerError> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), true)),
        text => text.map_err(io(path))?,
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let item = |line| serde_json::from_str(line).map_err(|error| io(path)(error.into()));
    let items: Result<Vec<Item>, LoggerError> = whole.lines().map(item).collect();
    Ok((items?, text.is_empty() || text.ends_with('\n')))
}

fn remove(path: &Path) -> Result<(), LoggerError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io(path)(error)),
        _ => Ok(()),
    }
}
