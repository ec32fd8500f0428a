//! Where a directory of Hugging Face is: on this machine, or on the hub and in its cache.

use std::path::{Path, PathBuf};

use thaw_plugin_api::config::ConfigError as KeyError;

use super::{CONFIG, KEY};

/// How addresses of the hub begin.
const SCHEME: &str = "hf://";
/// A tokenizer in one file.
const TOKENIZER: &str = "tokenizer.json";
/// What a tokenizer is made of where that file is missing.
const TOKENIZER_PARTS: [&str; 4] = ["tokenizer_config.json", "vocab.txt", "vocab.json", "merges.txt"];

/// A directory of files.
pub(super) enum Place {
    /// On this machine.
    Folder(PathBuf),
    /// `hf://organisation/name[@revision]`
    Hub(String),
}

impl Place {
    /// The place that `[model] path` names.
    ///
    /// # Errors
    /// An address with more or less than organisation and name.
    pub fn of(path: &str) -> Result<Self, KeyError> {
        let Some(name) = path.strip_prefix(SCHEME) else { return Ok(Self::Folder(path.into())) };
        let name = name.trim_end_matches('/');
        if name.split('/').count() != 2 {
            let expected = "hf://organisation/name[@revision]";
            return Err(KeyError::value(KEY, format!("{path:?}"), expected));
        }
        Ok(Self::Hub(format!("{SCHEME}{name}")))
    }

    /// A file of the directory; those of the hub are fetched into its cache.
    ///
    /// # Errors
    /// Why it is not there.
    pub fn file(&self, name: &str) -> Result<PathBuf, String> {
        match self {
            Self::Folder(folder) => {
                let file = folder.join(name);
                if file.is_file() { Ok(file) } else { Err(format!("there is no {}", file.display())) }
            }
            Self::Hub(address) => {
                let file = format!("{address}/{name}");
                thaw_weights::resolve(Path::new(&file)).map_err(|error| error.to_string())
            }
        }
    }

    /// What `[model] weights` is.
    pub fn weights(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.clone(),
            Self::Hub(address) => address.into(),
        }
    }

    /// The directory of the tokenizer, with the files that there are of it.
    pub fn tokenizer(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.clone(),
            Self::Hub(_) => {
                if self.file(TOKENIZER).is_err() {
                    // Who reads the tokenizer says what is missing.
                    TOKENIZER_PARTS.iter().for_each(|part| drop(self.file(part)));
                }
                let config = self.file(CONFIG).unwrap_or_default();
                config.parent().map(Path::to_path_buf).unwrap_or_default()
            }
        }
    }
}
