//! A training step of the picture classifiers, against what transformers and PyTorch computed
//! (`tests/fixtures/hub_pictures/steps.py`).

use std::collections::BTreeSet;
use std::path::PathBuf;

use tch::{Kind, Tensor};
use thaw_plugin_api::config::Config as _;
use thaw_plugin_api::model::{Model, Tensors};
use thaw_plugin_api::serde_json::{self, Value, json};
use thaw_test_references::{Built, Deviation, fixtures, formula};

use super::{ConvNextClassifier, HubClassifier, ResNetClassifier, SwinClassifier, VitClassifier};

/// What float64 may differ by, of the length of a tensor: far above its rounding.
const EXACT: f64 = 1e-6;

struct Recorded {
    family: &'static str,
    json: Value,
}

impl Recorded {
    fn of(family: &'static str) -> Self {
        let file = folder().join("steps").join(format!("{family}.json"));
        let text = std::fs::read_to_string(file).unwrap();
        Self { family, json: serde_json::from_str(&text).unwrap() }
    }

    /// The model of the family's `config.json`, with the recorded weights.
    fn model<M: Model>(&self, image_size: i64) -> Built {
        let config = folder().join(self.family).join("config.json");
        let keys = json!({ "config": config, "image_size": image_size });
        let drop = M::Config::schema()["properties"].get("drop_path_rate").is_some();
        let mut keys = keys.as_object().unwrap().clone();
        keys.extend(drop.then(|| ("drop_path_rate".to_owned(), json!(0.0))));
        let mut built = Built::new::<M>(&Value::Object(keys)).unwrap();
        built.fill(1.0, str::to_owned);
        built
    }

    fn size(&self) -> i64 {
        self.json["image_size"].as_i64().unwrap()
    }
}

fn folder() -> PathBuf {
    fixtures().join("../hub_pictures")
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

fn pictures(size: i64) -> Tensors {
    Tensors::one("image", formula::images(&[3, 3, size, size]))
}

/// Logits in evaluation mode are the recorded ones.
fn check_logits(built: &mut Built, size: i64, expected: &Value, what: &str) {
    built.set_training(false);
    let logits = tch::no_grad(|| built.forward(pictures(size)).unwrap());
    let logits = logits.first().unwrap();
    for (row, expected) in expected.as_array().unwrap().iter().enumerate() {
        for (place, expected) in numbers(expected).into_iter().enumerate() {
            let found = logits.double_value(&[row as i64, place as i64]);
            assert!((found - expected).abs() < 1e-5, "{what}: {found}, recorded {expected}");
        }
    }
}

/// Length and five values of a tensor are the recorded ones.
fn close(deviation: &mut Deviation, what: &str, ours: &Tensor, theirs: &Value) -> Result<(), String> {
    let flat = ours.detach().to_kind(Kind::Double).flatten(0, -1);
    let (count, length) = (flat.size()[0], theirs["l2"].as_f64().unwrap());
    deviation.compare(&format!("{what}, length"), flat.norm().double_value(&[]), length, EXACT, length)?;
    for (number, expected) in numbers(&theirs["values"]).into_iter().enumerate() {
        let place = (number as f64 * (count - 1) as f64 / 4.0).round_ties_even() as i64;
        deviation.compare(
            &format!("{what}, value {place}"),
            flat.double_value(&[place]),
            expected,
            EXACT,
            length,
        )?;
    }
    Ok(())
}

/// A step of SGD in float64: loss, every gradient, every parameter and statistic afterwards.
fn check_step<M: Model>(recorded: &Recorded) -> Result<(), String> {
    let json = &recorded.json;
    let mut built = recorded.model::<M>(recorded.size());
    built.convert(Kind::Double)?;
    built.set_training(true);
    let labels: Vec<i64> = serde_json::from_value(json["labels"].clone()).unwrap();
    let loss = built.loss(pictures(recorded.size()), Some(&Tensor::from_slice(&labels)))?;
    let mut deviation = Deviation::default();
    deviation.close("loss", loss.double_value(&[]), json["loss"].as_f64().unwrap(), EXACT)?;
    let names: Vec<String> = built.tree().parameters().map(|parameter| parameter.name.clone()).collect();
    assert_eq!(Some(names.len() as u64), json["parameters"].as_u64(), "{}", recorded.family);
    let parameters: Vec<&Tensor> = names.iter().map(|name| built.tensor(name)).collect();
    let gradients = Tensor::run_backward(&[loss], &parameters, false, false);
    let zero: BTreeSet<&str> = json["zero"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let rate = json["sgd"]["lr"].as_f64().unwrap();
    let _no_grad = tch::no_grad_guard();
    for ((name, parameter), gradient) in names.iter().zip(&parameters).zip(&gradients) {
        let what = format!("gradient of `{name}`");
        match zero.contains(name.as_str()) {
            true => assert!(gradient.norm().double_value(&[]) < 1e-12, "{what} is zero"),
            false => close(&mut deviation, &what, gradient, &json["gradients"][name])?,
        }
        let mut parameter = parameter.shallow_clone();
        let _ = parameter.f_sub_(&(gradient * rate)).unwrap();
    }
    for (name, expected) in json["sgd"]["state_dict"].as_object().unwrap() {
        close(&mut deviation, &format!("`{name}` after the step"), built.tensor(name), expected)?;
    }
    Ok(())
}

fn check<M: Model>(family: &'static str) -> Recorded {
    let recorded = Recorded::of(family);
    let mut built = recorded.model::<M>(recorded.size());
    let own: BTreeSet<(String, Vec<i64>)> =
        built.tensors().iter().map(|(name, tensor)| (name.clone(), tensor.size())).collect();
    let theirs = recorded.json["state_dict"].as_object().unwrap().iter();
    let theirs = theirs.map(|(name, shape)| (name.clone(), serde_json::from_value(shape.clone()).unwrap()));
    assert_eq!(own, theirs.collect(), "{family}");
    check_logits(&mut built, recorded.size(), &recorded.json["logits"], family);
    check_step::<M>(&recorded).unwrap_or_else(|difference| panic!("{family}: {difference}"));
    recorded
}

/// The same weights give the recorded logits of pictures of other sizes.
fn check_sizes<M: Model>(recorded: &Recorded, is_built_for_one: bool) {
    for (size, expected) in recorded.json["sizes"].as_object().unwrap() {
        let size: i64 = size.parse().unwrap();
        let mut built = recorded.model::<M>(if is_built_for_one { size } else { recorded.size() });
        check_logits(&mut built, size, expected, &format!("{} at {size}", recorded.family));
    }
}

#[test]
fn convnext_computes_what_transformers_does_and_trains_as_pytorch() {
    let recorded = check::<HubClassifier<ConvNextClassifier>>("convnext");
    check_sizes::<HubClassifier<ConvNextClassifier>>(&recorded, false);
}

#[test]
fn resnet_computes_what_transformers_does_and_trains_as_pytorch() {
    for family in ["resnet", "resnet_basic"] {
        let recorded = check::<HubClassifier<ResNetClassifier>>(family);
        check_sizes::<HubClassifier<ResNetClassifier>>(&recorded, false);
    }
}

#[test]
fn swin_computes_what_transformers_does_and_trains_as_pytorch() {
    let recorded = check::<HubClassifier<SwinClassifier>>("swin");
    check_sizes::<HubClassifier<SwinClassifier>>(&recorded, true);
}

/// Its position embeddings are brought to another size when weights are loaded: see
/// `tests/tests/hub_preparation.rs`.
#[test]
fn vit_computes_what_transformers_does_and_trains_as_pytorch() {
    check::<HubClassifier<VitClassifier>>("vit");
}
