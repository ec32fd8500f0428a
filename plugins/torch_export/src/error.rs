//! Why a file is no model.

use std::path::{Path, PathBuf};

use thaw_plugin_api::error::{Error, ErrorKind};

/// How to write a file that is one.
const EXPORT: &str =
    "write it with `torch.export.save(torch.export.export(module.train(), …), \"model.pt2\")`";

/// What keeps a file from being the model. [`FileError::of`] adds the file's name and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// It is there and cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It is no zip archive, or one that is cut off.
    #[error("it is no exported program, or it is cut off: it has not the end of a zip archive")]
    NoArchive,
    /// It is something else of PyTorch's.
    #[error("it holds {found}, expected an exported program")]
    Another {
        /// What it is.
        found: &'static str,
        /// What to do with it.
        help: &'static str,
    },
    /// An entry of the archive is missing, changed or too large.
    #[error("its entry {entry}: {reason}")]
    Entry {
        /// Name below the archive's root.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is of a version that is not known here.
    #[error("its schema has version {0}, expected 8")]
    Version(u64),
    /// Which of several programs is meant is not said.
    #[error("it holds the programs {}; the config names \
             {}", .there.join(", "), .asked.as_deref().unwrap_or("none of them"))]
    WhichProgram {
        /// Those that are there.
        there: Vec<String>,
        /// The one that is asked for.
        asked: Option<String>,
    },
    /// The program was lowered to operators that autograd does not differentiate as the module does.
    #[error("it was lowered (`run_decompositions`): its verifier is {0}, expected TRAINING")]
    Decomposed(String),
    /// A tensor of the weights.
    #[error("its tensor `{name}`: {reason}")]
    Tensor {
        /// Its name in the state dict.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value of the program that nothing gives, or that is given twice.
    #[error("{0}")]
    Value(String),
    /// A node of the program.
    #[error("its node `{node}` ({target}{}): {reason}", place(.module))]
    Node {
        /// Its name.
        node: String,
        /// Its operator.
        target: String,
        /// Path of the module that it belongs to.
        module: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn place(module: &str) -> String {
    if module.is_empty() { String::new() } else { format!(", in `{module}`") }
}

impl Fault {
    fn help(&self) -> &'static str {
        match self {
            Self::Missing => {
                "its program is needed whenever the model is built: put it back, or say where it is now with \
                 `--set model.path=…`"
            }
            Self::Another { help, .. } => help,
            Self::WhichProgram { .. } => "name one with `program`",
            Self::Decomposed(_) => {
                "save what `torch.export.export` gives, without `run_decompositions()` and \
                 `export_for_inference`"
            }
            Self::Version(_) => "export again with the PyTorch that this libtorch belongs to (2.11)",
            Self::Node { .. } => {
                "export with PyTorch 2.11 and with operators of its own (`torch.ops.aten`): custom ones and \
                 Python calls cannot run here"
            }
            _ => EXPORT,
        }
    }

    /// As the host shows it: with the file and what to do.
    pub fn of(self, path: &Path) -> Error {
        let help = self.help();
        Error::of(ErrorKind::Config, FileError { path: path.to_owned(), fault: self }).help(help)
    }

    /// A fault of an entry.
    pub fn entry(entry: &str, reason: impl std::fmt::Display) -> Self {
        Self::Entry { entry: entry.to_owned(), reason: reason.to_string() }
    }

    /// A fault of a tensor.
    pub fn tensor(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::Tensor { name: name.to_owned(), reason: reason.to_string() }
    }
}

/// A fault and its file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
struct FileError {
    path: PathBuf,
    fault: Fault,
}
