//! What fits, copied into a model's tensors.

use super::*;

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
