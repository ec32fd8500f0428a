//! Training as a library: a Rust program that has a model and data of its own.
//!
//! The program says what it has with [`this_program!`](thaw_plugin_api::this_program), in the traits of a
//! plugin's author, and trains it by a run config. Everything that `host fit` does is there: freezing and
//! thawing, checkpoints, records, resuming. Plugin files can be loaded beside it.
//!
//! ```no_run
//! use serde_json::json;
//! use thaw_plugin_api::prelude::*;
//! use thaw_train::trainer::Trainer;
//!
//! # #[derive(Config)]
//! # struct NetConfig {}
//! # struct Net { head: nn::Linear }
//! # impl Model for Net {
//! #     const ID: &'static str = "net";
//! #     type Config = NetConfig;
//! #     fn new(_: NetConfig, root: &nn::Path) -> Result<Self> {
//! #         Ok(Self { head: nn::Linear::new(&(root / "head"), 4, 2)? })
//! #     }
//! #     fn forward(&self, inputs: Tensors) -> Result<Tensors> {
//! #         inputs.map_first(|x| nn::Module::forward(&self.head, x))
//! #     }
//! # }
//! # fn main() -> std::result::Result<(), thaw_train::Error> {
//! let config = json!({
//!     "model": { "id": "net" },
//!     "data": { "kind": "tensors", "path": "iris.safetensors", "val_split": 0.2 },
//!     "optimizer": { "id": "adamw", "lr": 1e-3 },
//!     "trainer": { "max_epochs": 5 },
//! });
//! let trainer = Trainer::new(thaw_plugin_api::this_program!(models: [Net]), config)?;
//! let outcome = trainer.run_dir("runs/iris").fit()?;
//! println!("{} steps, best {:?}", outcome.global_step, outcome.best.map(|best| best.value));
//! # Ok(())
//! # }
//! ```

use std::path::{Path, PathBuf};

use serde_json::Value;
use thaw_plugin_api::abi::PluginRoot_Ref;
use thaw_plugins::{LoadedPlugin, PluginSet};

use crate::Error;
use crate::checkpoint::{Checkpoint, LAST, locate};
use crate::config::RunConfig;
use crate::fit::events::Observer;
use crate::fit::{Fit, FitOptions, Outcome, StopHandle};
use crate::run_dir::Place;
use crate::together;

/// A run that is being set up.
pub struct Trainer {
    config: RunConfig,
    plugins: PluginSet,
    run_dir: Place,
    resume: Option<Checkpoint>,
    observers: Vec<Box<dyn Observer>>,
    stop: StopHandle,
}

impl Trainer {
    /// Trains what the program offers, by a run config in the form of JSON: tables and keys are those of a
    /// file. Relative paths start in the working directory.
    ///
    /// # Errors
    /// A key that there is not or a value that does not fit; an id that the program offers twice.
    pub fn new(program: PluginRoot_Ref, config: Value) -> Result<Self, Error> {
        let mut plugins = PluginSet::default();
        plugins.insert(LoadedPlugin::of_program(program)?)?;
        let name = std::env::current_exe().ok().and_then(|program| Some(program.file_stem()?.to_owned()));
        let name = name.map_or_else(|| PathBuf::from("trainer"), PathBuf::from);
        let config = RunConfig::from_table(&name, config, &[])?;
        let run_dir = Place::New(config.name());
        let stop = StopHandle::default();
        Ok(Self { config, plugins, run_dir, resume: None, observers: Vec::new(), stop })
    }

    /// Where the run writes. Default: `runs/<program>-<time>`.
    #[must_use]
    pub fn run_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.run_dir = Place::Given(folder.into());
        self
    }

    /// Loads a plugin file beside what the program offers.
    ///
    /// # Errors
    /// The file is refused, or offers an id that is there already.
    pub fn plugin(mut self, path: impl AsRef<Path>) -> Result<Self, Error> {
        self.plugins.add(path.as_ref())?;
        Ok(self)
    }

    /// Tells somebody of what happens in the run, beside its records.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Goes on from the last checkpoint of a run directory, and writes there.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn resume(mut self, run_dir: impl Into<PathBuf>) -> Result<Self, Error> {
        let run_dir = run_dir.into();
        self.resume = Some(Checkpoint::open(&locate(&run_dir, LAST)?)?);
        self.run_dir = Place::Given(run_dir);
        Ok(self)
    }

    /// Asks the run to end; to be taken before [`Trainer::fit`], for another thread or a signal handler.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Trains to the end; started by a launcher such as torchrun, together with the program's other
    /// processes, as
    /// `[trainer] strategy` says.
    ///
    /// # Errors
    /// What ended the run; [`Error::Interrupted`] where a [`StopHandle`] asked for it.
    pub fn fit(self) -> Result<Outcome, Error> {
        let Self { config, plugins, run_dir, resume, observers, stop } = self;
        let launch = together::launch_of(&config)?;
        let (device, note) = thaw_torch::device::select(&config.trainer.device)?;
        let device = together::own_device(&config, launch.as_ref(), device)?;
        if let Some(note) = note {
            tracing::debug!("using the CPU: {note}");
        }
        thaw_torch::init()?;
        let world = together::join(&config, launch)?;
        let options =
            FitOptions { resume, observers, stop, world: world.clone(), ..FitOptions::new(run_dir) };
        together::run(&world, || Fit::build(config, plugins, device, options)?.run())
    }
}
