//! `hf://` addresses: files of the Hugging Face hub, through its local cache.
//!
//! The cache is the one that Hugging Face's own tools fill: `models--ORG--NAME/refs/REVISION` holds a
//! commit, and `models--ORG--NAME/snapshots/COMMIT/` the files. What is not there is fetched once.

use super::error::WeightsError;
use super::shards::Index;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a directory that are its weights, the first that is there.
pub(super) const IN_DIRECTORY: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// How an address begins.
pub(super) const SCHEME: &str = "hf://";

const ENDPOINT: &str = "https://huggingface.co";
const OFFLINE: &str = "HF_HUB_OFFLINE";

/// Where files of the hub come from.
pub(super) struct Hub {
    /// The directory with one directory per model.
    pub cache: PathBuf,
    /// The server; `None` to use the cache alone.
    pub endpoint: Option<String>,
}

impl Hub {
    /// As Hugging Face's variables say. Cache: `HF_HUB_CACHE`, else `HF_HOME/hub`, else
    /// `XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`. Server: `HF_ENDPOINT`; none
    /// with `HF_HUB_OFFLINE=1`.
    pub fn from_env() -> Self {
        let from = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let path = |name: &str| from(name).map(PathBuf::from);
        let cache = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(path("HF_HOME")?.join("hub")))
            .or_else(|| Some(path("XDG_CACHE_HOME")?.join("huggingface/hub")))
            .unwrap_or_else(|| path("HOME").unwrap_or_default().join(".cache/huggingface/hub"));
        let offline = from(OFFLINE).is_some_and(|value| {
            let value = value.to_string_lossy().to_ascii_lowercase();
            ["1", "true", "yes", "on"].contains(&value.as_str())
        });
        let endpoint = from("HF_ENDPOINT").map(|value| value.to_string_lossy().into_owned());
        Self { cache, endpoint: (!offline).then(|| endpoint.unwrap_or_else(|| ENDPOINT.to_owned())) }
    }

    /// The file in the cache that an address names, fetched if need be.
    pub fn find(&self, address: &str) -> Result<PathBuf, WeightsError> {
        let parsed = Address::parse(address)
            .ok_or_else(|| WeightsError::HubAddress { address: address.to_owned() })?;
        let repository = format!("models--{}--{}", parsed.organisation, parsed.name);
        let repository = self.cache.join(repository);
        if let Some(found) = parsed.cached(&repository) {
            return Ok(found);
        }
        self.fetch(&parsed).map_err(|reason| WeightsError::NotCached {
            address: address.to_owned(),
            looked_in: repository,
            reason,
            fetch: parsed.command(),
        })
    }

    /// The file, fetched into the cache; the shards too if it is an index. Or why not.
    fn fetch(&self, address: &Address) -> Result<PathBuf, String> {
        let Some(endpoint) = &self.endpoint else {
            return Err(format!("{OFFLINE} forbids to fetch it"));
        };
        // hf-hub links within the cache by paths that must be absolute.
        let cache = std::path::absolute(&self.cache).map_err(|error| error.to_string())?;
        let failed = |error: &ApiError| format!("{endpoint} did not give it ({error})");
        let builder = ApiBuilder::from_cache(Cache::new(cache)).with_endpoint(endpoint.clone());
        let api = builder.with_progress(false).build();
        let api = api.map_err(|error| failed(&error))?;
        let name = format!("{}/{}", address.organisation, address.name);
        let revision = address.revision.to_owned();
        let repository = api.repo(Repo::with_revision(name, RepoType::Model, revision));

        let get = |file: &str| {
            tracing::info!("fetching {file} of {SCHEME}{}/{}", address.organisation, address.name);
            repository.get(file)
        };
        let mut outcome = Err("it has no weights".to_owned());
        for file in address.candidates() {
            outcome = match get(file) {
                Err(error) if address.file.is_none() && is_missing(&error) => continue,
                other => other.map_err(|error| failed(&error)),
            };
            break;
        }
        let found = outcome?;
        if Index::is(&found) {
            let index = Index::read(&found).map_err(|error| error.to_string())?;
            for shard in index.files() {
                // The shards lie beside the index, which may be in a directory of the repository.
                let shard = Path::new(address.file.unwrap_or_default()).with_file_name(shard);
                get(&shard.display().to_string()).map_err(|error| failed(&error))?;
            }
        }
        Ok(found)
    }
}

/// Whether the repository answers that it has no such file.
fn is_missing(error: &ApiError) -> bool {
    match error {
        ApiError::RequestError(error) => matches!(**error, ureq::Error::StatusCode(404)),
        _ => false,
    }
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
        let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']);
        let inside = |path: &str| path.split('/').all(plain);
        let well_formed = plain(organisation) && plain(name) && plain(revision) && file.is_none_or(inside);
        well_formed.then_some(Self { organisation, name, revision, file })
    }

    /// The files that would do, the best first.
    fn candidates(&self) -> Vec<&str> {
        self.file.map_or(IN_DIRECTORY.to_vec(), |file| vec![file])
    }

    /// The file in the model's directory of the cache; of an index, only if its shards are there too.
    fn cached(&self, repository: &Path) -> Option<PathBuf> {
        let commit = fs::read_to_string(repository.join("refs").join(self.revision));
        let commit = commit.as_deref().map_or(self.revision, str::trim);
        let snapshot = repository.join("snapshots").join(commit);
        let complete = |file: &PathBuf| {
            let shards = |index: Index| index.files().all(|shard| file.with_file_name(shard).is_file());
            file.is_file() && (!Index::is(file) || Index::read(file).is_ok_and(shards))
        };
        self.candidates().into_iter().map(|file| snapshot.join(file)).find(complete)
    }

    /// The command that fetches it.
    fn command(&self) -> String {
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
