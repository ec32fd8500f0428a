//! Epochs of a ResNet-18 on pictures: with its backbone frozen, and with all of it training.

use std::cell::RefCell;
use std::error::Error;
use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};
use tch::Device;
use thaw_plugins::{PluginSet, SearchPath};
use thaw_train::config::RunConfig;
use thaw_train::fit::events::{CacheStart, Event, EventKind, Observer, ObserverError};
use thaw_train::fit::{Fit, FitOptions};
use thaw_train::run_dir::Place;

/// Pixels of the model's input, height and width.
pub(crate) const SIDE: usize = 128;
/// Cached epochs are short: so many make one measurement.
const CACHED: usize = 30;
/// Others; the first one, in which files and kernels are met for the first time, does not count.
const WHOLE: usize = 2;

/// What a run took.
#[derive(Default)]
pub(crate) struct Times {
    began: f64,
    /// Seconds of each epoch.
    epochs: Vec<f64>,
    fill: f64,
}

struct Watch(Rc<RefCell<Times>>);

impl Observer for Watch {
    fn name(&self) -> &str {
        "bench"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        let mut times = self.0.borrow_mut();
        match &event.kind {
            EventKind::EpochStarted => times.began = event.seconds,
            EventKind::EpochEnded { .. } => {
                let seconds = event.seconds - times.began;
                times.epochs.push(seconds);
            }
            EventKind::FrozenCache { start: CacheStart::Stage { seconds, .. }, .. } => times.fill = *seconds,
            _ => {}
        }
        Ok(())
    }
}

/// The run of all measurements, with what each sets besides.
pub(crate) fn table(data: &Path) -> Value {
    json!({
        "seed": 1,
        "plugins": ["vision"],
        "model": { "id": "resnet18", "num_classes": 4 },
        "data": { "kind": "image-folder", "path": data.join("jpeg"), "image_size": SIDE, "batch_size": 32 },
        "optimizer": { "id": "adam", "lr": 1e-3 },
        "trainer": { "device": "cpu", "max_epochs": WHOLE, "log_every_n_steps": 0 },
        "checkpoint": { "enabled": false },
    })
}

/// Trains as a table says.
pub(crate) fn run(table: Value, more: &[&str]) -> Result<Times, Box<dyn Error>> {
    thaw_torch::init()?;
    let folder = tempfile::tempdir()?;
    let more: Vec<String> = more.iter().map(|&key| key.to_owned()).collect();
    let config = RunConfig::from_table(Path::new("bench.toml"), table, &more)?;
    let search = SearchPath::of_process(&[]);
    let plugins =
        PluginSet::load(config.plugins.iter().map(|entry| entry.path.as_str()), &search, Path::new(""))?;
    let times = Rc::new(RefCell::new(Times::default()));
    let observers: Vec<Box<dyn Observer>> = vec![Box::new(Watch(Rc::clone(&times)))];
    let place = Place::Given(folder.path().join("run"));
    let mut fit =
        Fit::build(config, plugins, Device::Cpu, FitOptions { observers, ..FitOptions::new(place) })?;
    fit.run()?;
    Ok(times.take())
}

/// The mean of all epochs but the first.
pub(crate) fn mean(times: &Times) -> f64 {
    let rest = times.epochs.get(1..).unwrap_or_default();
    rest.iter().sum::<f64>() / rest.len().max(1) as f64
}

/// Seconds of computing the frozen stages once, of an epoch that starts from them, and of one that does not.
pub(crate) fn frozen(data: &Path) -> Result<Value, Box<dyn Error>> {
    let head = "optimizer.parameters=[\"head\"]";
    let epochs = format!("trainer.max_epochs={CACHED}");
    // Nothing is left for the next measurement.
    let cached = run(table(data), &[head, &epochs, "trainer.frozen_cache=on", "trainer.cache_disk_gib=0"])?;
    let whole = run(table(data), &[head, "trainer.frozen_cache=off"])?;
    Ok(json!({ "fill": cached.fill, "cached": mean(&cached), "uncached": mean(&whole) }))
}

/// Seconds of an epoch in which everything trains, and the most memory that the process held, in MiB.
pub(crate) fn thawed(data: &Path) -> Result<Value, Box<dyn Error>> {
    let times = run(table(data), &[])?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    Ok(json!({ "epoch": mean(&times), "memory": kib.map(|kib| kib / 1024.0) }))
}
