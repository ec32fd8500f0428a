//! `hf://` addresses: files of the local Hugging Face cache.
//!
//! The cache is the one that Hugging Face's own tools fill: `models--ORG--NAME/refs/REVISION` holds a commit, and
//! `models--ORG--NAME/snapshots/COMMIT/` the files. Thaw itself fetches nothing.

use super::error::WeightsError;
use super::source::IN_DIRECTORY;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// How an address begins.
pub(super) const SCHEME: &str = "hf://";

/// Where the cache is: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `XDG_CACHE_HOME/huggingface/hub`, else
/// `~/.cache/huggingface/hub`.
pub(super) fn cache_directory() -> PathBuf {
    let from = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    from("HF_HUB_CACHE")
        .or_else(|| from("HUGGINGFACE_HUB_CACHE"))
        .or_else(|| Some(from("HF_HOME")?.join("hub")))
        .or_else(|| Some(from("XDG_CACHE_HOME")?.join("huggingface/hub")))
        .unwrap_or_else(|| {
            from("HOME")
                .unwrap_or_default()
                .join(".cache/huggingface/hub")
        })
}

/// The file in `cache` that an address names.
pub(super) fn find(address: &str, cache: &Path) -> Result<PathBuf, WeightsError> {
    let parsed = Address::parse(address).ok_or_else(|| WeightsError::HubAddress {
        address: address.to_owned(),
    })?;
    let model = cache.join(format!("models--{}--{}", parsed.organisation, parsed.name));
    let commit = fs::read_to_string(model.join("refs").join(parsed.revision));
    let commit = commit.as_deref().map_or(parsed.revision, str::trim);
    let snapshot = model.join("snapshots").join(commit);
    let candidates: Vec<&str> = parsed.file.map_or(IN_DIRECTORY.to_vec(), |file| vec![file]);
    let found = candidates
        .iter()
        .map(|file| snapshot.join(file))
        .find(|file| file.is_file());
    found.ok_or_else(|| WeightsError::NotCached {
        address: address.to_owned(),
        looked_in: snapshot_or(model, snapshot),
        fetch: parsed.fetch(),
    })
}

/// The most exact place that exists, or where the model would be.
fn snapshot_or(model: PathBuf, snapshot: PathBuf) -> PathBuf {
    if snapshot.is_dir() { snapshot } else { model }
}

/// `hf://organisation/name[@revision][/file]`
struct Address<'a> {
    organisation: &'a str,
    name: &'a str,
    revision: &'a str,
    file: Option<&'a str>,
}

impl<'a> Address<'a> {
    fn parse(address: &'a str) -> Option<Self> {
        let mut parts = address.strip_prefix(SCHEME)?.splitn(3, '/');
        let (organisation, name, file) = (parts.next()?, parts.next()?, parts.next());
        let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
        // An address must not lead out of the cache.
        let plain =
            |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']);
        let inside = |path: &str| path.split('/').all(plain);
        let well_formed =
            plain(organisation) && plain(name) && plain(revision) && file.is_none_or(inside);
        well_formed.then_some(Self {
            organisation,
            name,
            revision,
            file,
        })
    }

    fn fetch(&self) -> String {
        let mut command = format!("hf download {}/{}", self.organisation, self.name);
        if let Some(file) = self.file {
            command.push(' ');
            command.push_str(file);
        }
        if self.revision != "main" {
            command.push_str(" --revision ");
            command.push_str(self.revision);
        }
        command
    }
}
