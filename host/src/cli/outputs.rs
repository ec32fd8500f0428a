//! Files that a command writes, kept apart from those that it reads.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::Error;
use thaw_train::checkpoint::Checkpoint;
use thaw_train::config::RunConfig;

/// What a command reads: none of it may be written over.
#[derive(Debug, Default)]
pub struct Inputs {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Inputs {
    /// A file, or a folder as such: a new file may lie in it.
    pub fn file(mut self, path: &Path) -> Self {
        self.files.push(path.to_path_buf());
        self
    }

    /// A folder with all that lies in it.
    pub fn folder(mut self, path: &Path) -> Self {
        self.folders.push(path.to_path_buf());
        self
    }

    /// A checkpoint with all that lies in it.
    pub fn checkpoint(mut self, checkpoint: &Checkpoint) -> Self {
        self.folders.push(checkpoint.folder().to_path_buf());
        self
    }

    /// A run config, its data, and its weights. What is a path of a plugin's model or data set is not known
    /// here: every text of theirs is taken for one.
    pub fn config(mut self, config: &RunConfig) -> Self {
        self.files.push(config.path.clone());
        self.files
            .extend(config.data.iter().flat_map(|data| data.paths()).map(|(_, path)| path.to_path_buf()));
        if let Some(weights) = &config.model.weights {
            let place = if weights.path.is_dir() { &mut self.folders } else { &mut self.files };
            place.push(weights.path.clone());
        }
        let dataset = config.data.as_ref().filter(|data| data.dataset_id().is_some());
        let dataset = dataset.and_then(|_| config.table.get("data")?.as_object());
        let own = [config.model.config.as_object(), dataset];
        let model = own.into_iter().flatten().flat_map(|table| table.values());
        self.files.extend(model.filter_map(|value| value.as_str()).map(PathBuf::from));
        self
    }

    /// Refuses an output that is one of these, by whatever name: another spelling, a link to it, a second
    /// name of the same file. What cannot be looked up is nobody's.
    ///
    /// # Errors
    /// It is one of the inputs, or an existing file inside of a folder that is read as a whole.
    pub fn refuse(&self, option: &str, output: &Path) -> Result<(), Error> {
        let refused = |input: &Path| {
            Err(Error::Usage(format!(
                "{option} {}: this is {}, which the command reads; name another file",
                output.display(),
                input.display()
            )))
        };
        if let Some(input) = self.files.iter().find(|input| is_same(input, output)) {
            return refused(input);
        }
        let Ok(output_path) = output.canonicalize() else { return Ok(()) };
        let within =
            |folder: &&PathBuf| folder.canonicalize().is_ok_and(|folder| output_path.starts_with(folder));
        self.folders.iter().find(within).map_or(Ok(()), |folder| refused(folder))
    }
}

/// Refuses to write a page over a file that is none.
///
/// # Errors
/// There is such a file.
pub fn refuse_other_than_page(option: &str, output: &Path) -> Result<(), Error> {
    let begins = |file: File| {
        let mut begins = Vec::new();
        file.take(PAGE.len() as u64).read_to_end(&mut begins).is_ok_and(|_| begins.eq_ignore_ascii_case(PAGE))
    };
    let is_other = output.is_file() && !File::open(output).is_ok_and(begins);
    if is_other && output.metadata().is_ok_and(|file| file.len() > 0) {
        let output = output.display();
        return Err(Error::Usage(format!("{option} {output}: the file there is no page; name another one")));
    }
    Ok(())
}

/// How a page begins.
const PAGE: &[u8] = b"<!doctype html";

fn is_same(one: &Path, other: &Path) -> bool {
    if let (Ok(one), Ok(other)) = (one.canonicalize(), other.canonicalize())
        && one == other
    {
        return true;
    }
    #[cfg(unix)]
    if let (Ok(one), Ok(other)) = (one.metadata(), other.metadata()) {
        use std::os::unix::fs::MetadataExt as _;
        return one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino());
    }
    false
}
