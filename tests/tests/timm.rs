//! Files with timm's names load into the models of `vision` as they are, and then compute what timm does;
//! `tests/fixtures/timm/make.py` records both.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thaw_plugin_api::model::Tensors;
use thaw_plugin_api::tch::{self, Kind, Tensor};
use thaw_plugins::PluginSet;
use thaw_test_references::{Built, formula};
use thaw_tests::{Run, fixtures};
use thaw_weights::{
    LoadPlan, PretrainedNames, Remark, StateDict, TensorSpec, WeightsConfig, apply, plan_pretrained, read,
};

fn vision() -> PluginSet {
    let mut plugins = PluginSet::default();
    plugins.add(&thaw_tests::plugin("vision")).unwrap();
    plugins
}

fn built(plugins: &PluginSet, id: &str, config: &Value) -> Built {
    let (raw, _) = plugins.create_model(id, config).unwrap_or_else(|error| panic!("{id}: {error}"));
    Built::from_raw(raw).unwrap()
}

fn plan(built: &Built, file: &StateDict, config: &WeightsConfig) -> LoadPlan {
    let spec =
        |(name, tensor): &(String, Tensor)| TensorSpec::new(name.clone(), tensor.size(), tensor.kind());
    let model: Vec<TensorSpec> = built.tensors().iter().map(spec).collect();
    let names = PretrainedNames::from(built.description());
    plan_pretrained(&model, file, config, &names).unwrap_or_else(|error| panic!("{error}"))
}

/// A file of these tensors whose values nobody reads: a header and a hole.
fn without_values(folder: &Path, tensors: &[(String, Vec<i64>)]) -> PathBuf {
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, shape) in tensors {
        let start = end;
        end += 4 * shape.iter().product::<i64>();
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
        header.insert(name.clone(), entry);
    }
    let header = serde_json::to_string(&header).unwrap();
    let path = folder.join("hole.safetensors");
    let length = header.len() as u64;
    std::fs::write(&path, [&length.to_le_bytes(), header.as_bytes()].concat()).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(8 + length + end as u64).unwrap();
    path
}

/// The recorded names and shapes of each architecture, by the id here and timm's name.
fn recorded() -> Vec<(String, String, Vec<(String, Vec<i64>)>)> {
    let text = std::fs::read_to_string(fixtures().join("timm/names.txt")).unwrap();
    let mut all: Vec<(String, String, Vec<_>)> = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        match (words.next().unwrap(), words.next().unwrap()) {
            ("#", id) => all.push((id.to_owned(), words.next().unwrap().to_owned(), Vec::new())),
            (name, sizes) => {
                let shape = sizes.split(',').map(|size| size.parse().unwrap()).collect();
                all.last_mut().unwrap().2.push((name.to_owned(), shape));
            }
        }
    }
    all
}

#[test]
fn timms_key_lists_fit_every_architecture_in_full_size_and_every_layout() {
    let plugins = vision();
    let folder = tempfile::tempdir().unwrap();
    let all = recorded();
    assert!(all.len() >= 36);
    for (number, (id, theirs, tensors)) in all.iter().enumerate() {
        assert_eq!(plugins.model_id(&format!("timm/{theirs}.some_tag")), id, "{theirs} is understood");
        let file = read(without_values(folder.path(), tensors)).unwrap();
        // Those after the first are more of the same, and large.
        let layouts: &[&str] = if number < 16 { &["backbone-head", "original"] } else { &["backbone-head"] };
        for &layout in layouts {
            let built = built(&plugins, id, &json!({ "layout": layout }));
            let plan = plan(&built, &file, &WeightsConfig::new("timm.safetensors"));
            assert_eq!(plan.copies.len(), tensors.len(), "{id} {layout}");
            assert!(plan.missing.iter().all(|name| name.ends_with("num_batches_tracked")), "{id} {layout}");
            assert!(plan.unused.is_empty() && plan.left.is_empty(), "{id} {layout}");
        }
        if layouts.len() == 1 {
            continue;
        }
        let features = built(&plugins, id, &json!({ "features_only": true }));
        let found = plan(&features, &file, &WeightsConfig::new("timm.safetensors"));
        assert_eq!(found.unused.len(), 2, "{id}: the last layer has no place: {:?}", found.unused);
    }
}

#[test]
fn with_timms_weights_the_logits_are_timms() {
    tch::set_num_threads(1);
    let plugins = vision();
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(fixtures().join("timm/logits.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() >= 14);
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let values = case["shapes"].as_object().unwrap().iter().map(|(name, shape)| {
            let shape: Vec<i64> = serde_json::from_value(shape.clone()).unwrap();
            (name.as_str(), formula::values(name, &shape, 1.0))
        });
        let path = folder.path().join("timm.safetensors");
        Tensor::write_safetensors(&values.collect::<Vec<_>>(), &path).unwrap();
        let mut built = built(&plugins, id, &case["config"]);
        let file = read(&path).unwrap();
        let plan = plan(&built, &file, &WeightsConfig::new(&path));
        apply(&plan, &file, |name| Some(built.tensor(name).shallow_clone())).unwrap();
        built.set_training(false);
        let side = case["config"]["image_size"].as_i64().unwrap();
        let pictures = Tensors::one("image", formula::images(&[2, 3, side, side]));
        let outputs = tch::no_grad(|| built.forward(pictures).unwrap());
        let found: Vec<f64> =
            Vec::try_from(outputs.first().unwrap().flatten(0, -1).to_kind(Kind::Double)).unwrap();
        let expected: Vec<f64> = serde_json::from_value(case["logits"].clone()).unwrap();
        let largest = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4 * largest, "{id}: {found} instead of {expected}");
        }
    }
}

#[test]
fn constants_that_differ_from_timms_are_told() {
    let plugins = vision();
    let folder = tempfile::tempdir().unwrap();
    let all = recorded();
    let told = |id: &str, theirs: &str, config: Value| {
        let (_, _, tensors) = all.iter().find(|(_, name, _)| name == theirs).unwrap();
        let file = read(without_values(folder.path(), tensors)).unwrap();
        let built = built(&plugins, id, &config);
        let remarks = plan(&built, &file, &WeightsConfig::new("timm.safetensors")).remarks();
        remarks.iter().any(|remark| matches!(remark, Remark::Warning(text) if text.contains("timm's names")))
    };
    assert!(told("mobilenet-v3-large", "mobilenetv3_large_100", json!({})));
    assert!(!told("mobilenet-v3-large", "mobilenetv3_large_100", json!({ "norm_eps": 1e-5 })));
    assert!(!told("mobilenetv3-large-100", "mobilenetv3_large_100", json!({})));
    assert!(told("efficientnet-b5", "efficientnet_b5", json!({})));
    assert!(!told("efficientnet-b0", "efficientnet_b0", json!({})));
}

#[test]
fn a_model_may_have_another_librarys_name_and_what_is_none_is_refused_in_short() {
    let config = |id: &str| {
        Run::new(&format!(
            "plugins = [\"vision\"]\n[model]\nid = \"{id}\"\nnum_classes = 3\n[optimizer]\nid = \"sgd\"\n"
        ))
    };
    for (id, meant) in [
        ("timm/vit_tiny_patch16_224", "vit-ti-16"),
        ("resnet18.a1_in1k", "resnet18"),
        ("torchvision/resnet50", "resnet50"),
        ("ResNet18", "resnet18"),
        ("mobilenet_v2", "mobilenet-v2"),
    ] {
        let run = config(id);
        run.host(["plan", "run.toml"]).succeeded().says(&format!("`{meant}`"));
    }
    for (id, near) in [
        ("timm/vit_base_patch16_384.augreg_in21k", "did you mean `vit-b-16` with `image_size = 384`"),
        ("mobilenetv2_050", "did you mean `mobilenet-v2` with `width_mult = 0.5`"),
        ("timm/tf_efficientnet_b0.ns_jft_in1k", "timm's `tf_` models pad otherwise than `efficientnet-b0`"),
        ("torchvision.models.resnet18", "did you mean `resnet18`?"),
        ("timm/resnet51", "did you mean `resnet50`?"),
    ] {
        config(id).host(["plan", "run.toml"]).failed(2, &[near]);
    }
    let refused =
        config("densenet121").host(["plan", "run.toml"]).failed(2, &["`densenet121`", "torch-export"]);
    let text = refused.does_not_say("did you mean").stderr;
    assert!(text.lines().all(|line| line.len() <= 110), "{text}");
}
