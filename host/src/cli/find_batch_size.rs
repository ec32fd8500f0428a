//! `host fit --find-batch-size`.

use clap::Args;
use tch::Device;
use thaw_plugin_api::config::{Config, Key};

use crate::Error;
use crate::error::io;
use thaw_plugins::PluginSet;
use thaw_train::config::RunConfig;
use thaw_train::find_batch_size::{FindBatchSize, FoundBatchSize, Search};
use thaw_train::fit::{Fit, FitOptions, StopHandle};
use thaw_train::run_dir::Place;

/// Arguments of the search.
#[derive(Args)]
pub struct FindBatchSizeArgs {
    /// Searches first for the largest batch that the GPU has memory for, and trains with it.
    #[arg(long, conflicts_with = "resume")]
    find_batch_size: bool,
    /// How sizes are tried: power doubles them, binsearch then halves what is left between.
    #[arg(long, value_name = "MODE", default_value = "power", value_parser = mode)]
    #[arg(requires = "find_batch_size")]
    batch_size_mode: Search,
    /// The largest size that is tried. Default: all samples; on a CPU it has to be given.
    #[arg(long, value_name = "SAMPLES", requires = "find_batch_size")]
    max_batch_size: Option<usize>,
}

impl FindBatchSizeArgs {
    /// Whether a search is asked for.
    pub fn is_asked(&self) -> bool {
        self.find_batch_size
    }

    /// The run config with the batch size that a search finds, where one is asked for.
    ///
    /// # Errors
    /// What ended the search.
    pub fn apply(
        &self,
        config: RunConfig,
        plugins: &PluginSet,
        device: Device,
        stop: &StopHandle,
    ) -> Result<RunConfig, Error> {
        if !self.find_batch_size {
            return Ok(config);
        }
        let settings = FindBatchSize {
            mode: self.batch_size_mode,
            max_val: self.max_batch_size,
            ..FindBatchSize::default()
        };
        let found = search(config.clone(), plugins.clone(), device, &settings, stop)?;
        let set = format!("data.batch_size={}", found.size);
        let why = if found.is_limit { "a larger one does not fit" } else { "none larger was tried" };
        let epoch = found.epoch + 1;
        tracing::info!("--find-batch-size: {set}, with what trains in epoch {epoch}; {why}");
        Ok(RunConfig::from_table(&config.path, config.table, &[set])?)
    }
}

/// A search on a run that writes into a folder which is gone afterwards.
fn search(
    config: RunConfig,
    plugins: PluginSet,
    device: Device,
    settings: &FindBatchSize,
    stop: &StopHandle,
) -> Result<FoundBatchSize, Error> {
    let folder = tempfile::tempdir().map_err(io(std::env::temp_dir()))?;
    let place = Place::Given(folder.path().join("run"));
    let options = FitOptions { stop: stop.clone(), ..FitOptions::new(place) };
    let mut fit = Fit::build(config, plugins, device, options)?;
    let found = fit.find_batch_size(settings, &mut |size, is_fitting| {
        tracing::info!("batch size {size} {}", if is_fitting { "fits" } else { "does not fit" });
    });
    fit.close();
    Ok(found?)
}

fn mode(text: &str) -> Result<Search, String> {
    Search::from_value(&text.into(), &Key::root()).map_err(|_| "expected `power` or `binsearch`".to_owned())
}
