use std::path::PathBuf;

use thaw_plugin_api::model::Tensors;
use thaw_plugin_api::nn::Mode;
use thaw_plugin_api::serde_json::{Value, json};
use thaw_plugin_api::tch::{self, Device, Kind, Tensor};
use thaw_test_references::{Built, Norm, Reference, check_script, fixtures};

use super::*;

fn file(name: &str) -> PathBuf {
    fixtures().join("files").join(name)
}

fn built(name: &str, more: &Value) -> Result<Built, String> {
    let mut config = more.clone();
    config["path"] = json!(file(name));
    Built::new::<TorchScript>(&config)
}

fn pictures() -> Tensors {
    Reference::read("files/torchscript.json").inputs()
}

fn logits(built: &mut Built) -> Tensor {
    built.forward(pictures()).unwrap().into_iter().next().unwrap().1
}

#[test]
fn every_file_of_the_reference_is_pytorchs_in_outputs_and_training() {
    tch::set_num_threads(1);
    let reference = Reference::read("files/torchscript.json");
    for name in reference.script_files() {
        check_script(&reference.script(&name), || built(&name, &json!({})))
            .unwrap_or_else(|difference| panic!("{name}: {difference}"));
    }
}

#[test]
fn a_file_of_another_precision_computes_and_trains_in_float32() {
    tch::set_num_threads(1);
    let mut original = built("script_classifier_p0.pt", &json!({})).unwrap();
    original.set_training(false);
    let expected = tch::no_grad(|| logits(&mut original));
    let folder = tempfile::tempdir().unwrap();
    // What the rounding of the weights comes to at the end.
    for (kind, tolerance) in [(Kind::Half, 0.02), (Kind::BFloat16, 0.15), (Kind::Double, 1e-5)] {
        let path = folder.path().join("other.pt");
        let mut module = tch::CModule::load(file("script_classifier_p0.pt")).unwrap();
        module.to(Device::Cpu, kind, false);
        module.save(&path).unwrap();
        let mut built = Built::new::<TorchScript>(&json!({ "path": path })).unwrap();
        for (name, tensor) in built.tensors() {
            assert_eq!(tensor.kind(), Kind::Float, "{name}");
        }
        built.set_training(false);
        let found = tch::no_grad(|| logits(&mut built));
        let difference = (&found - &expected).abs().max().double_value(&[]);
        assert!(difference < tolerance * expected.std(true).double_value(&[]), "{kind:?}: {difference}");
        built.set_training(true);
        built
            .loss(pictures(), Reference::read("files/torchscript.json").labels().as_ref())
            .unwrap()
            .backward();
        let gradient = built.tensor("fc.weight").grad();
        assert_eq!(gradient.kind(), Kind::Float);
        assert!(gradient.abs().sum(Kind::Float).double_value(&[]) > 0.0);
    }
}

#[test]
fn a_part_of_a_file_under_a_new_head_trains_as_the_whole_file_does() {
    tch::set_num_threads(1);
    let reference = Reference::read("files/torchscript.json").script("script_backbone_head.pt");
    let whole = built("script_backbone_head.pt", &json!({})).unwrap();
    check_script(&reference, || {
        let own = json!({ "module": "backbone", "num_classes": 5, "head": "mlp", "mlp_features": 12,
            "image_size": 16 });
        let built = built("script_backbone_head.pt", &own)?;
        for (name, values) in whole.tensors().iter().filter(|(name, _)| name.starts_with("head.")) {
            tch::no_grad(|| built.tensor(name).shallow_clone().copy_(values));
        }
        Ok(built)
    })
    .unwrap();
}

#[test]
fn stages_follow_a_forward_that_only_runs_its_children() {
    let names = |built: Built| built.stages().iter().map(|stage| stage.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(built("script_classifier.pt", &json!({})).unwrap()), ["features", "dropout", "fc"]);
    let whole = names(built("script_backbone_head.pt", &json!({})).unwrap());
    assert_eq!(whole, ["backbone", "head.0", "head.1", "head.2", "head.3"]);
    assert_eq!(names(built("script_tuple.pt", &json!({})).unwrap()), ["model"]);
    let headed = names(
        built("script_tuple.pt", &json!({ "num_classes": 3, "output": "1", "image_size": 16 })).unwrap(),
    );
    assert_eq!(headed, ["backbone", "head"]);
}

#[test]
fn a_mode_reaches_its_submodule_alone() {
    tch::manual_seed(1);
    let mut built = built("script_classifier.pt", &json!({})).unwrap();
    let _guard = tch::no_grad_guard();
    built.set_training(false);
    let evaluated = logits(&mut built);
    built.set_modes(|module| module.path == "dropout");
    let dropped = logits(&mut built);
    assert_ne!(dropped, evaluated, "the dropout trains");
    let counter = "features.block1.bn.num_batches_tracked";
    assert_eq!(built.tensor(counter).int64_value(&[]), 0, "the batch norms do not");
    built.set_modes(|module| module.path == "features.block1.bn");
    let _ = logits(&mut built);
    assert_eq!(built.tensor(counter).int64_value(&[]), 1);
    assert_eq!(built.tensor("features.block2.bn.num_batches_tracked").int64_value(&[]), 0);
}

#[test]
fn batch_statistics_leave_the_stored_ones_alone() {
    let mut built = built("script_classifier_p0.pt", &json!({})).unwrap();
    let _guard = tch::no_grad_guard();
    let stored = |built: &Built| {
        built
            .tensors()
            .iter()
            .filter(|(name, _)| name.contains("running") || name.contains("num_batches"))
            .map(|(_, tensor)| tensor.copy())
            .collect::<Vec<_>>()
    };
    let before = stored(&built);
    let modes = |training, tracking| vec![Mode::to_bits(training, tracking); 32];
    let count = built.tree().modules().len();
    built.set_raw_modes(&modes(true, false)[..count]);
    let batch = logits(&mut built);
    assert_eq!(stored(&built), before);
    built.set_raw_modes(&modes(true, true)[..count]);
    assert_eq!(logits(&mut built), batch, "batch statistics normalise either way");
    assert_ne!(stored(&built), before, "and are tracked where asked for");
    built.set_raw_modes(&modes(false, true)[..count]);
    assert_ne!(logits(&mut built), batch, "stored statistics normalise in evaluation mode");
}

#[test]
fn a_traced_module_says_which_modules_know_one_mode_only() {
    let traced = built("trace_classifier.pt", &json!({})).unwrap();
    let fixed: Vec<_> = traced.tree().modules().iter().filter(|module| module.fixed_mode.is_some()).collect();
    let paths: Vec<&str> = fixed.iter().map(|module| module.path.as_str()).collect();
    assert_eq!(paths, ["features.block1.bn", "features.block2.bn", "dropout"]);
    assert!(fixed.iter().all(|module| module.fixed_mode == Some(false) && !module.training));
    let scripted = built("script_classifier.pt", &json!({})).unwrap();
    assert!(scripted.tree().modules().iter().all(|module| module.fixed_mode.is_none()));
}

#[test]
fn the_chosen_output_comes_first() {
    let mut whole = built("script_tuple.pt", &json!({})).unwrap();
    let mut chosen = built("script_tuple.pt", &json!({ "output": "1" })).unwrap();
    let _guard = tch::no_grad_guard();
    let (whole, chosen) = (whole.forward(pictures()).unwrap(), chosen.forward(pictures()).unwrap());
    let names = |outputs: &Tensors| {
        outputs.iter().map(|(name, tensor)| (name.to_owned(), tensor.size())).collect::<Vec<_>>()
    };
    assert_eq!(names(&whole), [("logits".to_owned(), vec![8, 5]), ("output.1".to_owned(), vec![8, 16])]);
    assert_eq!(names(&chosen), [("logits".to_owned(), vec![8, 16]), ("output.0".to_owned(), vec![8, 5])]);
}

#[test]
fn what_cannot_be_a_model_is_refused_with_the_reason() {
    let refused = |name: &str, more: Value| built(name, &more).err().unwrap();
    let state_dict = refused("small.pt", json!({}));
    assert!(state_dict.contains("small.pt holds weights without code"), "{state_dict}");
    assert!(state_dict.contains("help: write it with `torch.jit.script(module).save"), "{state_dict}");
    for damaged in ["small.safetensors", "truncated.pt", "small.pth", "empty.pt", "hostile_raw.pth"] {
        let message = refused(damaged, json!({}));
        assert!(
            message.contains(damaged) && message.contains("is no TorchScript file, or it is cut off"),
            "{message}"
        );
    }
    assert!(refused("missing.pt", json!({})).contains("there is no TorchScript file"));
    assert!(refused("..", json!({})).contains("it is no file"));
    let module = refused("script_backbone_head.pt", json!({ "module": "backbon" }));
    assert!(
        module.contains("has no module `backbon`") && module.contains("did you mean `backbone`?"),
        "{module}"
    );
    let probe = refused("script_classifier.pt", json!({ "num_classes": 3, "input_shape": [4, 16, 16] }));
    assert!(
        probe.contains("inputs of shape [4, 16, 16]") && probe.contains("to have 3 channels, but got 4"),
        "{probe}"
    );
    let output = refused("script_tuple.pt", json!({ "num_classes": 3, "image_size": 16, "output": "2" }));
    assert!(output.contains("`forward` has no output `2`, expected one of 0, 1"), "{output}");
    assert!(refused("script_tuple.pt", json!({ "freeze_features": true })).contains("set `num_classes`"));
}

#[test]
fn an_exported_program_is_called_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt2");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    archive.start_file("model/archive_format", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut archive, b"pt2").unwrap();
    archive.finish().unwrap();
    let error = Built::new::<TorchScript>(&json!({ "path": path })).err().unwrap();
    assert!(error.contains("model.pt2 is an exported program (torch.export.save)"), "{error}");
    assert!(error.contains("help: train it with `id = \"torch-export\"`"), "{error}");
}

#[test]
fn files_of_the_module_itself_load_below_a_new_head() {
    let aliases = |more: Value| {
        let built = built("script_classifier.pt", &more).unwrap();
        built.description().weight_aliases.clone()
    };
    let under_a_head = aliases(json!({ "num_classes": 3, "image_size": 16 }));
    assert_eq!(under_a_head, [(String::new(), "backbone".to_owned())]);
    assert!(aliases(json!({})).is_empty(), "the whole file has its own names");
}

/// `script_classifier.pt` with one byte changed inside the entry whose name ends so.
fn with_a_changed_byte(name: &str) -> tempfile::NamedTempFile {
    let mut bytes = std::fs::read(file("script_classifier.pt")).unwrap();
    let header = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
    // Entries begin at the next multiple of 64.
    bytes[(header / 64 + 2) * 64] ^= 1;
    let changed = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(changed.path(), bytes).unwrap();
    changed
}

#[test]
fn a_changed_bit_is_found_in_weights_and_code() {
    for name in ["/data/0", "/code/__torch__/script_models.py"] {
        let changed = with_a_changed_byte(name);
        let error = Built::new::<TorchScript>(&json!({ "path": changed.path() })).err().unwrap();
        let path = changed.path().to_str().unwrap();
        assert!(error.contains(path) && error.contains(&format!("{name}: Invalid checksum")), "{error}");
    }
}

#[test]
fn a_failing_forward_names_the_place_in_the_files_code() {
    let mut built = built("script_classifier.pt", &json!({})).unwrap();
    let error = built
        .forward(Tensors::one("x", Tensor::zeros([2, 4, 16, 16], (Kind::Float, Device::Cpu))))
        .unwrap_err();
    assert!(error.contains("to have 3 channels, but got 4 channels instead"), "{error}");
    assert!(error.contains("(in the file's code, torch/nn/modules/conv.py"), "{error}");
}

#[test]
fn a_module_traced_in_training_mode_refuses_what_pytorchs_layers_refuse() {
    tch::set_num_threads(1);
    for norm in Norm::all() {
        let mut traced = Built::new::<TorchScript>(&json!({ "path": norm.file("pt") })).unwrap();
        norm.assert_trains(&mut traced);
        for training in [true, false] {
            // Its code is that of training mode in either.
            traced.set_training(training);
            let error = norm.refusal(&mut traced);
            assert!(error.contains(&norm.expected_refusal()), "{}: {error}", norm.name());
            assert!(error.contains("(in the file's code, "), "{}: {error}", norm.name());
        }
    }
}
