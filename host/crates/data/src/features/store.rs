//! Features that outlast a run, in a folder that runs share.
//!
//! Each is a file that gets its name when it is whole. Files of a process that was killed while it wrote are
//! known by that nobody holds their lock. Of two runs that need the same, one computes it ([`Claimed`]);
//! where both do all the same, they write the same: the later one's file takes the place of the earlier
//! one's, which stays readable for whoever has it open.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;
use thaw_files::durable;

use super::claim::{self, Claimed};
use super::entry::{About, about};
use super::folder::cache_folder;
use super::{FeatureRoom, Features};
use crate::dataset::Dataset;

const ENDING: &str = "features";
const WRITING: &str = ".writing-";
/// So long a file may have no lock: between being made and being locked.
const UNLOCKED: Duration = Duration::from_secs(60);

/// The folder, and how much may lie there.
#[derive(Debug, Clone)]
pub struct FeatureStore {
    folder: PathBuf,
    limit: u64,
}

/// One file of the folder.
#[derive(Debug, Clone)]
pub struct StoredFeatures {
    /// What it is named after: hash of all that its features depend on.
    pub key: String,
    /// What is in it; None where the file is torn, or foreign.
    pub about: Option<About>,
    /// Its size.
    pub bytes: u64,
    /// When a run last took or wrote it.
    pub used: SystemTime,
    path: PathBuf,
}

/// What became of a question for features.
pub enum Found {
    /// There are none.
    Nothing,
    /// These.
    Features(Features),
    /// A file that cannot be used.
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A file that is being written, under a name that says so.
pub(super) struct Writing(NamedTempFile);

impl Writing {
    pub(super) fn file(&self) -> io::Result<File> {
        self.0.as_file().try_clone()
    }
}

impl FeatureStore {
    /// A store in a folder, which is made when it is needed, for so many bytes.
    pub fn new(folder: PathBuf, limit: u64) -> FeatureStore {
        FeatureStore { folder, limit }
    }

    /// This user's, in [`cache_folder`], for so many bytes.
    pub fn of_user(limit: u64) -> FeatureStore {
        FeatureStore::new(cache_folder().join("frozen"), limit)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path_of(&self, key: &str) -> PathBuf {
        self.folder.join(key).with_extension(ENDING)
    }

    /// Looks for the features of a dataset's samples, and notes that they are used.
    pub fn take(&self, key: &str, of: Arc<dyn Dataset>, room: &FeatureRoom) -> Found {
        let path = self.path_of(key);
        if !path.exists() {
            return Found::Nothing;
        }
        match Features::read(&path, key, of, room) {
            Ok(features) => {
                if let Err(error) = mark_used(&path) {
                    tracing::debug!("{}: {error}", path.display());
                }
                Found::Features(features)
            }
            Err(reason) => Found::Unusable { path, reason },
        }
    }

    /// Asks whether this run is to compute the features of a key, or another one does so already.
    pub fn claim(&self, key: &str) -> Claimed {
        if let Err(error) = fs::create_dir_all(&self.folder) {
            tracing::debug!("{}: {error}", self.folder.display());
        }
        claim::claim(&self.folder, key)
    }

    /// Keeps features for other runs; those that were not used for longest make room. False where there is
    /// none, or where they cannot be kept.
    ///
    /// # Errors
    /// The folder cannot be written, or the disk is full.
    pub fn keep(&self, key: &str, about: &About, features: &mut Features) -> io::Result<bool> {
        let writing = features.writing.take();
        let Some(tail) = features.tail(key, about) else { return Ok(false) };
        let bytes = features.bytes() + tail.len() as u64;
        if bytes > self.limit {
            return Ok(false);
        }
        let file = match writing {
            Some(Writing(mut file)) => {
                self.make_room(bytes);
                file.write_all(&tail)?;
                file
            }
            None => {
                let Writing(file) = self.begin(bytes)?;
                let mut writer = BufWriter::with_capacity(1 << 20, file);
                features.write_to(&mut writer, &tail)?;
                writer.into_inner().map_err(io::IntoInnerError::into_error)?
            }
        };
        // What a crash of the machine tears has another checksum, and is computed anew: nobody waits for the
        // disk here.
        file.persist(self.path_of(key)).map_err(|error| error.error)?;
        Ok(true)
    }

    /// A file for so many bytes, for which room is made.
    pub(super) fn begin(&self, bytes: u64) -> io::Result<Writing> {
        fs::create_dir_all(&self.folder)?;
        self.remove_abandoned();
        self.make_room(bytes);
        let file = durable::temporary(0o666).prefix(WRITING).tempfile_in(&self.folder)?;
        // A file system without locks: others take it for abandoned only when it is old.
        if let Err(TryLockError::Error(error)) = file.as_file().try_lock() {
            tracing::debug!("{}: {error}", file.path().display());
        }
        Ok(Writing(file))
    }

    /// What lies there, the last used first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<StoredFeatures>> {
        let mut found: Vec<StoredFeatures> = self
            .files(|path| path.extension().is_some_and(|ending| ending == ENDING))?
            .into_iter()
            .map(|(path, bytes, used)| {
                let (key, about) = match about(&path) {
                    Some((key, about)) => (key, Some(about)),
                    None => (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), None),
                };
                StoredFeatures { key, about, bytes, used, path }
            })
            .collect();
        found.sort_by(|one, other| other.used.cmp(&one.used).then_with(|| one.path.cmp(&other.path)));
        Ok(found)
    }

    /// Removes these; says how many bytes they took. Runs that use one go on with it.
    ///
    /// # Errors
    /// One cannot be removed.
    pub fn remove(&self, stored: &[StoredFeatures]) -> io::Result<u64> {
        self.remove_abandoned();
        stored.iter().try_fold(0, |sum, one| match fs::remove_file(&one.path) {
            Ok(()) => Ok(sum + one.bytes),
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(sum),
            Err(error) => Err(error),
        })
    }

    /// Removes those that were not used for longest, until there is room for so many bytes more.
    fn make_room(&self, bytes: u64) {
        let stored = self.list().unwrap_or_default();
        let mut sum: u64 = stored.iter().map(|one| one.bytes).sum();
        for one in stored.iter().rev() {
            if sum.saturating_add(bytes) <= self.limit {
                return;
            }
            match self.remove(std::slice::from_ref(one)) {
                Ok(_) => tracing::debug!("{}: made room", one.path.display()),
                Err(error) => tracing::debug!("{}: {error}", one.path.display()),
            }
            sum -= one.bytes;
        }
    }

    /// Removes what processes left that were killed while they wrote.
    fn remove_abandoned(&self) {
        claim::remove_abandoned(&self.folder);
        let is_writing =
            |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(WRITING));
        for (path, _, changed) in self.files(is_writing).unwrap_or_default() {
            let is_fresh = changed.elapsed().is_ok_and(|age| age < UNLOCKED);
            let is_held = || File::open(&path).is_ok_and(|file| file.try_lock().is_err());
            if !is_fresh && !is_held() {
                let _ = fs::remove_file(&path);
            }
        }
    }

    /// Regular files of the folder with their sizes and times; none where it does not exist.
    fn files(&self, is_wanted: impl Fn(&Path) -> bool) -> io::Result<Vec<(PathBuf, u64, SystemTime)>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let file = |entry: io::Result<fs::DirEntry>| {
            let path = entry.ok()?.path();
            let file = path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
            Some((path, file.len(), file.modified().ok()?))
        };
        Ok(entries.filter_map(file).filter(|(path, ..)| is_wanted(path)).collect())
    }
}

/// The time of a file is when it was last used.
fn mark_used(path: &Path) -> io::Result<()> {
    File::options().append(true).open(path)?.set_modified(SystemTime::now())
}
