use tch::{Kind, Tensor};

use super::{Mode, Registry};
use crate::nn::{BatchNorm2d, Linear, Module, Path, init};

fn paths(registry: &Registry) -> Vec<String> {
    let tree = registry.tree().unwrap();
    tree.modules().iter().map(|module| module.path.clone()).collect()
}

#[test]
fn modules_come_depth_first_in_the_order_of_their_registration() {
    let root = Path::root();
    for path in ["b", "b.y", "a", "b.x", "a.z"] {
        root.child(path).module("Linear").unwrap();
    }
    assert_eq!(paths(&root.into_registry()), ["", "b", "b.y", "b.x", "a", "a.z"]);
}

#[test]
fn a_parent_may_be_registered_after_its_child_and_keeps_the_place_of_the_child() {
    let root = Path::root();
    (&root / "block" / 0).module("Conv2d").unwrap();
    (&root / "head").module("Linear").unwrap();
    (&root / "block").module("Sequential").unwrap();
    let registry = root.into_registry();
    assert_eq!(paths(&registry), ["", "block", "block.0", "head"]);
    let tree = registry.tree().unwrap();
    assert_eq!(tree.modules()[1].kind, "Sequential");
    assert!(tree.modules()[1].iterable);
}

#[test]
fn a_place_takes_one_module() {
    let root = Path::root();
    (&root / "a").module("Linear").unwrap();
    let error = (&root / "a").module("Conv2d").err().unwrap();
    assert_eq!(error.to_string(), "there is a module `a` already");
}

#[test]
fn tensors_come_in_state_dict_order_own_parameters_first() {
    let root = Path::root();
    let block = &root / "block";
    BatchNorm2d::new(&(&block / "norm"), 2).unwrap();
    let _ = block.module("Block").unwrap().parameter("scale", init::ones(&[2]).unwrap()).unwrap();
    Linear::new(&(&root / "head"), 2, 1).unwrap();
    let names: Vec<String> = root.into_registry().tensors().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "block.scale",
        "block.norm.weight",
        "block.norm.bias",
        "block.norm.running_mean",
        "block.norm.running_var",
        "block.norm.num_batches_tracked",
        "head.weight",
        "head.bias",
    ];
    assert_eq!(names, expected);
}

#[test]
fn one_tensor_under_two_names_is_tied_to_the_first() {
    let root = Path::root();
    let embedding = (&root / "embedding").module("Embedding").unwrap();
    let weight = embedding.parameter("weight", init::ones(&[3, 2]).unwrap()).unwrap();
    let _ = (&root / "decoder").module("Linear").unwrap().parameter("weight", weight).unwrap();
    let tree = root.into_registry().tree().unwrap();
    assert_eq!(tree.parameter("decoder.weight").unwrap().tied_to.as_deref(), Some("embedding.weight"));
    assert_eq!(tree.parameter("embedding.weight").unwrap().tied_to, None);
}

#[test]
fn parameters_without_elements_are_not_tied() {
    let root = Path::root();
    let module = root.module("Model").unwrap();
    let _ = module.parameter("a", init::ones(&[0]).unwrap()).unwrap();
    let _ = module.parameter("b", init::ones(&[0]).unwrap()).unwrap();
    let tree = root.into_registry().tree().unwrap();
    assert!(tree.parameters().all(|parameter| parameter.tied_to.is_none()));
}

#[test]
fn a_name_that_is_there_twice_is_refused() {
    let root = Path::root();
    let module = root.module("Model").unwrap();
    let _ = module.parameter("scale", init::ones(&[1]).unwrap()).unwrap();
    let _ = module.buffer("scale", init::ones(&[1]).unwrap());
    let error = root.into_registry().tree().unwrap_err();
    assert_eq!(error.to_string(), "there are two parameters or buffers named `scale`");
}

#[test]
fn what_is_frozen_when_built_is_so_in_the_tree() {
    let root = Path::root();
    Linear::new(&(&root / "backbone" / 0), 2, 2).unwrap();
    Linear::new(&(&root / "head"), 2, 2).unwrap();
    (&root / "backbone").freeze().unwrap();
    let tree = root.into_registry().tree().unwrap();
    assert_eq!(tree.trainable(), ["head.weight", "head.bias"]);
    let training: Vec<bool> = tree.modules().iter().map(|module| module.training).collect();
    assert_eq!(training, [true, false, false, true]);
}

#[test]
fn modes_reach_the_layers_in_tree_order() {
    let root = Path::root();
    let first = BatchNorm2d::new(&(&root / "first"), 1).unwrap();
    let second = BatchNorm2d::new(&(&root / "second"), 1).unwrap();
    let registry = root.into_registry();
    registry.set_modes(&[Mode::to_bits(true, true), Mode::to_bits(false, false), Mode::to_bits(true, true)]);
    let input = Tensor::from_slice(&[1.0_f32, 3.0]).reshape([2, 1, 1, 1]);
    let mean = |norm: &BatchNorm2d| norm.forward(&input).unwrap().mean(Kind::Double).double_value(&[]);
    // Stored statistics (mean 0) leave the mean of 2, the batch's own take it away.
    assert!((mean(&first) - 2.0).abs() < 1e-4);
    assert!(mean(&second).abs() < 1e-6);
}
