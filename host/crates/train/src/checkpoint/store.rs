//! Writing checkpoints: into a folder beside, which is then renamed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tch::Tensor;

use super::{
    Checkpoint, CheckpointError, LAST, MODEL, OPTIMIZER, STATE, STATE_SHA256, SavedState, TENSOR_SETS, whole,
};
use thaw_files::durable;
use thaw_weights::{WeightsError, WriteOptions, write_safetensors};

/// What a checkpoint is made of.
pub struct Snapshot {
    /// Weights and buffers in state_dict order.
    pub model: Vec<(String, Tensor)>,
    /// Optimizer state and random numbers.
    pub optimizer: Vec<(String, Tensor)>,
    /// Tensor sets of hooks.
    pub sets: Vec<(String, Tensor)>,
    /// Files of the run directory that are needed to use the model.
    pub files: Vec<KeptFile>,
    /// Everything else.
    pub state: SavedState,
}

/// A file that goes into each checkpoint as it is.
#[derive(Clone, Debug)]
pub struct KeptFile {
    /// Where it lies; its name is the one in the checkpoint.
    pub path: PathBuf,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// How names of what is not complete begin.
const UNFINISHED: &str = ".writing-";

fn temporary() -> tempfile::Builder<'static, 'static> {
    let mut builder = durable::temporary(0o777);
    builder.prefix(UNFINISHED);
    builder
}

/// The folder `checkpoints` of a run.
#[derive(Clone, Debug)]
pub struct CheckpointStore {
    folder: PathBuf,
    writer: Writer,
}

/// Who writes checkpoints.
#[derive(Clone, Debug)]
enum Writer {
    /// This process.
    Own,
    /// Another process of the run. What its aliases stand for is known without a look at its disk.
    Another(RefCell<BTreeMap<String, String>>),
}

impl CheckpointStore {
    /// A store in this folder, which exists and which nobody else writes into: what a process that was killed
    /// left unfinished goes.
    ///
    /// # Errors
    /// It cannot be read, or what was left not removed.
    pub fn open(folder: PathBuf) -> Result<Self, CheckpointError> {
        let swept = fs::read_dir(&folder).and_then(|mut entries| {
            entries.try_for_each(|entry| {
                let entry = entry?;
                match entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                    true if entry.file_type()?.is_dir() => fs::remove_dir_all(entry.path()),
                    true => fs::remove_file(entry.path()),
                    false => Ok(()),
                }
            })
        });
        swept.map_err(|source| CheckpointError::Write { path: folder.clone(), source })?;
        Ok(Self { folder, writer: Writer::Own })
    }

    /// The store that another process of the run writes: everything is taken for done here.
    pub fn of_another(folder: PathBuf) -> Self {
        Self { folder, writer: Writer::Another(RefCell::default()) }
    }

    fn is_of_another(&self) -> bool {
        matches!(self.writer, Writer::Another(_))
    }

    /// Removes checkpoints of ends of epochs and of steps that a killed process left, which nothing refers
    /// to.
    ///
    /// # Errors
    /// The folder cannot be read, or one of them not removed.
    pub fn sweep(&self, is_kept: impl Fn(&str) -> bool) -> Result<(), CheckpointError> {
        if self.is_of_another() {
            return Ok(());
        }
        let unreadable = |source| CheckpointError::Read { path: self.folder.clone(), source };
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_of_the_loop(name) && !is_kept(name)) else {
                continue;
            };
            if entry.file_type().map_err(unreadable)?.is_dir() {
                self.remove(name)?;
            }
        }
        Ok(())
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a checkpoint; one of the same name is replaced when the new one is complete.
    ///
    /// # Errors
    /// A full disk, …; what was there before is as it was.
    pub fn save(&self, name: &str, mut snapshot: Snapshot) -> Result<PathBuf, CheckpointError> {
        let written = |path: &Path| {
            let path = path.to_path_buf();
            move |source| CheckpointError::Write { path, source }
        };
        let target = self.folder.join(name);
        if self.is_of_another() {
            return Ok(target);
        }
        let folder = self.writing().map_err(written(&self.folder))?;
        let sets = Some((TENSOR_SETS, &snapshot.sets)).filter(|(_, sets)| !sets.is_empty());
        let always = [(MODEL, &snapshot.model), (OPTIMIZER, &snapshot.optimizer)];
        for (file, tensors) in always.into_iter().chain(sets) {
            let path = folder.path().join(file);
            let result = write_safetensors(&path, tensors, &BTreeMap::new(), &WriteOptions::default())
                .map_err(|error| match error {
                    WeightsError::Write { source, .. } => {
                        CheckpointError::Write { path: target.join(file), source }
                    }
                    other => other.into(),
                })?;
            snapshot.state.files.insert(file.to_owned(), result.sha256);
        }
        for file in &snapshot.files {
            let name = file.path.file_name().unwrap_or_default();
            link(&file.path, &folder.path().join(name)).map_err(written(&target.join(name)))?;
            snapshot.state.files.insert(name.to_string_lossy().into_owned(), file.sha256.clone());
        }
        let path = folder.path().join(STATE);
        let text = serde_json::to_vec_pretty(&snapshot.state)
            .map_err(|error| CheckpointError::State { path: path.clone(), reason: error.to_string() })?;
        durable::write(&path, &text).map_err(written(&target.join(STATE)))?;
        let checksum = folder.path().join(STATE_SHA256);
        durable::write(&checksum, whole::state_checksum(&text).as_bytes())
            .map_err(written(&target.join(STATE_SHA256)))?;
        File::open(folder.path()).and_then(|folder| folder.sync_all()).map_err(written(folder.path()))?;

        durable::replace_folder(folder, &target).map_err(written(&target))?;
        Ok(target)
    }

    /// Copies a checkpoint of another run, where that has it and this one has none of its name.
    ///
    /// # Errors
    /// It cannot be read, or the disk is full.
    pub fn copy(&self, from: &Path) -> Result<(), CheckpointError> {
        let target = self.folder.join(from.file_name().unwrap_or_default());
        if self.is_of_another() || target.exists() || !from.is_dir() {
            return Ok(());
        }
        let copied = self.writing().and_then(|folder| {
            for entry in fs::read_dir(from)? {
                let entry = entry?;
                fs::copy(entry.path(), folder.path().join(entry.file_name()))?;
            }
            durable::replace_folder(folder, &target)
        });
        copied.map_err(|source| CheckpointError::Write { path: target, source })
    }

    /// A folder beside the checkpoints, to be renamed when it is complete.
    fn writing(&self) -> io::Result<tempfile::TempDir> {
        temporary().tempdir_in(&self.folder)
    }

    /// Makes `alias` (`last`, `best`) stand for the checkpoint `name`, at once.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn alias(&self, alias: &str, name: &str) -> Result<(), CheckpointError> {
        if let Writer::Another(aliases) = &self.writer {
            aliases.borrow_mut().insert(alias.to_owned(), name.to_owned());
            return Ok(());
        }
        let link = self.folder.join(alias);
        let beside = temporary().make_in(&self.folder, |beside| symlink(Path::new(name), beside));
        let result =
            beside.and_then(|beside| beside.into_temp_path().persist(&link).map_err(|error| error.error));
        result.map_err(|source| CheckpointError::Write { path: link, source })
    }

    /// Takes an alias away.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_alias(&self, alias: &str) -> Result<(), CheckpointError> {
        if let Writer::Another(aliases) = &self.writer {
            aliases.borrow_mut().remove(alias);
            return Ok(());
        }
        let link = self.folder.join(alias);
        match fs::remove_file(&link) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(CheckpointError::Write { path: link, source })
            }
            _ => Ok(()),
        }
    }

    /// What an alias stands for.
    pub fn target_of(&self, alias: &str) -> Option<String> {
        if let Writer::Another(aliases) = &self.writer {
            return aliases.borrow().get(alias).cloned();
        }
        let target = fs::read_link(self.folder.join(alias)).ok()?;
        target.file_name().map(|name| name.to_string_lossy().into_owned())
    }

    /// The name of a checkpoint that lies here.
    pub fn name_of(&self, checkpoint: &Checkpoint) -> Option<String> {
        let folder = checkpoint.folder().canonicalize().ok()?;
        (folder.parent()? == self.folder.canonicalize().ok()?)
            .then(|| folder.file_name()?.to_str().map(str::to_owned))
            .flatten()
    }

    /// Removes a checkpoint, unless an alias stands for it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), CheckpointError> {
        if self.is_of_another() {
            return Ok(());
        }
        let is_used = [LAST, super::BEST].iter().any(|alias| self.target_of(alias).as_deref() == Some(name));
        let path = self.folder.join(name);
        if is_used || !path.is_dir() {
            return Ok(());
        }
        durable::remove_folder(&path, &temporary()).map_err(|source| CheckpointError::Write { path, source })
    }
}

/// Whether the loop gave a checkpoint its name: `epoch=N-step=N`.
fn is_of_the_loop(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let numbers = name.strip_prefix("epoch=").and_then(|rest| rest.split_once("-step="));
    numbers.is_some_and(|(epoch, step)| is_number(epoch) && is_number(step))
}

/// The same file under another name, or a copy where the file system has no such thing.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_dir(target, link)
}
