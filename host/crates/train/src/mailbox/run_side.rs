//! The run's side.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Topic, answer_file, request_file};
use crate::run_dir::letters::answer_prefix;
use thaw_files::durable;

/// Where a run finds requests of a topic and leaves answers.
pub struct Mailbox<T: Topic> {
    run_dir: PathBuf,
    request: PathBuf,
    /// A request that can be neither taken nor answered.
    stuck: Option<T::Request>,
}

impl<T: Topic> Mailbox<T> {
    /// The same mailbox as a process has it that is not the run's first one: it reads and removes nothing.
    pub fn of_another(run_dir: &Path) -> Self {
        let request = run_dir.join(request_file::<T>());
        Self { run_dir: run_dir.to_path_buf(), request, stuck: None }
    }

    /// The mailbox of a run that starts: what an earlier process left unread is gone.
    pub fn open(run_dir: &Path) -> Self {
        let (request, answers) = (request_file::<T>(), answer_prefix(T::NAME));
        let entries = std::fs::read_dir(run_dir).into_iter().flatten().flatten();
        let left = entries.filter(|entry| {
            let name = entry.file_name();
            name == *request || name.to_str().is_some_and(|name| name.starts_with(&answers))
        });
        for entry in left {
            if let Err(error) = std::fs::remove_file(entry.path()) {
                tracing::warn!("{}: {error}", entry.path().display());
            }
        }
        Self::of_another(run_dir)
    }

    /// The request that waits, if there is one. It stays: until it is taken the asker may withdraw it.
    pub fn read(&self) -> Option<T::Request> {
        let text = match std::fs::read(&self.request) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("{}: {error}", self.request.display());
                return None;
            }
        };
        serde_json::from_slice(&text)
            .inspect_err(|error| {
                tracing::warn!("{}: no request for a {}: {error}", self.request.display(), T::NAME);
                let _ = std::fs::remove_file(&self.request);
            })
            .ok()
            .filter(|request| self.stuck.as_ref() != Some(request))
    }

    /// Takes the request away; false where the asker has withdrawn it, or where it cannot be: it is not read
    /// again then.
    pub fn take(&mut self, request: &T::Request) -> bool {
        match std::fs::remove_file(&self.request) {
            Ok(()) => true,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!("{}: {error}; this request is left alone", self.request.display());
                    self.stuck = Some(request.clone());
                }
                false
            }
        }
    }

    /// Answers a request that was taken. An asker that is not told reads it from the log and the records.
    pub fn answer(&self, request: &T::Request, answer: &T::Answer) {
        let Some(token) = T::token(request) else { return };
        let path = self.run_dir.join(answer_file::<T>(token));
        let text = serde_json::to_vec(answer).map_err(std::io::Error::from);
        if let Err(error) = text.and_then(|text| durable::write(&path, &text)) {
            tracing::error!("{}: {error}", path.display());
        }
    }
}
