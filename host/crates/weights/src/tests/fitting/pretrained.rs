//! Pretrained files that call things by other names than the model.

use super::*;

/// The auto-encoder under `backbone`, without its decoder, which its files call by other names.
fn pretrained(aliases: &[(&str, &str)], unused: &[&str]) -> Result<LoadPlan, WeightsError> {
    let aliases = aliases.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    let names = PretrainedNames {
        aliases,
        unused: unused.iter().map(|path| (*path).to_owned()).collect(),
        ..PretrainedNames::default()
    };
    plan_pretrained(&below("encoder", "backbone"), &weights(), &config(), &names)
}

#[test]
fn names_of_pretrained_files_move_to_the_models_own() {
    let plan = pretrained(&[("encoder", "backbone")], &["decoder"]).unwrap();
    assert_eq!(plan.copies.len(), 4);
    assert!(pairs(&plan).contains(&("encoder.0.weight", "backbone.0.weight")));
    assert!(plan.unused.iter().all(|name| name.starts_with("decoder.")) && plan.unused.len() == 4);
    // The longest of several counts, a whole name at last.
    let report =
        match pretrained(&[("encoder", "backbone"), ("encoder.0.weight", "backbone.2.bias")], &["decoder"]) {
            Err(WeightsError::NameTwice { name, .. }) => name,
            other => panic!("{other:?}"),
        };
    assert_eq!(report, "backbone.2.bias");
}

#[test]
fn what_no_alias_and_no_unused_module_covers_is_still_unexpected() {
    let Err(WeightsError::Mismatch(report)) = pretrained(&[("encoder", "backbone")], &["deco", "decoder.0"])
    else {
        panic!("the decoder's second layer is asked for");
    };
    let unexpected: Vec<_> = report.unexpected.iter().map(|tensor| tensor.in_file.as_str()).collect();
    assert_eq!(unexpected, ["decoder.2.bias", "decoder.2.weight"]);
}

#[test]
fn the_models_own_names_need_no_alias() {
    let names = PretrainedNames {
        aliases: vec![("encoder".to_owned(), "decoder".to_owned())],
        unused: vec!["decoder".to_owned()],
        ..PretrainedNames::default()
    };
    let plan = plan_pretrained(&autoencoder(), &weights(), &config(), &names).unwrap();
    assert_eq!((plan.copies.len(), plan.unused.len()), (8, 0));
}

#[test]
fn position_embeddings_are_interpolated_as_torchvision_does_where_the_config_says_so() {
    let reference = read(fixtures().join("../vit/interpolate_embeddings.safetensors")).expect("it loads");
    let name = "backbone.encoder.pos_embedding";
    let pretrained = PretrainedNames { grids: vec![(name.to_owned(), 1)], ..PretrainedNames::default() };
    let config = WeightsConfig {
        strict: false,
        map: [("from_7".to_owned(), name.to_owned())].into(),
        interpolate_embeddings: Interpolation::Torchvision,
        ..WeightsConfig::new("vit.pth")
    };
    for side in [4, 7, 12] {
        let shape = [1, 1 + side * side, 3];
        let model = [TensorSpec::new(name, shape, Kind::Float)];
        let plan = plan_pretrained(&model, &reference, &config, &pretrained)
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.copies[0].resize.is_some(), side != 7);
        let loaded = Tensor::zeros(shape, (Kind::Float, Device::Cpu));
        apply(&plan, &reference, |_| Some(loaded.shallow_clone())).expect("applies");
        let expected = reference
            .get(if side == 7 {
                "from_7"
            } else if side == 4 {
                "to_4"
            } else {
                "to_12"
            })
            .expect("a fixture");
        let difference = (&loaded - expected.tensor().expect("values")).abs().max().double_value(&[]);
        assert!(difference < 1e-6, "{side}: {difference}");

        let strict = WeightsConfig { interpolate_embeddings: Interpolation::Refused, ..config.clone() };
        match plan_pretrained(&model, &reference, &strict, &pretrained) {
            Ok(_) => assert_eq!(side, 7),
            Err(error) => {
                assert!(side != 7 && error.to_string().contains("`interpolate_embeddings = true`"), "{error}")
            }
        }
    }
    let features = [TensorSpec::new(name, [1, 17, 4], Kind::Float)];
    assert!(
        plan_pretrained(&features, &reference, &config, &pretrained).is_err(),
        "other features are another model's"
    );
    let oblong = [TensorSpec::new(name, [1, 13, 3], Kind::Float)];
    assert!(
        plan_pretrained(&oblong, &reference, &config, &pretrained).is_err(),
        "twelve patches are no square"
    );
}

#[test]
fn what_a_model_says_of_a_module_is_a_hint_where_that_does_not_fit() {
    let names = PretrainedNames {
        notes: vec![
            ("decoder".to_owned(), "another layout has the decoder".to_owned()),
            ("head".to_owned(), "a file without a head is for another layout".to_owned()),
            ("encoder".to_owned(), "not this".to_owned()),
        ],
        ..PretrainedNames::default()
    };
    let mut model: Vec<TensorSpec> =
        autoencoder().into_iter().filter(|tensor| !tensor.name.starts_with("decoder.")).collect();
    model.push(TensorSpec::new("head.weight", [2], Kind::Float));
    let refused = plan_pretrained(&model, &weights(), &config(), &names);
    let Err(WeightsError::Mismatch(report)) = refused else { panic!("{refused:?}") };
    let text = report.to_string();
    assert!(
        text.contains("another layout has the decoder") && text.contains("file without a head"),
        "{text}"
    );
    assert!(!text.contains("not this"), "{text}");
    let fits = plan_pretrained(&autoencoder(), &weights(), &config(), &names).unwrap();
    assert!(fits.notes.is_empty(), "a module is no name of a tensor: {:?}", fits.notes);
}
