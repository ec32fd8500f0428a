mod applied;
mod pretrained;
mod wrapped;

use super::*;
use crate::{
    Interpolation, LoadPlan, LoadReport, PretrainedNames, Rename, TensorSpec, WeightsConfig, apply,
    plan_load, plan_pretrained,
};
use std::collections::HashMap;
use tch::Device;

/// The tensors that a state dict of the reference set has, all float32.
fn autoencoder() -> Vec<TensorSpec> {
    let found = read(file("autoencoder.safetensors")).expect("it loads");
    found.entries().iter().map(|entry| TensorSpec::new(entry.name(), entry.shape(), Kind::Float)).collect()
}

fn below(module: &str, prefix: &str) -> Vec<TensorSpec> {
    let model = autoencoder().into_iter().filter_map(|tensor| {
        let name = tensor.name.strip_prefix(module)?;
        Some(TensorSpec::new(format!("{prefix}{name}"), tensor.shape, tensor.kind))
    });
    model.collect()
}

fn weights() -> StateDict {
    read(file("autoencoder.pt")).expect("it loads")
}

fn plan(model: &[TensorSpec], config: &WeightsConfig) -> LoadPlan {
    plan_load(model, &weights(), config).unwrap_or_else(|error| panic!("{error}"))
}

fn report(model: &[TensorSpec], config: &WeightsConfig) -> LoadReport {
    match plan_load(model, &weights(), config) {
        Err(WeightsError::Mismatch(report)) => *report,
        Err(error) => panic!("{error}"),
        Ok(plan) => panic!("it fits: {plan:?}"),
    }
}

fn config() -> WeightsConfig {
    WeightsConfig::new("autoencoder.pt")
}

fn pairs(plan: &LoadPlan) -> Vec<(&str, &str)> {
    plan.copies.iter().map(|copy| (copy.file.as_str(), copy.model.as_str())).collect()
}

#[test]
fn a_model_of_the_same_names_takes_all() {
    let plan = plan(&autoencoder(), &config());
    assert_eq!(plan.copies.len(), 8);
    assert!(pairs(&plan).iter().all(|(file, model)| file == model));
    assert_eq!((plan.kept.len(), plan.missing.len(), plan.unused.len()), (0, 0, 0));
}

#[test]
fn a_part_of_a_checkpoint_loads_into_another_module() {
    let mut model = below("encoder", "feature_extractor");
    model.push(TensorSpec::new("classifier.weight", [10, 100], Kind::Float));
    let config = WeightsConfig {
        module: Some("encoder".to_owned()),
        to: Some("feature_extractor".to_owned()),
        ..config()
    };
    let plan = plan(&model, &config);
    assert_eq!(plan.copies.len(), 4);
    assert_eq!(pairs(&plan)[0].1, pairs(&plan)[0].0.replace("encoder", "feature_extractor"));
    assert_eq!(plan.kept, ["classifier.weight"]);
}

#[test]
fn a_module_without_a_target_stays_where_it_is() {
    let plan = plan(&autoencoder(), &WeightsConfig { module: Some("encoder".to_owned()), ..config() });
    assert!(pairs(&plan).iter().all(|(file, model)| file == model && file.starts_with("encoder.")));
    assert_eq!((plan.copies.len(), plan.kept.len()), (4, 4));
}

#[test]
fn a_module_with_an_empty_target_is_the_whole_model() {
    let config = WeightsConfig { module: Some("encoder".to_owned()), to: Some(String::new()), ..config() };
    assert_eq!(plan(&below("encoder.", ""), &config).copies.len(), 4);
}

#[test]
fn names_are_stripped_renamed_mapped_and_prefixed_in_this_order() {
    let model = ["net.a.0.weight", "net.a.0.bias", "net.a.2.weight", "net.last"];
    let shapes: [&[i64]; 4] = [&[4, 3072], &[4], &[100, 4], &[100]];
    let model: Vec<_> =
        model.iter().zip(shapes).map(|(name, shape)| TensorSpec::new(*name, shape, Kind::Float)).collect();
    let config = WeightsConfig {
        strip_prefix: "en".to_owned(),
        rename: vec![Rename { pattern: r"^coder\.(\d)".to_owned(), with: "a.$1".to_owned() }],
        map: [("a.2.bias".to_owned(), "last".to_owned())].into(),
        prefix: "net.".to_owned(),
        ignore: vec!["net.decoder".to_owned()],
        ..config()
    };
    let plan = plan(&model, &config);
    assert!(pairs(&plan).contains(&("encoder.2.bias", "net.last")));
    assert_eq!(plan.copies.len(), 4);
    assert_eq!(plan.unused.len(), 4);
}

#[test]
fn ignored_names_keep_their_values_whatever_the_file_has_there() {
    let mut model = below("encoder", "encoder");
    model.push(TensorSpec::new("decoder.0.weight", [7, 7], Kind::Float));
    model.push(TensorSpec::new("head.weight", [2, 4], Kind::Float));
    for ignore in [["decoder.*", "head.*"], ["decoder", "head"], ["d*r", "h?ad.w*"]] {
        let config = WeightsConfig { ignore: ignore.map(str::to_owned).to_vec(), ..config() };
        let plan = plan(&model, &config);
        assert_eq!(plan.kept, ["decoder.0.weight", "head.weight"]);
        assert_eq!(plan.unused, ["decoder.0.bias", "decoder.0.weight", "decoder.2.bias", "decoder.2.weight"]);
    }
}

#[test]
fn everything_that_does_not_fit_is_reported_at_once_and_sorted() {
    let mut model = below("encoder", "encoder");
    model.extend(below("decoder.2", "decoder.3"));
    model.push(TensorSpec::new("decoder.0.bias", [9], Kind::Float));
    model.push(TensorSpec::new("a.first", [1], Kind::Float));
    let report = report(&model, &config());
    let names =
        |tensors: &[crate::Unmatched]| tensors.iter().map(|tensor| tensor.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&report.missing), ["a.first", "decoder.3.bias", "decoder.3.weight"]);
    assert_eq!(names(&report.unexpected), ["decoder.0.weight", "decoder.2.bias", "decoder.2.weight"]);
    assert_eq!(report.mismatched.len(), 1);
    assert_eq!((&report.mismatched[0].model[..], &report.mismatched[0].file[..]), (&[9][..], &[4][..]));
    assert_eq!(report.missing[2].nearest.as_deref(), Some("decoder.2.weight"));
    assert_eq!(report.missing[0].nearest, None);
    assert_eq!(report.matching, 4);
    let text = report.to_string();
    for expected in [
        "autoencoder.pt: these weights do not fit the model; 4 tensors do",
        "3 missing (in the model, not in the file):\n    a.first [1]\n",
        "decoder.3.weight [3072, 4] (nearest in the file: decoder.2.weight)",
        "3 unexpected (in the file, not in the model):",
        "1 of another shape:\n    decoder.0.bias: model [9], file [4]",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn of_weights_of_another_model_a_few_names_are_told() {
    let model: Vec<TensorSpec> =
        (0..20).map(|layer| TensorSpec::new(format!("layer.{layer:02}"), [1], Kind::Float)).collect();
    let text = report(&model, &config()).to_string();
    for expected in [
        "20 missing",
        "    layer.07 [1]\n    … and 12 more",
        "hint: no tensor fits: these are another model's weights",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(!text.contains("layer.08"), "{text}");
}

#[test]
fn what_keeps_all_names_from_fitting_is_named() {
    let hints = |names: Vec<TensorSpec>, config: &WeightsConfig| report(&names, config).hints.join("\n");
    // Whoever says how names differ has the last word.
    let wrapped = WeightsConfig { prefix: "module.".to_owned(), ..config() };
    let hint = hints(autoencoder(), &wrapped);
    assert!(hint.contains("`strip_prefix = \"module.\"` makes 8 fit"), "{hint}");
    let hint = hints(below("", "backbone."), &config());
    assert!(hint.contains("`to = \"backbone\"` makes 8 fit"), "{hint}");
    // A part that is none of the usual ones is for the user to choose, and can be.
    let hint = hints(below("decoder.", ""), &config());
    assert!(hint.contains("`module = \"decoder\"` in the weights makes 4 fit"), "{hint}");
    let chosen = WeightsConfig { module: Some("decoder".to_owned()), ..config() };
    assert_eq!(plan(&below("decoder.", ""), &chosen).copies.len(), 4);
}

#[test]
fn a_new_head_may_be_ignored_by_the_name_that_the_file_has_for_it() {
    let mut model = below("encoder", "backbone");
    model.push(TensorSpec::new("head.2.weight", [10, 128], Kind::Float));
    model.push(TensorSpec::new("head.2.bias", [10], Kind::Float));
    let pretrained = PretrainedNames {
        aliases: [("encoder", "backbone"), ("decoder", "head")]
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .to_vec(),
        unused: vec!["decoder.0".to_owned()],
        ..PretrainedNames::default()
    };
    let load = |ignore: &[&str]| {
        let config = WeightsConfig {
            ignore: ignore.iter().map(|pattern| (*pattern).to_owned()).collect(),
            ..config()
        };
        plan_pretrained(&model, &weights(), &config, &pretrained)
    };
    assert!(matches!(load(&[]), Err(WeightsError::Mismatch(_))));
    for ignore in ["decoder.2", "head.2.*"] {
        let plan = load(&[ignore]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.copies.len(), 4);
        assert_eq!(plan.kept, ["head.2.bias", "head.2.weight"]);
    }
}

#[test]
fn what_cannot_be_loaded_can_be_ignored_as_the_hint_says() {
    let ignored = |model: &[TensorSpec], pattern: &str| {
        let hint = report(model, &config()).hints.join("\n");
        assert!(hint.contains(&format!("`ignore = [\"{pattern}\"]`")), "{hint}");
        plan(model, &WeightsConfig { ignore: vec![pattern.to_owned()], ..config() }).copies.len()
    };
    let mut model = below("encoder", "encoder");
    assert_eq!(ignored(&model, "decoder"), 4);
    model.extend(below("decoder", "decoder"));
    let last = model.iter().position(|tensor| tensor.name == "decoder.2.weight").expect("a tensor");
    model[last].shape = vec![5, 4];
    assert_eq!(ignored(&model, "decoder.2.weight"), 7);
}

#[test]
fn without_strict_names_may_differ_but_not_shapes() {
    let mut model = below("encoder", "encoder");
    model.push(TensorSpec::new("head.weight", [1], Kind::Float));
    let lenient = WeightsConfig { strict: false, ..config() };
    let found = plan(&model, &lenient);
    assert_eq!(found.missing, ["head.weight"]);
    assert_eq!((found.copies.len(), found.unused.len()), (4, 4));
    model[0].shape.push(3);
    assert_eq!(report(&model, &lenient).mismatched.len(), 1);
}

#[test]
fn a_file_of_which_nothing_fits_is_an_error_even_without_strict() {
    let model = [TensorSpec::new("head.weight", [1], Kind::Float)];
    let report = report(&model, &WeightsConfig { strict: false, ..config() });
    assert_eq!(report.matching, 0);
}

#[test]
fn a_missing_batch_counter_is_tolerated() {
    let mut model = autoencoder();
    model.push(TensorSpec::new("bn.num_batches_tracked", [], Kind::Int64));
    assert_eq!(plan(&model, &config()).missing, ["bn.num_batches_tracked"]);
}

#[test]
fn a_module_that_is_not_there_is_named_with_those_that_are() {
    let fault = |config: WeightsConfig| {
        plan_load(&autoencoder(), &weights(), &config).expect_err("no such module").to_string()
    };
    let error = fault(WeightsConfig { module: Some("encodr".to_owned()), ..config() });
    assert!(error.contains("weights.module = \"encodr\"") && error.contains("encoder"), "{error}");
    let error = fault(WeightsConfig { to: Some("backbone".to_owned()), ..config() });
    assert!(
        error.contains("weights.to = \"backbone\"")
            && error.contains("the model")
            && error.contains("decoder"),
        "{error}"
    );
}

#[test]
fn malformed_patterns_are_named_with_their_key() {
    let fault = |config: WeightsConfig| {
        plan_load(&autoencoder(), &weights(), &config).expect_err("malformed").to_string()
    };
    let rename = vec![Rename { pattern: "(".to_owned(), with: String::new() }];
    let error = fault(WeightsConfig { rename, ..config() });
    assert!(error.contains("weights.rename.pattern: \"(\"") && error.contains("unclosed"), "{error}");
    let error = fault(WeightsConfig { ignore: vec!["a[".to_owned()], ..config() });
    assert!(error.contains("weights.ignore: \"a[\""), "{error}");
}

#[test]
fn two_names_that_become_one_are_an_error() {
    let rename = vec![Rename { pattern: "^(en|de)coder".to_owned(), with: "x".to_owned() }];
    let error =
        plan_load(&autoencoder(), &weights(), &WeightsConfig { rename, ..config() }).expect_err("ambiguous");
    assert!(matches!(&error, WeightsError::NameTwice { name, .. } if name == "x.0.weight"), "{error}");
}
