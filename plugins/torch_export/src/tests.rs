mod files;
mod odd;

use std::path::PathBuf;

use thaw_plugin_api::model::Tensors;
use thaw_plugin_api::serde_json::{Value, json};
use thaw_plugin_api::tch::{self, Device, Kind, Tensor};
use thaw_test_references::{Built, Exported, Norm, check_exported};

use super::*;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/exported")
}

fn built(name: &str, more: &Value) -> Result<Built, String> {
    let mut config = more.clone();
    config["path"] = json!(folder().join(name).with_extension("pt2"));
    Built::new::<TorchExport>(&config)
}

fn stage_names(built: &Built) -> Vec<String> {
    built.stages().iter().map(|stage| stage.name.clone()).collect()
}

fn picture(batch: i64, side: i64) -> Tensors {
    tch::manual_seed(3);
    Tensors::one("image", Tensor::randn([batch, 3, side, side], (Kind::Float, Device::Cpu)))
}

/// Draws of tests that run beside each other would mix: libtorch has one generator.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static DRAWS: std::sync::Mutex<()> = std::sync::Mutex::new(());
    DRAWS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn first(built: &mut Built, inputs: Tensors) -> Tensor {
    built.forward(inputs).unwrap().into_iter().next().unwrap().1
}

#[test]
fn every_program_of_the_references_is_pytorchs_in_outputs_gradients_and_training() {
    let _alone = alone();
    tch::set_num_threads(1);
    for name in ["convnet", "bert", "vit", "gpt2", "tied", "two_inputs"] {
        let reference = Exported::read(&folder().join(name).with_extension("safetensors")).unwrap();
        check_exported(&reference, || built(name, &json!({})))
            .unwrap_or_else(|difference| panic!("{name}: {difference}"));
    }
}

#[test]
fn stages_are_found_where_one_tensor_goes_on() {
    let _alone = alone();
    let names = |name: &str| stage_names(&built(name, &json!({})).unwrap());
    assert_eq!(names("convnet"), ["stem", "blocks.0", "blocks.1", "head"]);
    assert_eq!(names("vit"), ["patch_embed.proj", "blocks.0", "blocks.1", "norm", "head"]);
    let bert = names("bert");
    assert!(bert.ends_with(&[
        "bert.encoder.layer.1".into(),
        "bert.pooler.dense".into(),
        "classifier".into()
    ]));
    // One matrix is needed at both ends.
    assert_eq!(names("gpt2"), ["model"]);
    assert_eq!(names("tied"), ["model"]);
}

#[test]
fn a_stage_names_the_parameters_that_lie_between_its_modules() {
    let _alone = alone();
    let vit = built("vit", &json!({})).unwrap();
    let block = vit.stages().iter().find(|stage| stage.name == "blocks.0").unwrap();
    assert_eq!(block.modules, ["pos_drop", "blocks.0", "cls_token", "pos_embed"]);
}

#[test]
fn a_stages_input_can_be_kept_and_used_again() {
    let _alone = alone();
    let mut convnet = built("convnet", &json!({})).unwrap();
    convnet.set_training(false);
    let _guard = tch::no_grad_guard();
    for stage in 1..convnet.stages().len() {
        let kept = convnet.run_stages(0, stage, picture(2, 16)).unwrap();
        let copy = |tensors: &Tensors| -> Tensors {
            tensors.iter().map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone())).collect()
        };
        let once = convnet.run_stages(stage, usize::MAX, copy(&kept));
        let count = convnet.stages().len();
        let once = once.or_else(|_| convnet.run_stages(stage, count, copy(&kept))).unwrap();
        let again = convnet.run_stages(stage, count, copy(&kept)).unwrap();
        assert!(once.first().unwrap().equal(again.first().unwrap()), "stage {stage} wrote into its input");
    }
}

#[test]
fn pictures_are_prepared_to_the_size_of_the_export() {
    let _alone = alone();
    let size = |more: Value| built("convnet", &more).unwrap().description().input.image_size;
    assert_eq!(size(json!({})), Some(16));
    assert_eq!(size(json!({ "image_size": 32 })), Some(32));
}

#[test]
fn the_tree_has_pytorchs_classes() {
    let _alone = alone();
    let convnet = built("convnet", &json!({})).unwrap();
    let class = |path: &str| convnet.tree().get(path).unwrap().kind.clone();
    assert_eq!(class(""), "ConvNet");
    assert_eq!(class("blocks"), "ModuleList");
    assert_eq!(class("stem.1"), "BatchNorm2d");
    assert_eq!(class("blocks.0.drop_path"), "StochasticDepth");
}

#[test]
fn a_part_of_a_file_stands_under_a_new_head() {
    let _alone = alone();
    let headed = json!({ "module": "stem", "num_classes": 3 });
    let mut part = built("convnet", &headed).unwrap();
    assert_eq!(stage_names(&part), ["backbone", "head"]);
    let names: Vec<&str> = part.tensors().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..3], ["backbone.0.weight", "backbone.0.bias", "backbone.1.weight"]);
    assert!(names.contains(&"head.1.weight"));
    part.set_training(false);
    assert_eq!(first(&mut part, picture(2, 16)).size(), [2, 3]);
    let mut whole = built("convnet", &json!({})).unwrap();
    whole.set_training(false);
    let features = whole.run_stages(0, 1, picture(2, 16)).unwrap();
    let ours = part.run_stages(0, 1, picture(2, 16)).unwrap();
    assert!(features.first().unwrap().equal(ours.first().unwrap()));
}

#[test]
fn parts_that_cannot_stand_alone_are_refused_with_the_reason() {
    let _alone = alone();
    let refused = |name: &str, more: Value| built(name, &more).err().unwrap();
    let late = refused("convnet", json!({ "module": "blocks.1", "num_classes": 3 }));
    assert!(late.contains("takes what other modules compute (add)"), "{late}");
    let misspelt = refused("convnet", json!({ "module": "stam", "num_classes": 3 }));
    assert!(
        misspelt.contains("has no module `stam`") && misspelt.contains("did you mean `stem`?"),
        "{misspelt}"
    );
    let idle = refused("convnet", json!({ "freeze_features": true }));
    assert!(idle.contains("set `num_classes`"), "{idle}");
}

#[test]
fn inputs_go_by_name_and_have_to_have_the_sizes_of_the_export() {
    let _alone = alone();
    let mut two = built("two_inputs", &json!({})).unwrap();
    two.set_training(false);
    let table = Tensor::zeros([2, 4], (Kind::Float, Device::Cpu));
    let image = || picture(2, 16).into_iter().next().unwrap().1;
    let by_name = Tensors::one("table", table.shallow_clone()).with("image", image());
    let by_place = Tensors::one("a", image()).with("b", table.shallow_clone());
    assert!(first(&mut two, by_name).equal(&first(&mut two, by_place)));
    let wide =
        Tensors::one("image", image()).with("table", Tensor::zeros([2, 5], (Kind::Float, Device::Cpu)));
    let error = two.forward(wide).unwrap_err();
    assert!(error.contains("the input `table` is [2, 5], the file was exported for [_, 4]"), "{error}");
}

#[test]
fn batch_statistics_leave_the_stored_ones_alone() {
    let _alone = alone();
    use thaw_plugin_api::nn::Mode;
    let mut convnet = built("convnet", &json!({})).unwrap();
    let _guard = tch::no_grad_guard();
    let stored = |built: &Built| {
        let buffers =
            built.tensors().iter().filter(|(name, _)| name.contains("running_") || name.contains("num_"));
        buffers.map(|(_, tensor)| tensor.copy()).collect::<Vec<_>>()
    };
    let before = stored(&convnet);
    let count = convnet.tree().modules().len();
    convnet.set_raw_modes(&vec![Mode::to_bits(true, false); count]);
    let _ = first(&mut convnet, picture(4, 16));
    assert_eq!(stored(&convnet), before);
    convnet.set_raw_modes(&vec![Mode::to_bits(true, true); count]);
    let _ = first(&mut convnet, picture(4, 16));
    assert_ne!(stored(&convnet), before);
}

#[test]
fn a_program_refuses_what_pytorchs_layers_refuse() {
    let _alone = alone();
    tch::set_num_threads(1);
    for norm in Norm::all() {
        let mut exported = Built::new::<TorchExport>(&json!({ "path": norm.file("pt2") })).unwrap();
        norm.assert_trains(&mut exported);
        let error = norm.refusal(&mut exported);
        assert!(error.contains(&norm.expected_refusal()), "{}: {error}", norm.name());
        assert!(error.contains("at `norm`"), "{}: {error}", norm.name());
        exported.set_training(false);
        if norm.refuses_in_evaluation() {
            assert!(norm.refusal(&mut exported).contains(&norm.expected_refusal()));
        } else {
            let x = Tensor::zeros([1, 1, 16], (Kind::Float, Device::Cpu));
            let x = if norm.name() == "batch_norm" { x.squeeze_dim(1) } else { x };
            exported.forward(Tensors::one("x", x)).unwrap();
        }
    }
}
