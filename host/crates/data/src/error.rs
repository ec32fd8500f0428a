//! What can be wrong with the data, said with the file, the row or the key.

use std::path::{Path, PathBuf};
use thaw_terminal::escape::{escape, path as shown, shorten};

/// Everything that can go wrong between the `[data]` table and a batch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A value of the wrong type or out of range.
    #[error("[data] `{}`: found {}, expected {}", shorten(key), escape(found), escape(expected))]
    Value {
        /// The key of the `[data]` table.
        key: String,
        /// What the config says.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// A file or folder that cannot be opened or read.
    #[error("{}: cannot be read: {source}", shown(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A path of the config at which there is nothing.
    #[error("{}: no such file or folder; {}", shown(path), escape(remedy))]
    NotFound {
        /// The path looked for.
        path: PathBuf,
        /// What to do.
        remedy: String,
    },
    /// A folder or file that does not hold what its kind needs.
    #[error("{}: {}; {}", shown(path), escape(found), escape(remedy))]
    Layout {
        /// The folder or file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// A picture that cannot be decoded.
    #[error(
        "{}: not a readable picture: {}; replace or remove it, or set on_error = \"skip\" in [data]",
        shown(path),
        escape(found)
    )]
    Picture {
        /// The picture, for packed files with its number.
        path: PathBuf,
        /// What the decoder says.
        found: String,
    },
    /// A label that is no class, or no number.
    #[error("{}, {}: label {}, expected {}", shown(path), escape(place), escape(found), escape(expected))]
    Label {
        /// The file that holds the label.
        path: PathBuf,
        /// The line, record or row.
        place: String,
        /// The label found.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// A row or column of a table that cannot be used.
    #[error("{}, {}: {}, expected {}", shown(path), escape(place), escape(found), escape(expected))]
    Table {
        /// The table's file.
        path: PathBuf,
        /// The line or column.
        place: String,
        /// What was found.
        found: String,
        /// What is needed.
        expected: String,
    },
    /// A tensor of a data file that is missing or has the wrong shape or type.
    #[error("{}, tensor `{}`: {}, expected {}", shown(path), shorten(name), escape(found), escape(expected))]
    Tensor {
        /// The tensor file.
        path: PathBuf,
        /// The tensor's key.
        name: String,
        /// What was found.
        found: String,
        /// What is needed.
        expected: String,
    },
    /// A `tokenizer.json` that cannot be used, or a text that it cannot encode.
    #[error("{}: {}", shown(path), escape(message))]
    Tokenizer {
        /// The tokenizer's file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A sample from elsewhere that cannot be had.
    #[error("{split} sample {index}: {error}")]
    Sample {
        /// The split.
        split: String,
        /// Its index.
        index: usize,
        /// Why.
        error: thaw_plugin_api::Error,
    },
    /// Data from elsewhere that cannot be used as a whole.
    #[error("{name}: {error}")]
    Samples {
        /// What it is called.
        name: String,
        /// Why.
        error: thaw_plugin_api::Error,
    },
    /// A split that data from elsewhere does not have.
    #[error("{name} has no {split} samples; it has: {splits}")]
    NoSplit {
        /// What the data is called.
        name: String,
        /// The split that was asked for.
        split: String,
        /// The splits that it has.
        splits: String,
    },
    /// More classes in the data than in the model.
    #[error(
        "the data has {found} classes ({names}) but the model has {expected}; set the model's num_classes to \
         {found}"
    )]
    TooManyClasses {
        /// Classes of the data.
        found: usize,
        /// Classes of the model.
        expected: usize,
        /// The first names.
        names: String,
    },
    /// libtorch refused to make a batch.
    #[error("cannot make the tensor of a batch: {0}")]
    Libtorch(#[from] tch::TchError),
    /// The same, of what is around libtorch.
    #[error("cannot make the tensor of a batch: {0}")]
    Torch(#[from] thaw_torch::TorchError),
    /// Features of samples that do not fit together.
    #[error("features of samples cannot be kept: {0}")]
    Features(String),
    /// Features that are more than may be kept.
    #[error(
        "features of the samples take {} MiB, more than the {} MiB of memory and {} MiB of disk that they \
         may take",
        needed.div_ceil(1 << 20), memory >> 20, disk >> 20
    )]
    FeatureRoom {
        /// Bytes of all samples.
        needed: u64,
        /// Bytes that they may take in memory.
        memory: u64,
        /// Bytes that they may take on disk.
        disk: u64,
    },
    /// Features that cannot be written.
    #[error("{}: features of samples cannot be written there: {source}", shown(folder))]
    FeatureFile {
        /// Where the file was to lie.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Pictures of which not one can be read, though those that cannot may be left out.
    #[error(
        "all {count} pictures were left out, {} among them: none can be read, so that nothing remains",
        shown(one)
    )]
    NoneReadable {
        /// How many there are.
        count: usize,
        /// One of them.
        one: PathBuf,
    },
    /// The threads that load data could not be started, or one broke down.
    #[error("a data loading thread failed: {0}")]
    Worker(String),
}

impl DataError {
    /// An input or output error with its path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> DataError + '_ {
        move |source| DataError::Io { path: path.to_path_buf(), source }
    }

    /// Whether a picture cannot be read, and nothing worse: `on_error = "skip"` leaves it out.
    pub(crate) fn is_of_picture(&self) -> bool {
        !matches!(self, DataError::Sample { .. } | DataError::Samples { .. })
    }

    /// What is said of a picture that is left out: no remedy, as one was chosen.
    pub(crate) fn of_left_out(&self) -> String {
        match self {
            DataError::Picture { path, found } => {
                format!("{}: not a readable picture: {}", shown(path), escape(found))
            }
            other => other.to_string(),
        }
    }

    /// A folder or file with unusable contents.
    pub(crate) fn layout(path: &Path, found: impl Into<String>, remedy: impl Into<String>) -> DataError {
        DataError::Layout { path: path.to_path_buf(), found: found.into(), remedy: remedy.into() }
    }

    /// The same where data is opened: a file that the system does not let be read is what the config names.
    #[must_use]
    pub fn at_start(self) -> DataError {
        match self {
            DataError::Io { path, source } => DataError::Layout {
                path,
                found: format!("cannot be read: {source}"),
                remedy: "see that `[data]` names it rightly and that it may be read".to_owned(),
            },
            other => other,
        }
    }

    /// Whether the cause is what the user named or what lies there, and no failure underway.
    pub fn is_of_input(&self) -> bool {
        matches!(
            self,
            DataError::Value { .. }
                | DataError::NotFound { .. }
                | DataError::Layout { .. }
                | DataError::Label { .. }
                | DataError::Table { .. }
                | DataError::Tensor { .. }
                | DataError::Tokenizer { .. }
                | DataError::TooManyClasses { .. }
                | DataError::NoSplit { .. }
        )
    }

    /// A config value that cannot be used.
    pub(crate) fn value(key: &str, found: impl std::fmt::Display, expected: impl Into<String>) -> DataError {
        DataError::Value { key: key.to_string(), found: found.to_string(), expected: expected.into() }
    }
}

/// `did you mean …?` if a name is near, else the list of all.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match thaw_plugin_api::nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{}`?", shorten(near)),
        None if known.is_empty() => "there are none".to_string(),
        None => format!("there are: {}", first_names(&known, 20)),
    }
}

/// The first names of a list, for messages: escaped, and long ones cut.
pub fn first_names<S: AsRef<str>>(names: &[S], limit: usize) -> String {
    let shown: Vec<_> = names.iter().take(limit).map(|name| shorten(name.as_ref())).collect();
    if names.len() > limit {
        format!("{}, … {} in all", shown.join(", "), names.len())
    } else {
        shown.join(", ")
    }
}
