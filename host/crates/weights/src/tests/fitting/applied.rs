//! What fits, copied into a model's tensors.

use super::*;
use crate::{WriteOptions, write_safetensors};
use std::collections::BTreeMap;

#[test]
fn applied_weights_are_the_files_in_the_models_own_tensors() {
    let expected = json("files/expected.json");
    for (name, kind) in [
        ("autoencoder.pth", Kind::Float),
        ("autoencoder.safetensors", Kind::Double),
        ("autoencoder_bf16.safetensors", Kind::Float),
        ("autoencoder.ckpt", Kind::BFloat16),
    ] {
        let found = read(file(name)).expect("it loads");
        let model: Vec<_> = autoencoder().into_iter().map(|tensor| TensorSpec { kind, ..tensor }).collect();
        let tensors: HashMap<_, _> = model
            .iter()
            .map(|tensor| {
                (
                    tensor.name.clone(),
                    Tensor::zeros(&tensor.shape[..], (kind, Device::Cpu)).set_requires_grad(true),
                )
            })
            .collect();
        let plan = plan_load(&model, &found, &config()).expect("it fits");
        let copied =
            apply(&plan, &found, |name| tensors.get(name).map(Tensor::shallow_clone)).expect("applied");
        assert_eq!(copied, 8);
        for (name, tensor) in &tensors {
            assert!(tensor.is_leaf() && tensor.requires_grad(), "{name}");
            let first = expected["contents"]["autoencoder"][name]["first"][0].as_f64().expect("a value");
            let value = tensor.detach().flatten(0, -1).double_value(&[0]);
            assert!((value - first).abs() <= first.abs() / 256.0, "{name}: {value} instead of {first}");
        }
    }
}

#[test]
fn a_view_with_strides_is_filled_in_logical_order() {
    let found = read(file("views.pt")).expect("it loads");
    let entry = found.get("transposed").expect("a tensor");
    let storage = Tensor::zeros([6, 8], (Kind::Float, Device::Cpu));
    let view = storage.transpose(0, 1);
    let model = [TensorSpec::new("transposed", entry.shape(), Kind::Float)];
    let lenient = WeightsConfig { strict: false, ..config() };
    let plan = plan_load(&model, &found, &lenient).expect("it fits");
    apply(&plan, &found, |_| Some(view.shallow_clone())).expect("applied");
    let base = found.get("base").expect("a tensor").tensor().expect("its values");
    assert!(storage.equal(&base));
}

#[test]
fn damage_found_while_loading_names_the_tensor() {
    let found = read(file("bitflip_data.pt")).expect("its names are intact");
    let model: Vec<_> = found
        .entries()
        .iter()
        .map(|entry| TensorSpec::new(entry.name(), entry.shape(), entry.kind()))
        .collect();
    let plan = plan_load(&model, &found, &config()).expect("it fits");
    let error = apply(&plan, &found, |name| {
        let tensor = model.iter().find(|tensor| tensor.name == name)?;
        Some(Tensor::zeros(&tensor.shape[..], (tensor.kind, Device::Cpu)))
    });
    let error = error.expect_err("a flipped bit").to_string();
    assert!(error.contains("bitflip_data.pt: tensor '0.weight'"), "{error}");
}

#[test]
fn a_model_that_lacks_a_planned_tensor_is_an_error() {
    let plan = plan(&autoencoder(), &config());
    let error = apply(&plan, &weights(), |_| None).expect_err("no tensors");
    assert!(error.to_string().contains("the model has no such tensor"), "{error}");
    let wrong = apply(&plan, &weights(), |_| Some(Tensor::zeros([1], (Kind::Float, Device::Cpu))))
        .expect_err("wrong shape");
    assert!(wrong.to_string().contains("planned for shape"), "{wrong}");
}

#[test]
fn values_that_a_conversion_would_change_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("kinds.safetensors");
    let tensors = [
        ("quantised".to_owned(), Tensor::from_slice(&[1i8, -2]).to_kind(Kind::Int8)),
        ("fractions".to_owned(), Tensor::from_slice(&[1.0f32, 2.5])),
        ("whole".to_owned(), Tensor::from_slice(&[1.0f32, 2.0])),
    ];
    write_safetensors(&path, &tensors, &BTreeMap::new(), &WriteOptions::default()).expect("written");
    let file = read(&path).expect("it loads");
    let load = |name: &str, kind: Kind| {
        let model = [TensorSpec::new(name, [2], kind)];
        let config = WeightsConfig { ignore: vec![], strict: false, ..config() };
        let plan = plan_load(&model, &file, &config).expect("the shapes fit");
        let tensor = Tensor::zeros([2], (kind, Device::Cpu));
        apply(&plan, &file, |_| Some(tensor.shallow_clone())).map(|_| numbers(&tensor))
    };
    let quantised = load("quantised", Kind::Float).expect_err("its scale is missing").to_string();
    assert!(quantised.contains("tensor 'quantised'") && quantised.contains("Int8"), "{quantised}");
    let fractions = load("fractions", Kind::Int64).expect_err("2.5 is no count").to_string();
    assert!(fractions.contains("tensor 'fractions'") && fractions.contains("cut off"), "{fractions}");
    assert_eq!(load("whole", Kind::Int64).expect("whole numbers"), [1.0, 2.0]);
}
