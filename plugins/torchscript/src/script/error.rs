//! What libtorch says of a file or a forward, in the words of the model's author.

use std::path::{Path, PathBuf};

use thaw_plugin_api::error::{Error, ErrorKind};

/// What keeps a file from being the model.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such file.
    #[error("there is no TorchScript file {}", .0.display())]
    Missing(PathBuf),
    /// It is there and cannot be read.
    #[error("{}: {}", .0.display(), .1)]
    Unreadable(PathBuf, String),
    /// It holds weights without code, as `torch.save` writes.
    #[error("{} holds weights without code (a state_dict, or a pickled module), expected TorchScript", .0.display())]
    NoCode(PathBuf),
    /// It is none of PyTorch's zip files.
    #[error("{} is no TorchScript file, or it is cut off: it has not the end of a zip archive", .0.display())]
    NoArchive(PathBuf),
    /// A part of it is changed, or libtorch cannot make sense of it.
    #[error("{} cannot be loaded as TorchScript: {}", .0.display(), .1)]
    Damaged(PathBuf, String),
}

impl LoadError {
    /// From libtorch's text on a file that is whole.
    pub fn from_text(path: &Path, text: &str) -> Self {
        Self::Damaged(path.to_owned(), first_line(text).to_owned())
    }

    /// With what to do about it.
    pub fn with_help(self) -> Error {
        let help = match self {
            Self::Missing(_) => {
                "its code is needed whenever the model is built: put it back, or say where it is now with `--set model.path=…`"
            }
            _ => {
                "write it with `torch.jit.script(module).save(…)`, or `torch.jit.trace(module.eval(), example).save(…)`"
            }
        };
        Error::of(ErrorKind::Config, self).help(help)
    }
}

/// A module that cannot be run.
pub fn no_forward(path: &str) -> Error {
    let message = if path.is_empty() {
        "the file has no `forward`".to_owned()
    } else {
        format!("the file's module `{path}` has no `forward`")
    };
    Error::of(ErrorKind::Config, message)
        .help("name a module that has one with `module`, or export the network itself")
}

/// What failed inside a forward, and where in the file's code.
///
/// libtorch gives a trace of the code, then `RuntimeError: what went wrong`.
pub fn run_error(text: &str) -> Error {
    let (trace, reason) = text.rsplit_once("RuntimeError: ").unwrap_or(("", text));
    let place = trace.lines().rev().find_map(|line| line.trim().strip_prefix("File ")).unwrap_or_default();
    let place = place.rsplit_once("code/__torch__/").map(|(_, place)| place.replace(['"', ','], ""));
    let reason = first_line(reason);
    match place {
        Some(place) => Error::new(format_args!("{reason} (in the file's code, {place})")),
        None => Error::new(reason),
    }
}

fn first_line(text: &str) -> &str {
    text.trim_start().lines().next().unwrap_or_default().trim_end()
}
