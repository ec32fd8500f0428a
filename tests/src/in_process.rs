//! A run on the host's library in this process, for what only a Rust program sees of it.

use std::ops::Deref;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use thaw_plugin_api::tch::Device;
use thaw_plugins::{PluginSet, SearchPath};
use thaw_torch::reading::Reads;
use thaw_train::checkpoint::{Checkpoint, LAST, locate};
use thaw_train::config::RunConfig;
use thaw_train::fit::events::Observer;
use thaw_train::fit::{Fit, FitOptions};
use thaw_train::run_dir::Place;

use crate::{Run, fixtures, plugin};

/// A small classifier whose backbone thaws in its second epoch; tables of `[[callbacks]]` may follow.
const CONFIG: &str = r#"seed = 1

[model]
id = "case-model"

[optimizer]
id = "adamw"
lr = 0.01
parameters = ["head"]

[trainer]
max_epochs = 3
log_every_n_steps = 7
gradient_clip_val = 0.5
threads = 1

[[callbacks]]
id = "backbone-finetuning"
unfreeze_backbone_at_epoch = 1

[data]
kind = "tensors"
batch_size = 1
shuffle = true
val_batch_size = 3
val_split = 0.25
"#;

/// How a run in this process is built.
pub struct InProcess {
    /// The folder of the run directory, in that of the [`Run`].
    pub name: &'static str,
    /// When losses are read.
    pub reads: Reads,
    /// `KEY=VALUE`.
    pub set: Vec<String>,
    /// Whether it goes on from its last checkpoint.
    pub resumed: bool,
    /// Who is told of it.
    pub observers: Vec<Box<dyn Observer>>,
}

impl InProcess {
    /// A run in this folder, of which nobody is told.
    pub fn new(name: &'static str, reads: Reads) -> Self {
        Self { name, reads, set: Vec::new(), resumed: false, observers: Vec::new() }
    }

    /// With other values in its run config.
    #[must_use]
    pub fn set(mut self, set: &[&str]) -> Self {
        self.set.extend(set.iter().map(|text| (*text).to_owned()));
        self
    }

    /// With one more observer.
    #[must_use]
    pub fn observed(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// From its last checkpoint on.
    #[must_use]
    pub fn resumed(mut self) -> Self {
        self.resumed = true;
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// What the library says.
    pub fn build(self, run: &Run) -> Result<Fit, thaw_train::Error> {
        thaw_torch::init()?;
        let paths = ["case_model", "backbone_finetuning", "case_strategies"];
        let paths = paths.map(|name| plugin(name).display().to_string());
        let plugins =
            PluginSet::load(paths.iter().map(String::as_str), &SearchPath::default(), Path::new(""))?;
        // This process is not in the run's folder.
        let mut overrides = vec![format!("model.case={}", run.folder().join("case.json").display())];
        overrides.extend(self.set);
        let config = RunConfig::read(&run.folder().join("run.toml"), &overrides)?;
        let run_dir = run.folder().join(self.name);
        let resume = if self.resumed { Some(Checkpoint::open(&locate(&run_dir, LAST)?)?) } else { None };
        let (observers, reads) = (self.observers, Some(self.reads));
        let options = FitOptions { resume, observers, reads, ..FitOptions::new(Place::Given(run_dir)) };
        Fit::build(config, plugins, Device::Cpu, options)
    }
}

/// A [`Run`] beside which no other one in this process trains: libtorch's random numbers are the process's.
pub struct Alone {
    run: Run,
    _guard: MutexGuard<'static, ()>,
}

impl Deref for Alone {
    type Target = Run;

    fn deref(&self) -> &Run {
        &self.run
    }
}

/// A folder with run config, model and data for [`InProcess`]. Waits until the one before is gone.
pub fn in_process(callbacks: &str) -> Alone {
    static TRAINS: Mutex<()> = Mutex::new(());
    let guard = TRAINS.lock().unwrap_or_else(PoisonError::into_inner);
    let data = fixtures().join("parity/bb_steplr/data.safetensors");
    let run = Run::new(&format!("{CONFIG}path = {data:?}\n{callbacks}"));
    let case = json!({
        "model": { "kind": "mlp_bn" },
        "modules": [
            { "name": "backbone", "type": "Sequential" },
            { "name": "backbone.0", "type": "Linear", "in_features": 16, "out_features": 12, "bias": true },
            { "name": "backbone.1", "type": "ReLU" },
            { "name": "head", "type": "Linear", "in_features": 12, "out_features": 4, "bias": true },
        ],
    });
    run.write("case.json", case.to_string());
    Alone { run, _guard: guard }
}
