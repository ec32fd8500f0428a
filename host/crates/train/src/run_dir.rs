//! The run directory: everything that a run writes.

mod earlier;
mod error;
mod left;
pub mod letters;
mod lock;
mod private;

use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::macros::format_description;

pub use error::RunDirError;
pub use left::is_of_a_run;
pub use lock::{Holder, RunLock, holder};
pub use private::PrivateCopy;

use error::at;
use thaw_files::durable;

/// Records of metrics.
pub const METRICS: &str = "metrics.jsonl";
/// Records of groups and freeze state.
pub const GROUPS: &str = "groups.jsonl";
/// Records of confusion matrices.
pub const CONFUSION: &str = "confusion.jsonl";
/// Samples of validations that are worth a look.
pub const SAMPLES: &str = "samples.jsonl";
/// Folder of their thumbnails.
pub const SAMPLE_PICTURES: &str = "samples";
/// What happened in the run: starts, the time of epochs, warnings, ends.
pub const HISTORY: &str = "history.jsonl";
/// The run to look at, in a browser.
pub const REPORT: &str = "report.html";
/// What the run's time went into, as a table.
pub const PROFILE: &str = "profile.txt";
/// The same over time, as Chrome's trace viewer and Perfetto read it.
pub const TRACE: &str = "profile.json";
/// The resolved run config.
pub const CONFIG: &str = "config.toml";
/// What was loaded.
pub const PLUGINS: &str = "plugins.json";
/// When the run was resumed, and with what else than before.
pub const RESUMES: &str = "resumes.jsonl";
/// Folder of checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// Folder with the logs of processes other than the first one.
pub const RANK_LOGS: &str = "logs";
/// Strategies that were replaced while the run was live.
pub const SWAPS: &str = "swaps.json";
/// Folder of the plugins that came with a swap.
pub const PLUGIN_FILES: &str = "plugins";
/// Folder of the files that the run config names and the trained model needs.
pub const FILES: &str = "files";

/// What a run that goes on elsewhere takes along as it is.
const RECORDS: [&str; 7] = [METRICS, GROUPS, CONFUSION, SAMPLES, HISTORY, SWAPS, RESUMES];

/// Where a run is to write.
#[derive(Clone, Debug)]
pub enum Place {
    /// In this folder.
    Given(PathBuf),
    /// In a new folder `runs/<name>-<time>`, under the name of the run config.
    New(String),
}

/// What a run directory was before this run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// Not there.
    Made,
    /// A folder of the user's that holds nothing to keep.
    InEmptyFolder,
    /// That of the run that goes on.
    GoesOn,
    /// Another process of the run writes it.
    ByAnother,
}

/// A run directory, open for writing by this process alone; or by another one of the run, for which this one
/// writes nothing.
pub struct RunDir {
    /// Absolute: a plugin may change the working directory.
    path: PathBuf,
    /// As the user names it.
    shown: PathBuf,
    begun: Begun,
    _lock: Option<RunLock>,
}

impl RunDir {
    /// Makes `runs/<name>-<time>`, or the first free name after it: of two runs that start in one second,
    /// each gets its own.
    fn create(name: &str) -> Result<PathBuf, RunDirError> {
        let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
        let time = now
            .format(format_description!("[year][month][day]-[hour][minute][second]"))
            .unwrap_or_else(|_| now.unix_timestamp().to_string());
        let runs = PathBuf::from("runs");
        std::fs::create_dir_all(&runs).map_err(at(&runs))?;
        let mut path = runs.join(format!("{name}-{time}"));
        let mut count = 1;
        loop {
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    count += 1;
                    path = runs.join(format!("{name}-{time}-{count}"));
                }
                Err(error) => return Err(at(&path)(error)),
            }
        }
    }

    /// The run directory of a run: that of the run which it resumes, or a new one, which must be empty and
    /// gets the records and swaps of the resumed run.
    ///
    /// # Errors
    /// It holds something else already, another run is live in it, or it cannot be written.
    pub fn open(place: &Place, resumed: Option<&Path>) -> Result<Self, RunDirError> {
        let shown = match place {
            Place::Given(path) => path.clone(),
            Place::New(name) => Self::create(name)?,
        };
        let path = &std::path::absolute(&shown).map_err(at(&shown))?;
        let is_new = resumed.is_none() || resumed.map(Path::to_path_buf) != path.canonicalize().ok();
        let is_left = is_new && left::without_checkpoint(path);
        if is_new && !is_left && !is_empty(path) {
            return Err(RunDirError::Taken(path.clone()));
        }
        let begun = match (is_new, place) {
            (false, _) => Begun::GoesOn,
            (true, Place::Given(_)) if path.is_dir() => Begun::InEmptyFolder,
            (true, _) => Begun::Made,
        };
        let checkpoints = path.join(CHECKPOINTS);
        std::fs::create_dir_all(&checkpoints).map_err(at(&checkpoints))?;
        // Before anything is written: another run may be live here.
        let lock = RunLock::take(path)?;
        if is_left {
            tracing::warn!(
                "{}: what a run left that ended before its first checkpoint is removed",
                path.display()
            );
            left::remove(path)?;
            std::fs::create_dir_all(&checkpoints).map_err(at(&checkpoints))?;
        }
        if !is_new {
            left::sweep(path)?;
        }
        if let Some(resumed) = resumed.filter(|_| is_new) {
            copy_records(resumed, path).inspect_err(|_| clear(path, begun))?;
        }
        Ok(Self { path: path.clone(), shown, begun, _lock: Some(lock) })
    }

    /// The run directory that another process of the run has opened: nothing is written through this one.
    pub fn of_another(path: PathBuf, shown: PathBuf) -> Self {
        Self { path, shown, begun: Begun::ByAnother, _lock: None }
    }

    /// Whether another process writes it.
    pub fn is_of_another(&self) -> bool {
        self.begun == Begun::ByAnother
    }

    /// Removes what a run has written that could not start, unless it was to go on here. A folder that the
    /// user made stays.
    pub fn discard(&self) {
        clear(&self.path, self.begun);
    }

    /// The folder, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder, as the user names it.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// Whether what was written is still there.
    ///
    /// # Errors
    /// Somebody removed the folder, and its records with it.
    pub fn check_there(&self) -> Result<(), RunDirError> {
        if self.is_of_another() {
            return Ok(());
        }
        // Unlike records it is always there.
        let lock = self.path.join(lock::LOCK);
        lock.symlink_metadata().map(drop).map_err(|_| RunDirError::Removed(self.path.clone()))
    }

    /// Folder of checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// Writes a whole file; it appears under its name when it is complete.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), RunDirError> {
        if self.is_of_another() {
            return Ok(());
        }
        let path = self.path.join(name);
        durable::write(&path, text.as_bytes()).map_err(at(&path))
    }

    /// Writes a whole file of JSON.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_json(&self, name: &str, value: &impl serde::Serialize) -> Result<(), RunDirError> {
        let text = self.json(name, value)?;
        self.write(name, &text)
    }

    /// What [`Self::write_json`] writes into the file of this name.
    ///
    /// # Errors
    /// The value is none that JSON has.
    pub fn json(&self, name: &str, value: &impl serde::Serialize) -> Result<String, RunDirError> {
        serde_json::to_string_pretty(value).map_err(|error| at(self.path.join(name))(error.into()))
    }

    /// Copies a file that checkpoints need into [`FILES`].
    ///
    /// # Errors
    /// It cannot be read, or the disk is full.
    pub fn keep(&self, file: &Path) -> Result<PrivateCopy, RunDirError> {
        let folder = self.path.join(FILES);
        if self.is_of_another() {
            PrivateCopy::of_another(file, &folder)
        } else {
            PrivateCopy::make(file, &folder)
        }
    }
}

fn is_empty(folder: &Path) -> bool {
    !std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// What a run that goes on elsewhere takes with it, besides checkpoints.
fn copy_records(from: &Path, to: &Path) -> Result<(), RunDirError> {
    let copy = |name: &Path| {
        let (from, to) = (from.join(name), to.join(name));
        if from.is_file() { durable::copy(&from, &to).map_err(at(&to)) } else { Ok(()) }
    };
    for entry in std::fs::read_dir(from).map_err(at(from))? {
        let name = PathBuf::from(entry.map_err(at(from))?.file_name());
        let mut records = RECORDS.iter().chain(&thaw_loggers::RECORDS);
        let is_record = records.any(|record| name == Path::new(record));
        if is_record || earlier::is_config_or_plugins(&name) {
            copy(&name)?;
        }
    }
    for name in [PLUGIN_FILES, SAMPLE_PICTURES].into_iter().chain(thaw_loggers::RECORDS) {
        let (folder, fresh) = (from.join(name), to.join(name));
        if folder.is_dir() {
            std::fs::create_dir_all(&fresh).map_err(at(&fresh))?;
            for file in std::fs::read_dir(&folder).map_err(at(&folder))? {
                copy(&Path::new(name).join(file.map_err(at(&folder))?.file_name()))?;
            }
        }
    }
    Ok(())
}

/// Leaves a folder as it was before this run.
fn clear(folder: &Path, begun: Begun) {
    let cleared = match begun {
        Begun::Made => std::fs::remove_dir_all(folder).map_err(at(folder)),
        Begun::InEmptyFolder => left::remove(folder).and_then(|()| {
            let lock = folder.join(lock::LOCK);
            std::fs::remove_file(&lock).map_err(at(lock))
        }),
        Begun::GoesOn | Begun::ByAnother => Ok(()),
    };
    if let Err(error) = cleared {
        tracing::warn!("{error}");
    }
}
