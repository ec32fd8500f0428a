use thaw_plugin_api::model::{Model, Stage, Tensors};
use thaw_plugin_api::serde_json::{Value, json};
use thaw_plugin_api::tch::{Device, Kind, Tensor, no_grad};
use thaw_test_references::{Built, Reference};

use super::*;

fn built<M: Model>(config: &Value) -> Built {
    Built::new::<M>(config).unwrap()
}

#[test]
fn the_autoencoder_is_pytorchs() {
    let reference = Reference::arch("autoencoder");
    let mut built = built::<AutoEncoder>(&json!({}));
    built.check_names(&reference).unwrap();
    built.fill(1.0, str::to_owned);
    let module_of = |stage: &Stage| (stage.name == "encoder").then(|| "2".to_owned());
    built.check_stages(&reference, module_of).unwrap();
    built.check_eval(&reference).unwrap();
    built.check_train(&reference).unwrap();
}

#[test]
fn the_classifier_is_pytorchs_with_the_encoder_frozen_and_trained() {
    let reference = Reference::arch("cifar10_classifier");
    for (frozen, step) in [(true, "train_frozen_backbone"), (false, "train")] {
        let mut built = built::<EncoderClassifier>(&json!({ "freeze_features": frozen }));
        built.check_names(&reference).unwrap();
        built.fill(1.0, |name| name.replace("feature_extractor.", "encoder."));
        built.check_eval(&reference).unwrap();
        built.set_training(true);
        built.check_step(&reference, step).unwrap();
    }
}

/// The tensors of `files/autoencoder.safetensors` that lie in `module`, taken over as `to`.
fn load(built: &Built, module: &str, to: &str) {
    let file = thaw_test_references::fixtures().join("files/autoencoder.safetensors");
    let stored = Tensor::read_safetensors(file).unwrap();
    for (name, values) in stored {
        let Some(rest) = name.strip_prefix(module) else { continue };
        no_grad(|| built.tensor(&format!("{to}{rest}")).shallow_clone().copy_(&values));
    }
}

#[test]
fn a_trained_encoder_extracts_the_features_that_it_had_in_the_autoencoder() {
    let reference = Reference::read("files/autoencoder.json");
    let mut whole = built::<AutoEncoder>(&json!({ "hidden_dim": 4 }));
    load(&whole, "", "");
    let mut classifier = built::<EncoderClassifier>(&json!({ "hidden_dim": 4, "freeze_features": true }));
    classifier.fill(1.0, str::to_owned);
    load(&classifier, "encoder.", "feature_extractor.");
    let inputs = || Tensors::one("x", thaw_test_references::formula::images(&[2, 3, 32, 32]));
    let outputs = whole.forward(inputs()).unwrap();
    for name in ["reconstruction", "representation"] {
        reference.check_output(name, outputs.get(name).unwrap()).unwrap();
    }
    let logits = classifier.forward(inputs()).unwrap();
    reference.part("cifar10_classifier").check_output("logits", logits.first().unwrap()).unwrap();
}

#[test]
fn inputs_of_another_shape_are_refused_with_both_shapes() {
    let mut built = built::<AutoEncoder>(&json!({ "image_shape": [1, 4, 4] }));
    assert_eq!(built.description().input.image_size, Some(4));
    let error = built
        .forward(Tensors::one("x", Tensor::zeros([2, 1, 5, 4], (Kind::Float, Device::Cpu))))
        .unwrap_err();
    assert!(error.contains("an input has shape [1, 5, 4], the model is for [1, 4, 4]"), "{error}");
    let error = Built::new::<AutoEncoder>(&json!({ "image_shape": [] })).err().unwrap();
    assert!(error.contains("image_shape is [], expected such as [3, 32, 32]"), "{error}");
}
