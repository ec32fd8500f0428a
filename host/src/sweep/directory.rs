//! The folder of a sweep.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::macros::format_description;

use super::error::at;
use super::plan::{copy, file};
use super::{Plan, SweepError};
use thaw_files::durable;

/// Folder of what trials print.
const LOGS: &str = "logs";

/// The folder of a sweep, which this process alone works at.
pub struct SweepDir {
    path: PathBuf,
    shown: PathBuf,
    _lock: File,
}

impl SweepDir {
    /// A new one: `given`, which must be empty, or `sweeps/<name>-<time>`. The plan is in it.
    ///
    /// # Errors
    /// It holds something, or cannot be written.
    pub fn create(given: Option<&Path>, name: &str, plan: &Plan) -> Result<Self, SweepError> {
        let shown = match given {
            Some(given) => {
                let is_empty = fs::read_dir(given).map(|mut entries| entries.next().is_none());
                match is_empty {
                    Ok(false) => return Err(SweepError::Taken(given.to_path_buf())),
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(given)(error)),
                    _ => given.to_path_buf(),
                }
            }
            None => free(name)?,
        };
        fs::create_dir_all(shown.join(LOGS)).map_err(at(&shown))?;
        let sweep = Self::lock(shown)?;
        let text = serde_json::to_vec_pretty(plan).map_err(|error| at(&sweep.path)(error.into()))?;
        let kept = copy(&sweep.path);
        durable::copy(&plan.config, &kept).map_err(at(kept))?;
        let path = file(&sweep.path);
        durable::write(&path, &text).map_err(at(path))?;
        Ok(sweep)
    }

    /// One that is to go on, with its plan.
    ///
    /// # Errors
    /// It is none, another process works at it, or its run config has changed.
    pub fn open(shown: &Path) -> Result<(Self, Plan), SweepError> {
        let path = file(shown);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(SweepError::NoSweep(shown.to_path_buf()));
            }
            text => text.map_err(at(&path))?,
        };
        let mut plan: Plan = serde_json::from_slice(&text)
            .map_err(|error| SweepError::Damaged { path, problem: error.to_string() })?;
        let here = std::env::current_dir().map_err(at("the working directory"))?;
        plan.follow(&here, &std::path::absolute(copy(shown)).map_err(at(shown))?);
        plan.check_config()?;
        fs::create_dir_all(shown.join(LOGS)).map_err(at(shown))?;
        Ok((Self::lock(shown.to_path_buf())?, plan))
    }

    fn lock(shown: PathBuf) -> Result<Self, SweepError> {
        let path = std::path::absolute(&shown).map_err(at(&shown))?;
        let file = path.join("sweep.lock");
        let options = OpenOptions::new().create(true).write(true).truncate(false).open(&file);
        let lock = options.map_err(at(&file))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, shown, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(SweepError::Busy(shown)),
            Err(TryLockError::Error(error)) => Err(at(file)(error)),
        }
    }

    /// As the user names it.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// The run directory of a trial, absolute.
    pub fn run_dir(&self, trial: &str) -> PathBuf {
        self.path.join(trial)
    }

    /// Where a trial's output goes.
    pub fn log(&self, trial: &str) -> PathBuf {
        self.path.join(LOGS).join(format!("{trial}.log"))
    }
}

/// `sweeps/<name>-<time>`, or the first free name after it.
fn free(name: &str) -> Result<PathBuf, SweepError> {
    let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
    let time = now
        .format(format_description!("[year][month][day]-[hour][minute][second]"))
        .unwrap_or_else(|_| now.unix_timestamp().to_string());
    let sweeps = PathBuf::from("sweeps");
    fs::create_dir_all(&sweeps).map_err(at(&sweeps))?;
    let names = std::iter::once(format!("{name}-{time}"))
        .chain((2..).map(|count: usize| format!("{name}-{time}-{count}")));
    for name in names {
        let path = sweeps.join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path.clone()).map_err(at(path)),
        }
    }
    Ok(sweeps.join(name))
}
