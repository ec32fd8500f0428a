//! Numbers and texts that cross: hooks, positions of progress, operations, and what is written as JSON.

use serde_json::{Value, json};
use thaw_plugin_api::Error;
use thaw_plugin_api::abi::{Item, Kind, Metadata, TorchVersions};
use thaw_plugin_api::context::{CheckpointName, Progress, Request, Stage};
use thaw_plugin_api::dataset::{Description, Dtype, Form, Split};
use thaw_plugin_api::error::ErrorKind;
use thaw_plugin_api::hook::Hook;
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::{Optimizer, ParamGroup};
use thaw_plugin_api::tensor_sets::{SetAction, SetBuffers, SetContents, SetState};
use thaw_plugin_api::testing::FakeModel;

use crate::Section;

/// Hooks by number, and what each position of progress means to who writes it and to who reads it.
pub fn numbers() -> Vec<Section> {
    let hooks = Hook::ALL.iter().map(|hook| format!("{} {}", *hook as u32, hook.name())).collect();
    let progress = Progress {
        stage: Stage::Predict,
        epoch: 101,
        global_step: 102,
        batch_index: 103,
        max_epochs: 104,
        max_steps: Some(105),
        num_training_batches: 106,
        num_validation_batches: 107,
        validation_set: 108,
        rank: 109,
        world_size: 110,
    };
    let meaning = |number: u64| match number {
        2 => "stage: 0 fit, 1 validate, 2 predict",
        101 => "epoch",
        102 => "global_step",
        103 => "batch_index",
        104 => "max_epochs",
        105 => "max_steps",
        106 => "num_training_batches",
        107 => "num_validation_batches",
        108 => "validation_set",
        109 => "rank",
        110 => "world_size",
        _ => "not recorded: name it in this test",
    };
    let positions = progress
        .to_numbers()
        .into_iter()
        .enumerate()
        .map(|(index, number)| format!("{index} {}", meaning(number)));
    vec![
        Section { title: "grows hooks".to_owned(), entries: hooks },
        Section { title: "grows progress".to_owned(), entries: positions.collect() },
        Section { title: "grows progress as it is read".to_owned(), entries: read_positions() },
        Section { title: "grows stages of a run".to_owned(), entries: stages() },
    ]
}

fn read_positions() -> Vec<String> {
    let numbers: Vec<u64> = (100..111).collect();
    let read = Progress::from_numbers(&numbers);
    let mut positions = [
        (read.epoch, "epoch"),
        (read.global_step, "global_step"),
        (read.batch_index, "batch_index"),
        (read.max_epochs, "max_epochs"),
        (read.max_steps.unwrap_or_default(), "max_steps"),
        (read.num_training_batches, "num_training_batches"),
        (read.num_validation_batches, "num_validation_batches"),
        (read.validation_set, "validation_set"),
        (read.rank, "rank"),
        (read.world_size, "world_size"),
    ];
    positions.sort_unstable();
    positions.map(|(number, name)| format!("{} {name}", number.saturating_sub(100))).into()
}

fn stages() -> Vec<String> {
    let stages = [Stage::Fit, Stage::Validate, Stage::Predict, Stage::Plan];
    let entry = |stage| {
        let number = Progress { stage, ..Progress::default() }.to_numbers()[0];
        format!("{number} {stage:?}, read as {:?}", Progress::from_numbers(&[number]).stage)
    };
    stages.map(entry).into()
}

fn tree() -> ModuleTree {
    let model = FakeModel::new()
        .batch_norm("norm", 2)
        .linear("head", 2, 2)
        .linear("tied", 2, 2)
        .tie("tied.weight", "head.weight");
    model.stage("head", ["head"]).tree().expect("a tree")
}

fn optimizer() -> Optimizer {
    let group = ParamGroup {
        parameters: vec!["head.weight".to_owned()],
        ..Optimizer::new("adam", 0.1, 0.0, Vec::new()).new_group("head", 0.1)
    };
    Optimizer::new("adam", 0.1, 0.01, vec![group])
}

/// One of each request, in the order in which they came.
fn requests() -> Vec<Request> {
    let text = || "text".to_owned();
    let [all, trainable, matching] = contents();
    vec![
        Request::Model,
        Request::Optimizer,
        Request::Metrics,
        Request::Loss,
        Request::Exception,
        Request::Log { name: text(), value: 0.5 },
        Request::Stop { reason: text() },
        Request::SaveCheckpoint { name: CheckpointName::new(&text()).expect("a name") },
        Request::Validate,
        Request::RestoreWeights { checkpoint: text(), optimizer: true },
        Request::SetLr { group: text(), lr: 0.5 },
        Request::Apply { model: Some(tree()), optimizer: Some(optimizer()) },
        Request::RestartScheduler { settings: Some(json!({})), until_epoch: Some(1), until_step: Some(1) },
        Request::CheckSettings {
            scheduler: Some(json!({})),
            options: Some([(text(), 0.5)].into()),
            optimizer: Some(text()),
        },
        Request::Note { text: text() },
        Request::ReplaceOptimizer { id: text(), options: [(text(), 0.5)].into() },
        Request::Libtorch,
        Request::Monitor { metric: text(), key: text() },
        set(SetAction::Describe),
        set(SetAction::CopyFromModel { contents: all }),
        set(SetAction::CopyFromModel { contents: trainable }),
        set(SetAction::CopyFromModel { contents: matching }),
        set(SetAction::LerpToModel { weight: 0.5 }),
        set(SetAction::UpdateMean),
        set(SetAction::SwapIn),
        set(SetAction::SwapOut),
        set(SetAction::LoadIntoModel),
        set(SetAction::SaveAsWeights { on: true }),
        set(SetAction::Distance),
        set(SetAction::Clear),
        Request::BatchSamples,
        Request::BatchNumbers { name: text() },
        Request::UpdateBatchNorms,
    ]
}

fn contents() -> [SetContents; 3] {
    [
        SetContents::all().with_buffers(SetBuffers::Averaged),
        SetContents::trainable().with_buffers(SetBuffers::Copied),
        SetContents::matching(["text"]),
    ]
}

fn set(action: SetAction) -> Request {
    Request::TensorSet { name: "text".to_owned(), action }
}

/// The place of an action in [`requests`], where the sets' begin at 18.
fn place_of(action: &SetAction) -> usize {
    match action {
        SetAction::Describe => 18,
        SetAction::CopyFromModel { contents: found } => {
            19 + contents().iter().position(|contents| contents == found).expect("contents of the list")
        }
        SetAction::LerpToModel { .. } => 22,
        SetAction::UpdateMean => 23,
        SetAction::SwapIn => 24,
        SetAction::SwapOut => 25,
        SetAction::LoadIntoModel => 26,
        SetAction::SaveAsWeights { .. } => 27,
        SetAction::Distance => 28,
        SetAction::Clear => 29,
    }
}

/// The place of a request in [`requests`]. A new one fails to compile here until it is in that list, too.
fn place(request: &Request) -> usize {
    match request {
        Request::Model => 0,
        Request::Optimizer => 1,
        Request::Metrics => 2,
        Request::Loss => 3,
        Request::Exception => 4,
        Request::Log { .. } => 5,
        Request::Stop { .. } => 6,
        Request::SaveCheckpoint { .. } => 7,
        Request::Validate => 8,
        Request::RestoreWeights { .. } => 9,
        Request::SetLr { .. } => 10,
        Request::Apply { .. } => 11,
        Request::RestartScheduler { .. } => 12,
        Request::CheckSettings { .. } => 13,
        Request::Note { .. } => 14,
        Request::ReplaceOptimizer { .. } => 15,
        Request::Libtorch => 16,
        Request::Monitor { .. } => 17,
        Request::TensorSet { action, .. } => place_of(action),
        Request::BatchSamples => 30,
        Request::BatchNumbers { .. } => 31,
        Request::UpdateBatchNorms => 32,
    }
}

#[test]
fn every_request_is_recorded_at_its_place() {
    let places: Vec<usize> = requests().iter().map(place).collect();
    assert_eq!(places, (0..33).collect::<Vec<_>>());
}

fn item(kind: Kind) -> Item {
    let text = || "text".to_owned();
    Item {
        kind,
        id: text(),
        description: text(),
        schema: json!({}),
        metrics: None,
        other_names: vec![text()],
    }
}

/// One of each form.
fn descriptions() -> Vec<Description> {
    let forms = [Form::array("text", Dtype::F32, [1, 2]), Form::Pictures, Form::Texts, Form::TextPairs];
    let description = |form| Description {
        form,
        class_names: vec!["text".to_owned()],
        in_memory: true,
        splits: Split::ALL.map(|split| (split, 1)).into(),
        config: json!({}),
    };
    forms.map(description).into()
}

fn metadata() -> Metadata {
    let text = || "text".to_owned();
    Metadata {
        name: text(),
        version: text(),
        description: text(),
        authors: text(),
        plugin_api: text(),
        rustc: text(),
        target: text(),
        panic_unwinds: true,
        torch: Some(TorchVersions { libtorch: text(), tch: text(), cxx11_abi: true }),
        items: [Kind::Strategy, Kind::Callback, Kind::Model].map(item).into(),
        datasets: vec![item(Kind::Dataset)],
        error: Some(text()),
    }
}

const KINDS: [ErrorKind; 6] = [
    ErrorKind::Config,
    ErrorKind::State,
    ErrorKind::Panic,
    ErrorKind::Groups,
    ErrorKind::NotImplemented,
    ErrorKind::Other,
];

fn value(of: impl serde::Serialize) -> Value {
    serde_json::to_value(of).expect("it can be written as JSON")
}

/// What is written as JSON, one example of each.
pub fn texts() -> Vec<Section> {
    let error = Error::new("text").help("text").context("text");
    let set_state = SetState { tensors: 1, count: 1, in_model: true, distance: Some(0.5) };
    [
        ("json requests", requests().into_iter().map(value).collect()),
        ("json module tree", vec![value(tree())]),
        ("json optimizer", vec![value(optimizer())]),
        ("json metadata", vec![value(metadata())]),
        ("json data sets", descriptions().into_iter().map(value).collect()),
        ("json error", vec![value(error)]),
        ("json tensor sets", vec![value(set_state)]),
        ("json kinds of errors", KINDS.map(value).into()),
    ]
    .map(|(title, values): (&str, Vec<Value>)| Section {
        title: title.to_owned(),
        entries: values.iter().map(Value::to_string).collect(),
    })
    .into()
}

/// Reads a recorded text as today's code does.
pub fn read_again(title: &str, text: &str) -> serde_json::Result<()> {
    match title {
        "json requests" => serde_json::from_str::<Request>(text).map(drop),
        "json module tree" => serde_json::from_str::<ModuleTree>(text).map(drop),
        "json optimizer" => serde_json::from_str::<Optimizer>(text).map(drop),
        "json data sets" => serde_json::from_str::<Description>(text).map(drop),
        "json metadata" => serde_json::from_str::<Metadata>(text).map(drop),
        "json tensor sets" => serde_json::from_str::<SetState>(text).map(drop),
        "json error" => serde_json::from_str::<Error>(text).map(drop),
        "json kinds of errors" => serde_json::from_str::<ErrorKind>(text).map(drop),
        _ => panic!("no reader for {title}"),
    }
}
