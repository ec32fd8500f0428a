//! Valid files with a property that a loader must notice.

use super::*;

/// The logits of a picture of 8 × 8 pixels, with a seed for what is drawn.
fn logits(built: &mut Built, batch: i64) -> Tensor {
    let pictures = picture(batch, 8);
    tch::manual_seed(5);
    tch::no_grad(|| first(built, pictures))
}

#[test]
fn a_module_that_was_in_evaluation_mode_stays_so() {
    let _alone = alone();
    let mut partly = built("odd/frozen_batch_norm", &json!({})).unwrap();
    assert_eq!(partly.tree().get("bn").unwrap().fixed_mode, Some(false));
    partly.set_training(true);
    let before = partly.tensor("bn.running_mean").copy();
    let _ = logits(&mut partly, 4);
    assert!(partly.tensor("bn.running_mean").equal(&before));
    let dropped = logits(&mut partly, 4);
    partly.set_training(false);
    assert!(!logits(&mut partly, 4).equal(&dropped), "the dropout follows its mode");
}

#[test]
fn a_file_exported_in_evaluation_mode_trains_all_the_same() {
    let _alone = alone();
    let mut odd = built("odd/eval_mode", &json!({})).unwrap();
    let mut other = built("odd/static_batch", &json!({})).unwrap();
    for (name, tensor) in other.tensors() {
        tch::no_grad(|| odd.tensor(name).shallow_clone().copy_(tensor));
    }
    for trains in [true, false] {
        odd.set_training(trains);
        other.set_training(trains);
        assert!(logits(&mut odd, 4).equal(&logits(&mut other, 4)), "training mode: {trains}");
    }
    assert!(odd.tensor("bn.running_mean").equal(other.tensor("bn.running_mean")));
}

#[test]
fn a_fixed_batch_is_a_clear_error_for_another() {
    let _alone = alone();
    let mut fixed = built("odd/static_batch", &json!({})).unwrap();
    assert_eq!(logits(&mut fixed, 4).size(), [4, 2]);
    let error = fixed.forward(picture(3, 8)).unwrap_err();
    assert!(
        error.contains("the input `image` is [3, 3, 8, 8], the file was exported for [4, 3, 8, 8]"),
        "{error}"
    );
}

#[test]
fn a_strict_export_is_the_same_model() {
    let _alone = alone();
    let mut strict = built("odd/strict", &json!({})).unwrap();
    let mut plain = built("odd/eval_mode", &json!({})).unwrap();
    let names = |built: &Built| built.tensors().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&strict), names(&plain));
    for (name, tensor) in plain.tensors() {
        tch::no_grad(|| strict.tensor(name).shallow_clone().copy_(tensor));
    }
    strict.set_training(false);
    plain.set_training(false);
    assert!(logits(&mut strict, 3).equal(&logits(&mut plain, 3)));
}

#[test]
fn randomness_that_no_mode_switches_off_is_known() {
    let _alone = alone();
    let path = folder().join("odd/noise.pt2");
    let program = crate::program::Program::read(&path, None).unwrap();
    let exported = crate::modes::Exported::of(&program.graph);
    let lowered = crate::lower::lower(&program, &exported).unwrap();
    assert_eq!(lowered.always_random, [""]);
    let convnet = crate::program::Program::read(&folder().join("convnet.pt2"), None).unwrap();
    let exported = crate::modes::Exported::of(&convnet.graph);
    assert!(crate::lower::lower(&convnet, &exported).unwrap().always_random.is_empty());
}

#[test]
fn both_branches_of_a_condition_run() {
    let _alone = alone();
    let mut branch = built("odd/branch", &json!({})).unwrap();
    branch.set_training(false);
    let _guard = tch::no_grad_guard();
    let ones = Tensor::ones([2, 3, 8, 8], (Kind::Float, Device::Cpu));
    let mut plain = built("odd/eval_mode", &json!({})).unwrap();
    for (name, tensor) in branch.tensors() {
        plain.tensor(name).shallow_clone().copy_(tensor);
    }
    plain.set_training(false);
    for (sign, expected) in [(1.0, true), (-1.0, false)] {
        let input = || Tensors::one("image", &ones * sign);
        let base = first(&mut plain, input());
        let expected = if expected { &base * 2 } else { &base + 1 };
        assert!(first(&mut branch, input()).equal(&expected), "sign {sign}");
    }
}

#[test]
fn autocast_inside_a_program_computes_in_its_type() {
    let _alone = alone();
    let mut autocast = built("odd/autocast", &json!({})).unwrap();
    let mut plain = built("odd/eval_mode", &json!({})).unwrap();
    for (name, tensor) in autocast.tensors() {
        tch::no_grad(|| plain.tensor(name).shallow_clone().copy_(tensor));
    }
    autocast.set_training(false);
    plain.set_training(false);
    let (rounded, exact) = (logits(&mut autocast, 4), logits(&mut plain, 4));
    let off = (&rounded - &exact).abs().max().double_value(&[]);
    assert!(off > 0.0 && off < 0.05, "bfloat16 is off by {off}");
    assert_eq!(rounded.kind(), Kind::Float);
    // Modes reach the modules inside.
    autocast.set_training(true);
    let counter = autocast.tensor("bn.num_batches_tracked").int64_value(&[]);
    let _ = logits(&mut autocast, 4);
    assert_eq!(autocast.tensor("bn.num_batches_tracked").int64_value(&[]), counter + 1);
}

#[test]
fn a_bfloat16_export_takes_float32_pictures() {
    let _alone = alone();
    let mut half = built("odd/half", &json!({})).unwrap();
    assert_eq!(half.tensor("conv.weight").kind(), Kind::BFloat16);
    assert_eq!(logits(&mut half, 2).size(), [2, 2]);
}

#[test]
fn of_two_programs_the_one_for_training_is_taken_or_the_one_that_is_named() {
    let _alone = alone();
    let train = built("odd/two_programs", &json!({})).unwrap();
    let eval = built("odd/two_programs", &json!({ "program": "eval" })).unwrap();
    assert_eq!(train.tensors().len(), eval.tensors().len());
    let Err(error) = built("odd/two_programs", &json!({ "program": "test" })) else { panic!("accepted") };
    assert!(error.contains("it holds the programs eval, train; the config names test"), "{error}");
}
