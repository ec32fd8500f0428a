//! What can be wrong with weights.

use super::plan::LoadReport;
use std::io;
use std::path::PathBuf;
use thaw_terminal::escape::{escape, path as shown};

/// Why weights were not read, loaded or written. Each message names the file, and the tensor where one is
/// concerned.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file or directory is not there or cannot be read.
    #[error("{}: cannot read the weights: {source}", shown(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The file is of no format that holds weights.
    #[error(
        "{}: this is {found}; expected .safetensors, a .pt/.pth/.bin/.ckpt written by torch.save, or a run \
         directory",
        shown(path)
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What it looks like instead.
        found: String,
    },

    /// The directory holds no weights.
    #[error("{}: no weights in this directory; looked for {}", shown(path), escape(&looked_for.join(", ")))]
    EmptyDirectory {
        /// The directory.
        path: PathBuf,
        /// The names that would have been taken.
        looked_for: Vec<String>,
    },

    /// The pickle asks Python to call something that builds no tensor. Nothing was called.
    #[error(
        "{}: refused: its pickle {what}, which has no place in weights. Nothing was run. PyTorch would run \
         it: do not open the file with torch.load(weights_only=False); ask its author for a .safetensors \
         file",
        shown(path)
    )]
    Refused {
        /// The file.
        path: PathBuf,
        /// What the pickle does, as "calls os.system".
        what: String,
    },

    /// The file is cut off, has flipped bits or contradicts itself.
    #[error("{}: {}{}", shown(path), of_tensor(tensor.as_deref()), escape(reason))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The tensor that cannot be read, where it is known.
        tensor: Option<String>,
        /// What is wrong, and what was expected.
        reason: String,
    },

    /// Nothing of the file would be loaded: what was asked for leaves everything out.
    #[error(
        "{}: no tensor of it is loaded: `ignore`, `strict = false` or other keys of the weights leave all of \
         them out, and the model's {tensors} tensors would keep their initial values. Leave `weights` out \
         where that is meant; else ignore less, and the error names what does not fit",
        shown(path)
    )]
    NothingLoads {
        /// The file.
        path: PathBuf,
        /// Tensors of the model.
        tensors: usize,
    },

    /// A TorchScript archive: code and weights in one.
    #[error(
        "{}: this is a TorchScript archive (torch.jit.save), not a state dict; train it with `[model] id = \
         \"torchscript\"`, or save its weights in Python with torch.save(module.state_dict(), …)",
        shown(path)
    )]
    TorchScript {
        /// The file.
        path: PathBuf,
    },

    /// A program of `torch.export.save`: a graph and its weights.
    #[error(
        "{}: this is an exported program (torch.export.save), not a state dict; train it with `[model] id = \
         \"torch-export\"`, or save its weights in Python with torch.save(torch.export.load(…).state_dict, \
         …)",
        shown(path)
    )]
    ExportedProgram {
        /// The file.
        path: PathBuf,
    },

    /// The file was read, but there is no tensor in it.
    #[error("{}: no tensors in this file; {}", shown(path), escape(found))]
    NoTensors {
        /// The file.
        path: PathBuf,
        /// What it holds instead.
        found: String,
    },

    /// An `hf://` address that is none.
    #[error("{address}: expected hf://organisation/name, optionally with @revision and /file")]
    HubAddress {
        /// The address.
        address: String,
    },

    /// A file named by an `hf://` address is neither in the local cache nor to be had from the hub.
    #[error(
        "{address}: not in the Hugging Face cache ({}), and {reason}. Fetch it with `{fetch}` where there is \
         a network and copy that directory here (HF_HOME or HF_HUB_CACHE may name another place), or give \
         the path of a downloaded file",
        shown(looked_in)
    )]
    NotCached {
        /// The address.
        address: String,
        /// The directory of the model in the cache.
        looked_in: PathBuf,
        /// Why it was not fetched.
        reason: String,
        /// The command that fetches it.
        fetch: String,
    },

    /// A pattern of the weights config is not well formed.
    #[error("weights.{key}: {pattern:?} is no valid {expected}: {reason}")]
    Pattern {
        /// The key, as `ignore` or `rename.pattern`.
        key: &'static str,
        /// The pattern.
        pattern: String,
        /// "glob" or "regular expression".
        expected: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// `module` names nothing in the file, or `to` nothing in the model.
    #[error(
        "weights.{key} = {module:?}: there is no such module in {}; its modules are {}",
        escape(place),
        escape(&known.join(", "))
    )]
    NoSuchModule {
        /// `module` or `to`.
        key: &'static str,
        /// The module asked for.
        module: String,
        /// The file, or "the model".
        place: String,
        /// The modules at the top, or nearest to the name.
        known: Vec<String>,
    },

    /// Two tensors of the file get one name.
    #[error(
        "{}: '{}' and '{}' both become '{}' under the weights' renaming",
        shown(path),
        escape(first),
        escape(second),
        escape(name)
    )]
    NameTwice {
        /// The file.
        path: PathBuf,
        /// A name in the file.
        first: String,
        /// Another name in the file.
        second: String,
        /// What both are renamed to.
        name: String,
    },

    /// The file does not fit the model: everything that does not, at once.
    #[error("{0}")]
    Mismatch(Box<LoadReport>),

    /// A tensor could not be made from the file's values, or not be copied into the model.
    #[error("{}: tensor '{}': {}", shown(path), escape(tensor), escape(reason))]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What libtorch said, or what was asked for.
        reason: String,
    },

    /// The file was not written; what was there before is unharmed.
    #[error("{}: cannot write the weights: {source}", shown(path))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The tensors cannot be written as asked.
    #[error("{}: cannot write the weights: {}", shown(path), escape(reason))]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl WeightsError {
    /// Whether the cause is the name that the user gave: there is nothing, or nothing that could hold
    /// weights.
    pub fn is_of_path(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::EmptyDirectory { .. } | Self::HubAddress { .. } | Self::Pattern { .. } => true,
            _ => false,
        }
    }
}

/// What a message about one tensor begins with.
fn of_tensor(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!("tensor '{}': ", escape(name)))
}
