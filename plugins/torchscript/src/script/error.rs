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
    #[error("{} holds weights without code (a state_dict, or a pickled module), expected \
             TorchScript", .0.display())]
    NoCode(PathBuf),
    /// It is a program of `torch.export.save`.
    #[error("{} is an exported program (torch.export.save), expected TorchScript \
             (torch.jit.save)", .0.display())]
    Exported(PathBuf),
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
                "its code is needed whenever the model is built: put it back, or say where it is now with \
                 `--set model.path=…`"
            }
            Self::Exported(_) => "train it with `id = \"torch-export\"` in [model] (plugin `torch_export`)",
            _ => {
                "write it with `torch.jit.script(module).save(…)`, or `torch.jit.trace(module.eval(), \
                 example).save(…)`"
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
/// libtorch gives a trace of the code, in which everything is indented, then `Class: what went wrong`, in one
/// line or more.
pub fn run_error(text: &str) -> Error {
    const HERE: &str = "<--- HERE";
    let end = text.rfind(HERE).map_or(0, |at| at + HERE.len());
    let (trace, rest) = text.split_at(end);
    // The code that was shown may go on after the mark.
    let is_code = |line: &&str| line.is_empty() || line.starts_with(char::is_whitespace);
    let reason: Vec<&str> = rest.lines().skip_while(is_code).map(str::trim).collect();
    let reason = if reason.is_empty() { first_line(text).to_owned() } else { reason.join(" ") };
    let reason = ["builtins.", "RuntimeError: "]
        .into_iter()
        .fold(reason.trim(), |reason, class| reason.strip_prefix(class).unwrap_or(reason));
    let file = |line: &'_ str| line.trim().strip_prefix("File ").map(str::to_owned);
    let place = trace.lines().rev().filter_map(file).find(|place| place.contains(CODE));
    let place = place.as_deref().and_then(|place| place.rsplit_once(CODE));
    match place {
        Some((_, place)) => {
            Error::new(format_args!("{reason} (in the file's code, {})", place.replace(['"', ','], "")))
        }
        None => Error::new(reason),
    }
}

/// Where a file's code lies in its archive.
const CODE: &str = "code/__torch__/";

fn first_line(text: &str) -> &str {
    text.trim_start().lines().next().unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use super::run_error;

    const TRACE: &str = "The following operation failed in the TorchScript interpreter.\n\
        Traceback of TorchScript (most recent call last):\n  \
        File \"code/__torch__/net.py\", line 7, in forward\n    \
        if size == 1:\n        raise ValueError(\n        ~~~~~~~~~~~~~~~~ <--- HERE\n            \
        f\"RuntimeError: not this\"\n        )\n\n";

    #[test]
    fn the_reason_is_the_one_at_the_end_of_the_trace() {
        for (end, expected) in [
            (
                "builtins.ValueError: one value per channel, got [1, 8]\n",
                "ValueError: one value per channel, got [1, 8]",
            ),
            ("RuntimeError: sizes differ\n", "sizes differ"),
            (
                "RuntimeError: AssertionError: a batch of one\nhas no variance",
                "AssertionError: a batch of one has no variance",
            ),
            ("__torch__.net.Mine: RuntimeError: nested\n", "__torch__.net.Mine: RuntimeError: nested"),
        ] {
            let message = run_error(&format!("{TRACE}{end}")).message().to_owned();
            assert_eq!(message, format!("{expected} (in the file's code, net.py line 7 in forward)"));
        }
        assert_eq!(run_error("expected a tensor").message(), "expected a tensor");
    }
}
