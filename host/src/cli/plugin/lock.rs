//! `host plugin lock`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Options;
use crate::Error;
use crate::cli::print;
use crate::error::io;
use thaw_files::durable;
use thaw_files::sha256::sha256_file;
use thaw_plugins::{PluginError, SearchPath};
use thaw_train::config::{ConfigError, PinnedConfig, RunConfig};

/// Arguments of `host plugin lock`.
#[derive(Args)]
pub struct LockArgs {
    /// The run config.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
}

/// Runs `host plugin lock`: pins every plugin that the config names to the file that is found now. Nothing is
/// opened.
///
/// # Errors
/// A config that cannot be read or written, a plugin that is not found.
pub fn run(options: &Options, args: &LockArgs) -> Result<(), Error> {
    let config = RunConfig::read(&args.config, &[])?;
    if config.plugins.is_empty() {
        let message = "there are no `plugins` to pin".to_owned();
        return Err(ConfigError::Incomplete { path: args.config.clone(), message }.into());
    }
    // A symbolic link stays one.
    let path = args.config.canonicalize().map_err(io(&args.config))?;
    let text = std::fs::read_to_string(&path).map_err(io(&path))?;
    let mut pinned = PinnedConfig::parse(&path, &text)?;
    let search = SearchPath::of_process(&options.plugin_dirs);
    let mut found = Vec::new();
    let before = pinned.pin(|name| {
        let file = search.find(name, Path::new(""))?;
        let sha256 = sha256_file(&file).map_err(|source| PluginError::Io { path: file.clone(), source })?;
        found.push((file, sha256.clone()));
        Ok::<_, PluginError>(sha256)
    })?;
    let after = pinned.text();
    if after != text {
        durable::write(&path, after.as_bytes()).map_err(io(&path))?;
    }
    for (pin, (file, sha256)) in before.iter().zip(&found) {
        let what = match &pin.sha256 {
            None => "pinned",
            Some(old) if old == sha256 => "as before",
            Some(_) => "changed",
        };
        print(format_args!("{sha256}  {what:<9}  {} ({})", pin.path, file.display()))?;
    }
    Ok(())
}
