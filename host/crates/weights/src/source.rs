//! From what a run config names to a file, and from a file to its tensors.

use super::error::WeightsError;
use super::hub::IN_DIRECTORY;
use super::shards::Index;
use super::state_dict::StateDict;
use super::{hub, pickle, safetensors};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use thaw_files::mapped::MappedFile;

/// The checkpoints of a run directory that stand for it, the first that is there, as in `host predict`: each
/// a directory, or a text file with the name of one beside it.
const OF_RUN: [&str; 2] = ["checkpoints/best", "checkpoints/last"];

/// Opens the weights that `path` names (see [`resolve`]) and reads their names, shapes and types.
///
/// # Errors
/// The file is missing, of another format, damaged, or a pickle with a call that has no place in weights.
/// Damage to the values themselves is found when they are read: by [`StateDict::verify`],
/// [`super::Entry::tensor`] or [`super::apply`].
pub fn read(path: impl AsRef<Path>) -> Result<StateDict, WeightsError> {
    read_file(&resolve(path.as_ref())?)
}

/// The file that `path` stands for.
///
/// - `hf://organisation/name[@revision][/file]`: the file in the local Hugging Face cache, fetched into
///   it if there is a network (not with `HF_HUB_OFFLINE=1`); without a file, the weights as in a directory;
/// - a directory: its `model.safetensors` (a checkpoint), `model.safetensors.index.json`, `pytorch_model.bin`
///   or `pytorch_model.bin.index.json`, else those of `checkpoints/best`, else of
///   `checkpoints/last` (a run directory);
/// - anything else is the file itself.
pub fn resolve(path: &Path) -> Result<PathBuf, WeightsError> {
    if let Some(address) = path.to_str().filter(|path| path.starts_with(hub::SCHEME)) {
        return hub::Hub::from_env().find(address);
    }
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let of_run = OF_RUN.map(|checkpoint| named_by(&path.join(checkpoint)));
    let within =
        |folder: &Path| IN_DIRECTORY.map(|name| folder.join(name)).into_iter().find(|file| file.is_file());
    if let Some(file) = within(path) {
        return Ok(file);
    }
    let found =
        of_run.iter().zip(OF_RUN).find_map(|(folder, checkpoint)| Some((within(folder)?, checkpoint)));
    if let Some((file, checkpoint)) = found {
        tracing::info!("{}: a run directory; its {checkpoint} is taken", path.display());
        return Ok(file);
    }
    let of_run = OF_RUN.map(|checkpoint| format!("{checkpoint}/{}", IN_DIRECTORY[0]));
    Err(WeightsError::EmptyDirectory {
        path: path.to_owned(),
        looked_for: IN_DIRECTORY.iter().map(|&name| name.to_owned()).chain(of_run).collect(),
    })
}

/// The folder of a checkpoint, where its name may be written in a file.
fn named_by(checkpoint: &Path) -> PathBuf {
    match fs::read_to_string(checkpoint) {
        Ok(name) => checkpoint.with_file_name(name.trim()),
        Err(_) => checkpoint.to_owned(),
    }
}

fn read_file(path: &Path) -> Result<StateDict, WeightsError> {
    if Index::is(path) {
        return Index::read(path)?.tensors(read_file);
    }
    let io = |source| WeightsError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.len() == 0 {
        let reason = "the file is empty: its download or copy did not finish".to_owned();
        return Err(WeightsError::Damaged { path: path.to_owned(), tensor: None, reason });
    }
    let map = MappedFile::of(&file, path).map_err(io)?;
    let named = path.extension().is_some_and(|extension| extension == "safetensors");
    if safetensors::begins_like(&map) || (named && foreign(&map).is_none()) {
        return safetensors::read(path, map);
    }
    match foreign(&map) {
        Some(found) => Err(WeightsError::UnknownFormat { path: path.to_owned(), found: found.to_owned() }),
        None => pickle::read(path, &map),
    }
}

/// What a file is whose first bytes say that it holds no weights of ours.
fn foreign(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 9] = [
        (b"version https://git-lfs", "a Git LFS pointer, not the file it points to: run `git lfs pull`"),
        (b"<", "an HTML or XML page, probably a download that failed"),
        (b"\x89HDF", "an HDF5 file (Keras)"),
        (b"GGUF", "a GGUF file (llama.cpp)"),
        (b"\x93NUMPY", "a NumPy array"),
        (b"\x7fELF", "a program or library"),
        (b"\x1f\x8b", "gzip-compressed: unpack it first"),
        (b"\x89PNG", "a picture"),
        (b"Rar!", "a RAR archive"),
    ];
    KNOWN.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| *name)
}
