//! Checkpoints of common trainers, as `tests/fixtures/wrapped/make.py` records them.

use super::*;
use crate::{Remark, WriteOptions, write_safetensors};
use serde_json::Value;
use std::collections::BTreeMap;

fn wrapped(name: &str) -> PathBuf {
    fixtures().join("../wrapped").join(name)
}

fn expected() -> serde_json::Map<String, Value> {
    let text = std::fs::read(wrapped("expected.json")).expect("a fixture");
    serde_json::from_slice(&text).expect("an object")
}

/// The network of the files, its modules where `at` puts them.
fn network(at: impl Fn(&str) -> String) -> Vec<TensorSpec> {
    let shapes: [(&str, &[i64]); 6] = [
        ("features.0.weight", &[3, 2]),
        ("features.0.bias", &[3]),
        ("features.2.weight", &[3, 3]),
        ("features.2.bias", &[3]),
        ("fc.weight", &[2, 3]),
        ("fc.bias", &[2]),
    ];
    shapes.map(|(name, shape)| TensorSpec::new(at(name), shape, Kind::Float)).to_vec()
}

fn in_layout(name: &str) -> String {
    name.replace("features.", "backbone.features.").replace("fc.", "head.1.")
}

fn aliases() -> PretrainedNames {
    let aliases = [("features", "backbone.features"), ("fc", "head.1")];
    let aliases = aliases.map(|(from, to)| (from.to_owned(), to.to_owned())).to_vec();
    PretrainedNames { aliases, ..PretrainedNames::default() }
}

/// Loads a file and compares every tensor with the values that are expected of it.
#[track_caller]
fn check(
    name: &str,
    config: &WeightsConfig,
    model: &[TensorSpec],
    at: fn(&str) -> String,
    values: &Value,
) -> LoadPlan {
    let file = read(wrapped(name)).unwrap_or_else(|error| panic!("{error}"));
    let plan =
        plan_pretrained(model, &file, config, &aliases()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let tensors: HashMap<_, _> = model
        .iter()
        .map(|spec| (&*spec.name, Tensor::zeros(&spec.shape[..], (Kind::Float, Device::Cpu))))
        .collect();
    let copied = apply(&plan, &file, |name| tensors.get(name).map(Tensor::shallow_clone)).expect("applied");
    assert_eq!(copied, 6, "{name}");
    for (tensor, values) in values.as_object().expect("tensors") {
        let found = numbers(&tensors[at(tensor).as_str()]);
        let values: Vec<f64> = serde_json::from_value(values.clone()).expect("numbers");
        assert!(found.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-6), "{name}: {tensor}");
    }
    plan
}

fn texts(plan: &LoadPlan) -> String {
    let texts = plan.remarks().into_iter().map(|remark| match remark {
        Remark::Info(text) | Remark::Warning(text) => text,
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_checkpoint_of_a_common_trainer_loads_as_it_is_into_every_layout() {
    let files = expected();
    assert!(files.len() >= 13);
    for (name, file) in &files {
        check(name, &WeightsConfig::new(name), &network(str::to_owned), str::to_owned, &file["taken"]);
        // The projection head of self-supervised training is none of the model's.
        let ignore = if name == "dino.pth" { vec!["head.mlp".to_owned()] } else { Vec::new() };
        let config = WeightsConfig { ignore, ..WeightsConfig::new(name) };
        check(name, &config, &network(in_layout), in_layout, &file["taken"]);
    }
}

#[test]
fn the_other_part_is_named_with_the_key_that_takes_it() {
    for (name, file) in &expected() {
        let taken =
            check(name, &WeightsConfig::new(name), &network(str::to_owned), str::to_owned, &file["taken"]);
        let others = file["others"].as_object().expect("other parts");
        assert_eq!(taken.part.others.len(), others.len(), "{name}: {:?}", taken.part);
        for (module, values) in others {
            let text = texts(&taken);
            assert!(text.contains(&format!("`module = \"{module}\"`")), "{name}: {text}");
            let config = WeightsConfig { module: Some(module.clone()), ..WeightsConfig::new(name) };
            check(name, &config, &network(str::to_owned), str::to_owned, values);
        }
    }
}

#[test]
fn what_was_taken_and_left_out_is_said() {
    let plan = |name: &str| {
        let file = read(wrapped(name)).expect("it loads");
        plan_load(&network(str::to_owned), &file, &WeightsConfig::new(name)).expect("it fits")
    };
    let text = texts(&plan("lightning.ckpt"));
    assert!(text.contains("below `state_dict.model.`"), "{text}");
    assert!(text.contains("1 other is left out: loss.weight"), "{text}");
    let text = texts(&plan("inner_modules.pth.tar"));
    assert!(text.contains("6 names without `_orig_mod`, `module`"), "{text}");
}

#[test]
fn weights_that_were_not_there_are_counted_and_named() {
    let file = read(wrapped("data_parallel.pth")).expect("it loads");
    let mut model = network(str::to_owned);
    model.push(TensorSpec::new("norm.num_batches_tracked", [], Kind::Int64));
    model.extend((0..3).map(|at| TensorSpec::new(format!("more.{at}"), [1], Kind::Float)));
    let lenient = WeightsConfig { strict: false, ..WeightsConfig::new("data_parallel.pth") };
    let plan = plan_load(&model, &file, &lenient).expect("it fits");
    let counts = &plan.remarks()[0];
    let expected = "6 of 10 tensors loaded, 4 keep their initial values: more.0, more.1, more.2, \
                    norm.num_batches_tracked";
    assert_eq!(counts, &Remark::Warning(expected.to_owned()));
    // What was asked for is no warning.
    let asked = WeightsConfig { ignore: vec!["more".to_owned()], ..WeightsConfig::new("data_parallel.pth") };
    let plan = plan_load(&model, &file, &asked).expect("it fits");
    assert_eq!(plan.remarks()[0], Remark::Info(expected.to_owned()));
}

#[test]
fn a_classifiers_head_is_left_out_of_features() {
    let file = read(wrapped("data_parallel.pth")).expect("it loads");
    let to_backbone = WeightsConfig { to: Some("backbone".to_owned()), ..WeightsConfig::new("resnet18.pth") };
    let mut model = network(in_layout);
    let plan = plan_pretrained(&model, &file, &to_backbone, &aliases()).expect("its features fit");
    assert_eq!((plan.copies.len(), plan.outside.len()), (4, 2));
    let text = texts(&plan);
    assert!(text.contains("2 tensors of the file are not for `to` and left out: module.fc.weight"), "{text}");
    // It fits the model's own head: the user may want it.
    assert!(text.contains("leave `to` out to take them"), "{text}");
    model.iter_mut().filter(|tensor| tensor.name.starts_with("head")).for_each(|tensor| tensor.shape[0] = 9);
    let plan = plan_pretrained(&model, &file, &to_backbone, &aliases()).expect("its features fit");
    assert!(!texts(&plan).contains("leave `to` out"), "{}", texts(&plan));
    assert!(plan.remarks().iter().all(|remark| matches!(remark, Remark::Info(_))));

    // Of a model that says nothing of its files' names, the usual names of heads tell it.
    let plain = network(|name| name.replace("features.", "backbone.features."));
    let plan = plan_load(&plain, &file, &to_backbone).expect("its features fit");
    assert_eq!((plan.copies.len(), plan.outside.len()), (4, 2));
}

#[test]
fn what_a_terminal_obeys_is_written_out_in_every_message() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("\u{1b}[31mred.safetensors");
    let name = "\u{1b}[2Jx\n\u{202e}y";
    let other = format!("{name}.z");
    let tensor = || Tensor::zeros([1], (Kind::Float, Device::Cpu));
    let tensors = [(name.to_owned(), tensor()), (other, tensor())];
    write_safetensors(&path, &tensors, &BTreeMap::new(), &WriteOptions::default()).expect("written");
    let file = read(&path).expect("it loads");
    let model = [TensorSpec::new(name, [1], Kind::Float), TensorSpec::new("w", [1], Kind::Float)];
    let load = |config: &WeightsConfig| plan_load(&model, &file, config);
    let rename = vec![Rename { pattern: "\\.z".to_owned(), with: String::new() }];
    let lenient = WeightsConfig { strict: false, ..WeightsConfig::new(&path) };
    let texts = [
        load(&WeightsConfig::new(&path)).expect_err("a name is missing").to_string(),
        load(&WeightsConfig { rename, ..lenient.clone() }).expect_err("one name").to_string(),
        load(&WeightsConfig { module: Some("m".to_owned()), ..lenient.clone() })
            .expect_err("none")
            .to_string(),
        texts(&load(&lenient).expect("it fits")),
    ];
    for text in texts {
        assert!(text.contains("\\u{1b}[2Jx\\n\\u{202e}y"), "{text:?}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
}

#[test]
fn weights_of_which_nothing_would_load_are_refused_whatever_leaves_them_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("other.safetensors");
    let tensors = [("module.w".to_owned(), Tensor::zeros([1], (Kind::Float, Device::Cpu)))];
    write_safetensors(&path, &tensors, &BTreeMap::new(), &WriteOptions::default()).expect("written");
    let file = read(&path).expect("it loads");
    let model = [TensorSpec::new("v", [1], Kind::Float)];
    let ignore = ["v", "module"].map(str::to_owned).to_vec();
    let config = WeightsConfig { ignore, ..WeightsConfig::new(&path) };
    let refused = plan_load(&model, &file, &config).expect_err("nothing loads").to_string();
    assert!(refused.contains("no tensor of it is loaded"), "{refused}");
}
