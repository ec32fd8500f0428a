//! What holds for every model; the numbers are held against the references through the built plugin by
//! `models`.

use tch::{Kind, Tensor};
use thaw_plugin_api::model::Tensors;
use thaw_plugin_api::serde_json::{Value, json};
use thaw_test_references::{Built, formula};

use crate::classifier::{Architecture, Classifier};
use crate::convnext::{ConvNextSmall, ConvNextTiny};
use crate::efficientnet::{EfficientNetB0, EfficientNetB1, EfficientNetB5};
use crate::efficientnet_lite::{EfficientNetLite0, EfficientNetLite4};
use crate::mobilenet_v2::MobileNetV2;
use crate::mobilenet_v3::{MobileNetV3Large, MobileNetV3Small};
use crate::resnet::{ResNet18, ResNet50, ResNext50, WideResNet50};
use crate::vit::VitB32;

fn built<A: Architecture>(config: Value) -> Built {
    Built::new::<Classifier<A>>(&config).unwrap()
}

fn refused<A: Architecture>(config: Value) -> String {
    Built::new::<Classifier<A>>(&config).err().unwrap()
}

fn pictures(size: i64) -> Tensors {
    Tensors::one("image", formula::images(&[2, 3, size, size]))
}

fn names(built: &Built) -> Vec<&str> {
    built.tensors().iter().map(|(name, _)| name.as_str()).collect()
}

/// The model takes pictures to logits, its stages one by one give the same, and every parameter gets a
/// gradient.
fn check_layouts<A: Architecture>(config: &Value, size: i64) {
    for layout in ["backbone-head", "original", "sequential"] {
        let mut config = config.clone();
        config["layout"] = json!(layout);
        config["num_classes"] = json!(5);
        let Ok(mut built) = Built::new::<Classifier<A>>(&config) else {
            assert!(layout == "sequential" && !A::IS_SEQUENTIAL, "{} refuses the layout {layout}", A::ID);
            continue;
        };
        let outputs = built.forward(pictures(size)).unwrap();
        assert_eq!(outputs.get("logits").unwrap().size(), [2, 5], "{} {layout}", A::ID);
        built.set_training(false);
        let whole = tch::no_grad(|| built.forward(pictures(size)).unwrap());
        let mut by_stage = pictures(size);
        for index in 0..built.stages().len() {
            by_stage = tch::no_grad(|| built.run_stages(index, index + 1, by_stage).unwrap());
        }
        assert_eq!(by_stage.first().unwrap(), whole.first().unwrap(), "{} {layout}", A::ID);
        let names = built.tree().trainable();
        let parameters: Vec<&Tensor> = names.iter().map(|name| built.tensor(name)).collect();
        let loss = outputs.first().unwrap().logsumexp([1], false).sum(Kind::Float);
        let gradients = Tensor::run_backward(&[loss], &parameters, false, false);
        let without = names.iter().zip(&gradients).find(|(_, gradient)| !gradient.defined());
        assert!(without.is_none(), "{} {layout}: {without:?} has no gradient", A::ID);
        check_stages_cover_the_model(&built, A::ID);
    }
}

/// Features without a head, and logits of the head `mlp` on a frozen backbone, which alone gets gradients.
fn check_heads<A: Architecture>(config: &Value, size: i64, features: i64) {
    let with = |more: Value| {
        let mut config = config.clone();
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        built::<A>(config)
    };
    let outputs = with(json!({ "features_only": true })).forward(pictures(size)).unwrap();
    assert_eq!(outputs.get("features").unwrap().size(), [2, features], "{}", A::ID);

    let mut frozen = with(json!({ "head": "mlp", "num_classes": 5, "freeze_features": true }));
    let before_head = frozen.stages().len() - 1;
    let features = frozen.run_stages(0, before_head, pictures(size)).unwrap();
    assert!(
        !features.first().unwrap().requires_grad(),
        "{}: a gradient graph leads into the frozen backbone",
        A::ID
    );
    let logits = frozen.run_stages(before_head, before_head + 1, features).unwrap();
    assert_eq!(logits.get("logits").unwrap().size(), [2, 5], "{}", A::ID);
    assert_eq!(
        frozen.tree().trainable(),
        ["head.1.weight", "head.1.bias", "head.4.weight", "head.4.bias"],
        "{}",
        A::ID
    );
}

#[test]
fn every_architecture_has_a_head_to_replace() {
    check_heads::<ResNet18>(&json!({}), 32, 512);
    check_heads::<EfficientNetLite0>(&json!({ "image_size": 32 }), 32, 1280);
    check_heads::<MobileNetV2>(&json!({}), 32, 1280);
    check_heads::<MobileNetV3Large>(&json!({}), 32, 1280);
    check_heads::<EfficientNetB0>(&json!({}), 32, 1280);
    check_heads::<ConvNextTiny>(&json!({}), 32, 768);
    check_heads::<VitB32>(&json!({ "image_size": 32 }), 32, 768);
}

/// Every parameter belongs to exactly one stage.
fn check_stages_cover_the_model(built: &Built, id: &str) {
    let within = |name: &str, module: &str| {
        name.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    for name in built.tree().parameters().map(|parameter| parameter.name.as_str()) {
        let stages =
            built.stages().iter().filter(|stage| stage.modules.iter().any(|module| within(name, module)));
        assert_eq!(stages.count(), 1, "{id}: {name}");
    }
}

#[test]
fn resnet_works_in_every_layout() {
    check_layouts::<ResNet18>(&json!({}), 32);
}

#[test]
fn efficientnet_lite_works_in_every_layout_that_it_has() {
    check_layouts::<EfficientNetLite0>(&json!({ "image_size": 64 }), 64);
}

#[test]
fn mobilenets_work_in_every_layout_that_they_have() {
    check_layouts::<MobileNetV2>(&json!({}), 32);
    check_layouts::<MobileNetV3Large>(&json!({}), 32);
}

#[test]
fn efficientnet_works_in_every_layout() {
    check_layouts::<EfficientNetB0>(&json!({}), 32);
}

#[test]
fn convnext_works_in_every_layout_that_it_has() {
    check_layouts::<ConvNextTiny>(&json!({}), 32);
}

#[test]
fn the_vision_transformer_works_in_every_layout_that_it_has() {
    check_layouts::<VitB32>(&json!({ "image_size": 32 }), 32);
}

#[test]
fn the_vision_transformer_names_the_position_embedding_that_another_image_size_changes() {
    for (layout, name) in
        [("backbone-head", "backbone.encoder.pos_embedding"), ("original", "encoder.pos_embedding")]
    {
        let built = built::<VitB32>(json!({ "image_size": 64, "layout": layout }));
        assert_eq!(built.description().position_grids, [(name.to_owned(), 1)]);
        assert_eq!(built.tensor(name).size(), [1, 5, 768]);
    }
}

/// torchvision's `num_params`, for the models without a reference.
#[test]
fn models_without_a_reference_have_torchvisions_number_of_parameters() {
    let count = |built: &Built| built.tree().parameters().map(|parameter| parameter.numel()).sum::<u64>();
    assert_eq!(count(&built::<ResNext50>(json!({}))), 25_028_904);
    assert_eq!(count(&built::<WideResNet50>(json!({}))), 68_883_240);
    assert_eq!(count(&built::<MobileNetV3Small>(json!({}))), 2_542_856);
    assert_eq!(count(&built::<EfficientNetB1>(json!({}))), 7_794_184);
    assert_eq!(count(&built::<EfficientNetB5>(json!({}))), 30_389_784);
    assert_eq!(count(&built::<ConvNextSmall>(json!({}))), 50_223_688);
    assert_eq!(count(&built::<VitB32>(json!({}))), 88_224_232);
}

#[test]
fn grouped_and_wide_resnets_work_in_every_layout() {
    check_layouts::<ResNext50>(&json!({}), 32);
    check_layouts::<WideResNet50>(&json!({}), 32);
}

#[test]
fn a_model_is_a_backbone_of_the_originals_names_and_a_head() {
    let built = built::<ResNet18>(json!({ "num_classes": 9 }));
    assert_eq!(built.tree().children("").unwrap(), ["backbone", "head"]);
    let names = names(&built);
    assert_eq!(names[0], "backbone.conv1.weight");
    assert_eq!(names[names.len() - 2..], ["head.1.weight", "head.1.bias"]);
    let stages: Vec<&str> = built.stages().iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(stages, ["stem", "layer1", "layer2", "layer3", "layer4", "pool", "head"]);
}

#[test]
fn pretrained_files_know_their_way_into_the_backbone() {
    let aliases = |config| built::<ResNet18>(config).description().weight_aliases.clone();
    let has = |aliases: &[(String, String)], from: &str, to: &str| {
        aliases.iter().any(|alias| alias.0 == from && alias.1 == to)
    };
    let usual = aliases(json!({}));
    assert!(has(&usual, "layer3", "backbone.layer3") && has(&usual, "fc", "head.1"));
    let mlp = aliases(json!({ "head": "mlp", "layout": "sequential" }));
    assert!(has(&mlp, "layer3", "backbone.6") && has(&mlp, "fc", "head"));
    assert!(aliases(json!({ "layout": "original" })).is_empty());
}

#[test]
fn every_entry_of_the_original_has_a_place_in_the_backbone_head_layout() {
    let original = built::<EfficientNetLite0>(json!({ "layout": "original" }));
    let ours = built::<EfficientNetLite0>(json!({}));
    let moved = |name: &str| {
        let within = |from: &str| name.strip_prefix(from).filter(|rest| rest.starts_with('.'));
        let (rest, to) = ours
            .description()
            .weight_aliases
            .iter()
            .find_map(|(from, to)| Some((within(from)?, to)))
            .unwrap();
        format!("{to}{rest}")
    };
    for (name, tensor) in original.tensors() {
        assert_eq!(ours.tensor(&moved(name)).size(), tensor.size(), "{name}");
    }
    assert_eq!(original.tensors().len(), ours.tensors().len());
}

#[test]
fn without_a_head_the_files_last_layer_is_not_asked_for() {
    let built = built::<ResNet18>(json!({ "features_only": true }));
    assert!(names(&built).iter().all(|name| name.starts_with("backbone.")));
    assert_eq!(built.description().unused_weights, ["fc"]);
}

/// What a frozen backbone still does at random would keep its output from being computed once.
#[test]
fn frozen_features_are_the_same_at_every_pass() {
    let config = json!({ "freeze_features": true, "stochastic_depth_prob": 0.9, "dropout": 0.9 });
    let mut built = built::<EfficientNetB0>(config);
    let before_head = built.stages().len() - 1;
    let mut features =
        || built.run_stages(0, before_head, pictures(32)).unwrap().first().unwrap().shallow_clone();
    assert_eq!(features(), features());
}

#[test]
fn a_frozen_backbone_starts_in_evaluation_mode() {
    let built = built::<ResNet18>(json!({ "freeze_features": true, "num_classes": 3 }));
    let is_training: Vec<&str> = built
        .tree()
        .modules()
        .iter()
        .filter(|module| module.training)
        .map(|module| module.path.as_str())
        .collect();
    assert_eq!(is_training, ["", "head", "head.0", "head.1"]);
}

#[test]
fn a_transformer_takes_pictures_of_its_own_size_alone() {
    let mut built = built::<VitB32>(json!({ "image_size": 64 }));
    let error = built.forward(pictures(32)).unwrap_err();
    assert!(error.contains("64 x 64 pixels, found 32 x 32"), "{error}");
}

#[test]
fn what_a_layout_cannot_have_is_refused() {
    assert!(
        refused::<ResNet18>(json!({ "layout": "original", "freeze_features": true }))
            .contains("`freeze_features`")
    );
    assert!(refused::<ResNet18>(json!({ "layout": "original", "head": "mlp" })).contains("`head = \"mlp\"`"));
    assert!(refused::<EfficientNetLite0>(json!({ "layout": "sequential" })).contains("\"sequential\""));
}

#[test]
fn architectures_have_their_own_defaults_and_keys() {
    use thaw_plugin_api::config::{Config, parse};
    use thaw_plugin_api::prelude::Model;
    type Lite4 = <Classifier<EfficientNetLite4> as Model>::Config;

    let schema = Lite4::schema();
    assert_eq!(schema["properties"]["image_size"]["default"], json!(300));
    assert_eq!(schema["properties"]["dropout"]["default"], json!(0.3));
    assert_eq!(parse::<Lite4>("{}").unwrap().to_value()["image_size"], json!(300));
    assert_eq!(parse::<Lite4>(r#"{ "dropout": 0.1 }"#).unwrap().to_value()["dropout"], json!(0.1));
    let error = refused::<ResNet50>(json!({ "drop_connect_rate": 0.1 }));
    assert!(error.contains("unknown key `drop_connect_rate`"), "{error}");
    let error = refused::<ResNet18>(json!({ "width_per_group": 128 }));
    assert!(error.contains("`width_per_group`") && error.contains("bottlenecks"), "{error}");
    let error = refused::<VitB32>(json!({ "image_size": 80 }));
    assert!(
        error.contains("`image_size` is 80, expected a multiple of `patch_size`, which is 32"),
        "{error}"
    );
    let error = refused::<VitB32>(json!({ "num_heads": 5 }));
    assert!(error.contains("`hidden_dim` is 768, expected a multiple of `num_heads`, which is 5"), "{error}");
    let error = refused::<ResNet50>(json!({ "layers": [1, 2, 3] }));
    assert!(error.contains("`layers` is [1,2,3], expected a list of length 4"), "{error}");
    let error = refused::<ResNet50>(json!({ "num_classes": 0 }));
    assert!(error.contains("`num_classes`"), "{error}");
}

#[test]
fn blocks_start_as_the_identity_where_that_is_asked_for() {
    let zeros = |config| {
        let built = built::<ResNet50>(config);
        let weights = built.tensors().iter().filter(|(name, tensor)| {
            name.ends_with("weight") && tensor.count_nonzero(None).int64_value(&[]) == 0
        });
        weights.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let last_norms = [
        "backbone.layer1.0.bn3.weight",
        "backbone.layer2.0.bn3.weight",
        "backbone.layer3.0.bn3.weight",
        "backbone.layer4.0.bn3.weight",
    ];
    assert_eq!(zeros(json!({ "layers": [1, 1, 1, 1], "zero_init_residual": true })), last_norms);
    assert!(zeros(json!({ "layers": [1, 1, 1, 1] })).is_empty());
}

#[test]
fn something_else_than_pictures_is_refused() {
    let mut built = built::<ResNet18>(json!({}));
    let error = built
        .forward(Tensors::one("image", Tensor::zeros([2, 1, 32, 32], (Kind::Float, tch::Device::Cpu))))
        .unwrap_err();
    assert!(error.contains("pictures [N, 3, H, W], found a tensor [2, 1, 32, 32]"), "{error}");
}
