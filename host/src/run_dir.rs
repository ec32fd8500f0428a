//! The run directory: everything that a run writes.

mod lock;
mod private;

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::macros::format_description;

pub use lock::{Holder, RunLock, holder};
pub use private::PrivateCopy;

use crate::error::{Error, io};

/// Records of metrics.
pub const METRICS: &str = "metrics.jsonl";
/// Records of groups and freeze state.
pub const GROUPS: &str = "groups.jsonl";
/// The resolved run config.
pub const CONFIG: &str = "config.toml";
/// What was loaded.
pub const PLUGINS: &str = "plugins.json";
/// Folder of checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// Strategies that were replaced while the run was live.
pub const SWAPS: &str = "swaps.json";
/// Folder of the plugins that came with a swap.
pub const PLUGIN_FILES: &str = "plugins";
/// Folder of the files that the run config names and the trained model needs.
pub const FILES: &str = "files";

/// A run directory, open for writing by this process alone.
pub struct RunDir {
    path: PathBuf,
    _lock: RunLock,
    metrics: Records,
    groups: Records,
}

/// Length of the files of records, for a resumed run to go on from.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Position {
    metrics: u64,
    groups: u64,
}

impl RunDir {
    /// The default place: `runs/<name>-<time>`.
    pub fn default_path(name: &str) -> PathBuf {
        let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
        let time = now
            .format(format_description!("[year][month][day]-[hour][minute][second]"))
            .unwrap_or_else(|_| now.unix_timestamp().to_string());
        let path = PathBuf::from("runs").join(format!("{name}-{time}"));
        let mut unique = path.clone();
        let mut count = 2;
        while unique.exists() {
            unique = path.with_file_name(format!("{name}-{time}-{count}"));
            count += 1;
        }
        unique
    }

    /// A new run directory; an existing one must be empty.
    ///
    /// # Errors
    /// It cannot be made, or holds something already.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let holds_something = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if holds_something {
            let reason = "the run directory holds something already; take another, or --resume it";
            return Err(io(path)(std::io::Error::new(std::io::ErrorKind::AlreadyExists, reason)));
        }
        Self::open(path, Position::default())
    }

    /// The run directory that a run goes on in, with the records after `position` taken off. One that has none yet gets
    /// those of `earlier`, the run directory of the checkpoint.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn resume(path: &Path, earlier: Option<&Path>, position: Position) -> Result<Self, Error> {
        std::fs::create_dir_all(path).map_err(io(path))?;
        let copy = |name: &Path| {
            let (to, from) = (path.join(name), earlier.map(|earlier| earlier.join(name)));
            match from.filter(|from| from.is_file() && !to.exists()) {
                Some(from) => std::fs::copy(&from, &to).map(drop).map_err(io(&to)),
                None => Ok(()),
            }
        };
        for name in [METRICS, GROUPS, SWAPS] {
            copy(Path::new(name))?;
        }
        if let Some(from) = earlier.map(|earlier| earlier.join(PLUGIN_FILES)).filter(|from| from.is_dir()) {
            std::fs::create_dir_all(path.join(PLUGIN_FILES)).map_err(io(path))?;
            for file in std::fs::read_dir(&from).map_err(io(&from))? {
                copy(&Path::new(PLUGIN_FILES).join(file.map_err(io(&from))?.file_name()))?;
            }
        }
        Self::open(path, position)
    }

    fn open(path: &Path, position: Position) -> Result<Self, Error> {
        let checkpoints = path.join(CHECKPOINTS);
        std::fs::create_dir_all(&checkpoints).map_err(io(&checkpoints))?;
        // Before anything is cut off: another run may be writing here.
        let lock = RunLock::take(path)?;
        Ok(Self {
            path: path.to_path_buf(),
            _lock: lock,
            metrics: Records::open(path.join(METRICS), position.metrics)?,
            groups: Records::open(path.join(GROUPS), position.groups)?,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folder of checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// Writes a whole file; it appears under its name when it is complete.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        write_whole(&path, text.as_bytes()).map_err(io(&path))
    }

    /// Writes a whole file of JSON.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_json(&self, name: &str, value: &impl serde::Serialize) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(value).map_err(|error| io(self.path.join(name))(error.into()))?;
        self.write(name, &text)
    }

    /// Copies a file that checkpoints need into [`FILES`].
    ///
    /// # Errors
    /// It cannot be read, or the disk is full.
    pub fn keep(&self, file: &Path) -> Result<PrivateCopy, Error> {
        PrivateCopy::make(file, &self.path.join(FILES))
    }

    /// Appends a record of metrics. Where the disk is full, the log says so once.
    pub fn log_metrics(&mut self, record: Map<String, Value>) {
        self.metrics.append(&Value::Object(record));
    }

    /// Appends a record of groups and freeze state. Where the disk is full, the log says so once.
    pub fn log_groups(&mut self, record: &Value) {
        self.groups.append(record);
    }

    /// Writes the records that wait.
    pub fn flush(&mut self) {
        self.metrics.flush();
        self.groups.flush();
    }

    /// Where the records in the files end.
    pub fn position(&self) -> Position {
        Position { metrics: self.metrics.length, groups: self.groups.length }
    }
}

/// Writes beside and renames.
///
/// # Errors
/// The folder cannot be written, or the disk is full.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = temporary(0o666).tempfile_in(folder)?;
    file.write_all(bytes)?;
    if let Ok(before) = path.metadata() {
        file.as_file().set_permissions(before.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// For a temporary file (`mode` 0o666) or folder (0o777) that is to become part of a run: readable by whom the user's mask lets,
/// where temporary ones are their owner's alone.
pub fn temporary<'b>(mode: u32) -> tempfile::Builder<'b, 'b> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    let _ = mode;
    builder
}

/// A file of records. What cannot be written is lost, told once, and the run goes on.
struct Records {
    path: PathBuf,
    file: File,
    /// Length of the file in whole records.
    length: u64,
    /// Records that are not in the file yet.
    waiting: Vec<u8>,
    /// Whether a failure was told.
    told: bool,
}

/// Records are written when so many bytes wait, and at the end of each epoch.
const WAITING: usize = 8 << 10;

impl Records {
    fn open(path: PathBuf, length: u64) -> Result<Self, Error> {
        let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(&path).map_err(io(&path))?;
        let length = file.metadata().map_err(io(&path))?.len().min(length);
        file.set_len(length).map_err(io(&path))?;
        file.seek(SeekFrom::End(0)).map_err(io(&path))?;
        Ok(Self { path, file, length, waiting: Vec::new(), told: false })
    }

    fn append(&mut self, record: &Value) {
        self.waiting.extend_from_slice(record.to_string().as_bytes());
        self.waiting.push(b'\n');
        if self.waiting.len() >= WAITING {
            self.flush();
        }
    }

    fn flush(&mut self) {
        match self.file.write_all(&self.waiting) {
            Ok(()) => self.length += self.waiting.len() as u64,
            Err(error) => {
                // What was written of them would be half a record.
                let cut = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
                if !self.told {
                    tracing::error!("{}: {error}; the run goes on without these records", self.path.display());
                    self.told = true;
                }
                if let Err(error) = cut {
                    tracing::debug!("{}: {error}", self.path.display());
                }
            }
        }
        self.waiting.clear();
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.flush();
    }
}
