//! A run that does not wait for its device: losses, metrics and norms are read batches later, and nothing of
//! what the run writes tells the difference. On the CPU nothing has to be waited for; that reading is late all
//! the same is what these tests ask for.

use std::path::Path;

use serde_json::json;
use thaw_plugin_api::tch::Device;
use thaw_plugins::{PluginSet, SearchPath};
use thaw_tests::{Outcome, Run, fixtures, plugin};
use thaw_torch::reading::{Reads, WaitCounter};
use thaw_train::config::RunConfig;
use thaw_train::fit::{Fit, FitError, FitOptions};
use thaw_train::progress::Reporter;
use thaw_train::run_dir::Place;

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

fn run() -> Run {
    let data = fixtures().join("parity/bb_steplr/data.safetensors");
    let run = Run::new(&format!("{CONFIG}path = {data:?}\n"));
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
    run
}

fn build(run: &Run, name: &str, reads: Reads, set: &[&str]) -> Fit {
    thaw_torch::init().unwrap();
    let paths = ["case_model", "backbone_finetuning"].map(|name| plugin(name).display().to_string());
    let search = SearchPath::default();
    let plugins = PluginSet::load(paths.iter().map(String::as_str), &search, Path::new("")).unwrap();
    let mut overrides = vec![format!("model.case={}", run.folder().join("case.json").display())];
    overrides.extend(set.iter().map(|text| (*text).to_owned()));
    let config = RunConfig::read(&run.folder().join("run.toml"), &overrides).unwrap();
    let options = FitOptions {
        run_dir: Place::Given(run.folder().join(name)),
        resume: None,
        reporter: Reporter::new(true),
        reads: Some(reads),
    };
    Fit::build(config, plugins, Device::Cpu, options).unwrap()
}

#[test]
fn what_is_read_late_is_written_as_if_it_were_read_at_once() {
    let run = run();
    for (name, reads) in [("at-once", Reads::AtOnce), ("late", Reads::Late)] {
        build(&run, name, reads, &[]).run().unwrap();
    }
    Outcome::of(&run.folder().join("at-once")).assert_same(&run.folder().join("late"), "read late");
}

/// An epoch waits as often, however many batches it has. With SGD: the CPU's Adam kernels read their own count of
/// steps, which those of a GPU do not.
#[test]
fn no_step_waits_between_records() {
    let run = run();
    let waits = |name: &str, batches: usize, more: &[&str]| {
        let limit = format!("trainer.limit_train_batches={batches}");
        let validated = format!("trainer.limit_val_batches={}", batches / 4);
        let mut set = vec!["trainer.max_epochs=1", "trainer.log_every_n_steps=0", &limit, &validated];
        set.extend(["optimizer.id=sgd", "optimizer.momentum=0.9"]);
        set.extend(more);
        let mut fit = build(&run, name, Reads::Late, &set);
        let counter = WaitCounter::start().unwrap();
        fit.run().unwrap();
        counter.count()
    };
    let plain: &[&str] = &[];
    let window = ["trainer.accumulate_grad_batches=3", "trainer.weighting=\"samples\""];
    for (name, more) in [("plain", plain), ("window", &window)] {
        let (short, long) = (waits(&format!("{name}-8"), 8, more), waits(&format!("{name}-40"), 40, more));
        assert_eq!(short, long, "{name}: 32 steps and 8 validated batches more");
    }
}

#[test]
fn the_batch_whose_loss_is_not_finite_is_named_though_it_is_read_later() {
    let run = run();
    let error = |name: &str, reads| {
        let lr = ["optimizer.lr=1e20", "trainer.gradient_clip_val=0"];
        let mut fit = build(&run, name, reads, &lr);
        let error = fit.run().unwrap_err();
        let written = run.folder().join(name).join("checkpoints/last").exists();
        assert!(!written, "{name}: no checkpoint of a run that broke is written");
        match error {
            thaw_train::Error::Fit(FitError::NotFinite { epoch, batch, .. }) => (epoch, batch),
            other => panic!("{name}: {other}"),
        }
    };
    assert_eq!(error("broke-late", Reads::Late), error("broke-at-once", Reads::AtOnce));
}
