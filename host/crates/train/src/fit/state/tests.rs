//! What a checkpoint keeps comes back, and what is held is put back: every key, of every part.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};
use thaw_plugin_api::abi::create_model;
use thaw_plugin_api::context::CheckpointName;
use thaw_plugin_api::module_tree::{BatchNorm, Stage};
use thaw_plugin_api::prelude::{Config, Model, Result, Tensors, nn};
use thaw_plugin_api::tensor_sets::{SetAction, SetContents, TensorSets};

use super::*;
use crate::checkpoint::{
    Best, Checkpoint, CheckpointStore, EarlierData, SavedObserved, SavedScaler, Snapshot,
};
use crate::fit::build::open_data;
use crate::fit::readings::Readings;
use crate::fit::resume::{EpochPosition, Resumed};
use crate::fit::{LossScaler, Monitored};
use crate::model::HostModel;
use crate::parts::storages;
use crate::run_dir::{Place, RunDir};
use thaw_optim::optimizer::Parameters;
use thaw_optim::scheduler::Scheduler;
use thaw_plugins::PluginSet;
use thaw_torch::reading::Reads;
use thaw_weights::{WriteOptions, write_safetensors};

/// Keys of `state.json` that are the same for two runs of one run config, or that are put in place before or
/// after [`RunState::restore_run`]: what was given, the state of plugins, and where records end.
const ELSEWHERE: [&str; 15] = [
    "channels_last",
    "format",
    "data",
    "thaw",
    "files",
    "train_samples",
    "model",
    "class_names",
    "split_by",
    "config",
    "paths",
    "callbacks",
    "records",
    "swaps",
    "seconds",
];
/// Keys of what lies on disk, which is not put back.
const ON_DISK: [&str; 3] = ["best", "kept", "requested"];

#[derive(Config)]
struct NoConfig {}

/// Two layers, the first of which can be frozen.
struct Small {
    backbone: nn::Linear,
    norm: nn::BatchNorm2d,
    head: nn::Linear,
}

impl Model for Small {
    const ID: &'static str = "small";
    type Config = NoConfig;

    fn new(_: NoConfig, root: &nn::Path) -> Result<Self> {
        let backbone = nn::Linear::new(&(root / "backbone"), 3, 4)?;
        let norm = nn::BatchNorm2d::one_dimensional(&(root / "norm"), 4)?;
        Ok(Self { backbone, norm, head: nn::Linear::new(&(root / "head"), 4, 2)? })
    }

    fn stages(&self) -> Vec<Stage> {
        vec![Stage::new("backbone", ["backbone"]), Stage::new("norm", ["norm"]), Stage::new("head", ["head"])]
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        inputs.map_first(|x| match stage {
            "backbone" => nn::Module::forward(&self.backbone, x),
            "norm" => nn::Module::forward(&self.norm, x),
            _ => nn::Module::forward(&self.head, x),
        })
    }
}

/// A run that has not begun, in a run directory of its own.
pub(in crate::fit) fn fresh(folder: &Path, name: &str) -> RunState {
    fresh_with(folder, name, |_| ())
}

/// The same with another run config.
pub(in crate::fit) fn fresh_with(folder: &Path, name: &str, change: impl FnOnce(&mut Value)) -> RunState {
    let data = folder.join("data.safetensors");
    let tensors = [
        ("x".to_owned(), Tensor::zeros([6, 3], (Kind::Float, Device::Cpu))),
        ("y".to_owned(), Tensor::from_slice(&[0_i64, 1, 0, 1, 0, 1])),
    ];
    // Once: runs on one data set tell its files apart by time, too.
    if !data.exists() {
        write_safetensors(&data, &tensors, &BTreeMap::new(), &WriteOptions::default()).unwrap();
    }
    let mut table = json!({
        "model": { "id": "small" },
        "data": { "kind": "tensors", "path": data, "batch_size": 2 },
        "optimizer": { "id": "adamw", "lr": 0.5 },
        "scheduler": { "id": "exponential", "gamma": 0.5 },
        "trainer": { "max_epochs": 9 },
    });
    change(&mut table);
    let config = RunConfig::from_table(&folder.join("run.toml"), table, &[]).unwrap();
    let raw = create_model::<Small>("{}".into()).into_result().unwrap();
    let model = HostModel::new(raw, "small", "test").unwrap();
    let data = open_data(&config, &model, &PluginSet::default(), &EarlierData::default(), &[]).unwrap();
    let optimizer_config = config.optimizer.clone().unwrap();
    let group = optimizer_config.group("default", vec!["head.weight".to_owned()]);
    let optimizer = Optimizer::new(optimizer_config.clone(), vec![group]).unwrap();
    let length = RunLength::even(9, 3);
    let scheduler = Scheduler::new(config.scheduler.clone().unwrap(), length, &optimizer_config).unwrap();
    let parameters = Parameters::new(storages(&model)).unwrap();
    let scaler = Some(LossScaler::new(Device::Cpu).unwrap());
    let run_dir = RunDir::open(&Place::Given(folder.join(name)), None).unwrap();
    let store = CheckpointStore::open(run_dir.checkpoints()).unwrap();
    let progress = Progress { max_epochs: 9, num_training_batches: 3, ..Progress::default() };
    RunState {
        config,
        data,
        trained: Trained {
            model,
            sets: TensorSets::default(),
            optimizer: Some(optimizer),
            parameters,
            scheduler: Some(scheduler),
            scaler,
        },
        position: Position { progress, ..Position::default() },
        measured: Measured::new(Readings::new(Reads::AtOnce)),
        requests: Requests::default(),
        kept: Kept::new(run_dir, store),
        watched: Watched::default(),
        prefix: Prefix::default(),
        outcome: None,
        warnings: Warnings::default(),
        world: World::single(),
    }
}

/// Gives every part other values than a fresh run has.
fn change_everything(state: &mut RunState) {
    change_trained(&mut state.trained);
    let RunState {
        config: _,
        data: _,
        trained: _,
        position,
        measured,
        requests,
        kept,
        watched,
        prefix,
        warnings: _,
        outcome: _,
        world: _,
    } = state;
    let (epoch, batch_index, global_step) = (2, 1, 7);
    position.progress = Progress { epoch, batch_index, global_step, ..position.progress };
    position.extra_steps = 3;
    position.window_samples = 5;
    position.samples = 13;
    measured.metrics.insert("val_loss".to_owned(), 0.5);
    measured.known_metrics.extend(["val_acc", "val_loss"].map(str::to_owned));
    measured.meter.add("train_loss", 0.25, 4);
    measured.loss = Some(0.75);
    measured.used_rates = vec![0.125];
    measured.validated_at = Some(6);
    requests.logged.insert("mine".to_owned(), 3.0);
    requests.validate_first = true;
    requests.stop = Some("enough".to_owned());
    for name in ["epoch=0-step=3", "epoch=1-step=6", "mine"] {
        std::fs::create_dir_all(kept.store.folder().join(name)).unwrap();
    }
    let best = |name: &str, value: f64| Best {
        name: name.to_owned(),
        monitor: "val_loss".to_owned(),
        value,
        epoch: 0,
        classes: vec![(1, 2)],
    };
    kept.best = Some(best("epoch=1-step=6", 0.5));
    kept.ranked = vec![best("epoch=1-step=6", 0.5), best("epoch=0-step=3", 0.7)];
    kept.requested.insert(CheckpointName::new("mine").unwrap());
    watched
        .monitored
        .insert(Monitored { metric: "val_acc".to_owned(), key: "callbacks[0].monitor".to_owned() });
    watched.changed = true;
    prefix.decided.train.serve(2, 1);
    prefix.decided.val.pass_by(2);
    prefix.decided.written = Some("backbone.weight".to_owned());
}

fn change_trained(trained: &mut Trained) {
    let Trained { model, sets, optimizer, parameters, scheduler, scaler } = trained;
    let optimizer = optimizer.as_mut().unwrap();
    let sgd = optimizer.config().replaced_by("sgd", BTreeMap::from([("momentum".to_owned(), 0.9)])).unwrap();
    optimizer.replace(sgd).unwrap();
    let loss = parameters.iter().map(|(_, tensor)| tensor.sum(Kind::Float)).reduce(|a, b| a + b).unwrap();
    loss.backward();
    optimizer.step(parameters).unwrap();
    let mut tree = model.tree().clone();
    tree.module("backbone").unwrap().freeze(BatchNorm::Eval);
    model.apply_tree(tree).unwrap();
    let scheduler = scheduler.as_mut().unwrap();
    scheduler.start(optimizer.groups_mut()).unwrap();
    scheduler.on_epoch_end(optimizer.groups_mut(), 0).unwrap();
    scaler.as_mut().unwrap().restore(&SavedScaler { scale: 1024.0, good_steps: 7 }).unwrap();
    for (name, as_weights) in [("one", true), ("two", false)] {
        let contents = SetContents::all();
        let copy = SetAction::CopyFromModel { contents };
        for action in [copy, SetAction::UpdateMean, SetAction::SaveAsWeights { on: as_weights }] {
            sets.act(name, &action, model.tree(), &mut values_of(model)).unwrap();
        }
    }
    // What trains is another value than its copies.
    let moved = |tensor: &Tensor| drop(tensor.shallow_clone().f_add_scalar_(0.5).unwrap());
    tch::no_grad(|| parameters.iter().for_each(|(_, tensor)| moved(tensor)));
}

/// A checkpoint as text and numbers. Random numbers are left out: other tests of this process draw some, too.
#[derive(Debug, PartialEq)]
struct Seen {
    state: Map<String, Value>,
    model: BTreeMap<String, Vec<f64>>,
    optimizer: BTreeMap<String, Vec<f64>>,
    sets: BTreeMap<String, Vec<f64>>,
}

fn seen(state: &RunState) -> Seen {
    let Snapshot { model, optimizer, sets, files: _, state } =
        state.snapshot(Vec::new(), SavedObserved::default()).unwrap();
    let numbers = |tensors: Vec<(String, Tensor)>| {
        let own = tensors.into_iter().filter(|(name, _)| !name.starts_with("random_state/"));
        own.map(|(name, tensor)| {
            (name, Vec::try_from(tensor.detach().to_kind(Kind::Double).flatten(0, -1)).unwrap())
        })
        .collect()
    };
    let Value::Object(state) = serde_json::to_value(&state).unwrap() else { panic!("no object") };
    Seen { state, model: numbers(model), optimizer: numbers(optimizer), sets: numbers(sets) }
}

/// Every key that a run may change has another value in the two: else a test of them says nothing about it.
fn assert_all_differ(fresh: &Seen, changed: &Seen) {
    for (key, value) in &changed.state {
        let is_same = fresh.state.get(key) == Some(value);
        assert_eq!(is_same, ELSEWHERE.contains(&key.as_str()), "`{key}`: {value}");
    }
    assert_ne!(fresh.model, changed.model);
    assert_ne!(fresh.optimizer, changed.optimizer);
    assert_ne!(fresh.sets, changed.sets);
}

#[test]
fn a_restored_run_saves_the_checkpoint_that_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let before = seen(&fresh(folder.path(), "untouched"));
    let mut run = fresh(folder.path(), "run");
    change_everything(&mut run);
    let saved = seen(&run);
    assert_all_differ(&before, &saved);
    let checkpoint = run
        .kept
        .store
        .save("epoch=2-step=7", run.snapshot(Vec::new(), SavedObserved::default()).unwrap())
        .unwrap();
    let checkpoint = Checkpoint::open(&checkpoint).unwrap();

    let mut restored = fresh(folder.path(), "restored");
    for name in ["epoch=0-step=3", "epoch=1-step=6"] {
        std::fs::create_dir_all(restored.kept.store.folder().join(name)).unwrap();
    }
    restored.restore_trained(&checkpoint).unwrap();
    let position = EpochPosition::of(&checkpoint.state.position, &restored.config);
    let resumed = Resumed { changes: Vec::new(), position, steps: 1, length: run.run_length() };
    restored.restore_run(&checkpoint, &resumed).unwrap();
    assert_eq!(seen(&restored), saved);
    assert_eq!(restored.position.window_samples, 0, "a checkpoint lies between two windows");
}

#[test]
fn a_run_that_was_put_back_saves_what_it_would_have() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = fresh(folder.path(), "run");
    let without_disk = |run: &RunState| {
        let mut seen = seen(run);
        ON_DISK.iter().for_each(|key| drop(seen.state.remove(*key)));
        seen
    };
    let before = without_disk(&run);
    let held = run.hold().unwrap();
    // What is held is not used up.
    for _ in 0..2 {
        change_everything(&mut run);
        assert_all_differ(&before, &without_disk(&run));
        run.put_back(&held).unwrap();
        assert_eq!(without_disk(&run), before);
        assert_eq!((run.position.window_samples, run.measured.validated_at), (0, None));
        assert!(run.requests.stop.is_none() && run.watched.monitored.is_empty() && !run.watched.changed);
        assert!(run.trained.parameters.iter().all(|(_, tensor)| !tensor.grad().defined()));
    }
}
