//! Activations that are computed again in the backward pass change nothing but time and memory.

use thaw_tests::{Outcome, Run, Values, tiny_text, write_tensors};

/// A whole model that trains on numbers in two classes, in windows of two batches of which the last is short.
fn run(plugin: &str, model: &str, shape: &[usize]) -> Run {
    let run = Run::new(&format!(
        "seed = 1\nplugins = [{plugin:?}]\n[model]\nid = {model:?}\n\n[data]\nkind = \"tensors\"\npath = \
         \"data.safetensors\"\nval_split = 0.25\nbatch_size = 3\n[optimizer]\nid = \"adamw\"\nlr = 0.01\n\
         [trainer]\nmax_epochs = 2\naccumulate_grad_batches = 2\ngradient_clip_val = 1.0\n\
         log_every_n_steps = 1\n"
    ));
    let (samples, width) = (15, shape.iter().product::<usize>());
    let value = |index: usize| ((index * 7919 % 1013) as f32 / 506.0 - 1.0) + (index / width % 2) as f32;
    let x: Vec<f32> = (0..samples * width).map(value).collect();
    let y: Vec<i64> = (0..samples as i64).map(|index| index % 2).collect();
    let sizes: Vec<usize> = std::iter::once(samples).chain(shape.iter().copied()).collect();
    let tensors = [("x", &sizes[..], Values::F32(&x)), ("y", &[samples][..], Values::I64(&y))];
    write_tensors(&run.folder().join("data.safetensors"), &tensors).unwrap();
    run
}

/// Runs that keep everything and that compute it again end with the same bits.
fn assert_nothing_changes(run: &Run, more: &[&str], chosen: &str) {
    let fit = |run_dir: &str, key: &str| {
        let set = ["-vv", "--run-dir", run_dir, "--set", key];
        let finished = run.host([&["fit", "run.toml"][..], &set, more].concat()).succeeded();
        (run.folder().join(run_dir), finished.stderr.matches("are computed again").count())
    };
    let (kept, none) = fit("kept", "trainer.activation_checkpointing=false");
    let (again, some) = fit("again", &format!("trainer.activation_checkpointing={chosen}"));
    assert!(none == 0 && some > 0, "{chosen}: {none} and {some} times");
    Outcome::of(&kept).assert_same(&again, chosen);
    for run_dir in ["kept", "again"] {
        std::fs::remove_dir_all(run.folder().join(run_dir)).unwrap();
    }
}

#[test]
fn batch_norms_see_each_batch_once() {
    let run = run("vision", "resnet18", &[3, 32, 32]);
    for chosen in ["true", "[\"layer1\", \"layer3\"]"] {
        assert_nothing_changes(&run, &["--set", "model.num_classes=2"], chosen);
    }
}

#[test]
fn dropouts_leave_out_the_same_values_the_second_time() {
    let run = run("vision", "vit-ti-16", &[3, 32, 32]);
    let model = ["model.num_classes=2", "model.image_size=32", "model.num_layers=3", "model.dropout=0.3"];
    let set: Vec<&str> = model.iter().flat_map(|key| ["--set", key]).collect();
    assert_nothing_changes(&run, &set, "true");
    let bf16 = [&set[..], &["--set", "trainer.precision=bf16-mixed"]].concat();
    assert_nothing_changes(&run, &bf16, "true");
}

#[test]
fn texts_pass_their_masks_on() {
    let run = tiny_text::classifier("[optimizer]\nid = \"adamw\"\nlr = 0.01\n[trainer]\nmax_epochs = 2\n");
    assert_nothing_changes(&run, &[], "true");
}

#[test]
fn it_goes_with_a_strategy_that_thaws_and_with_what_frozen_stages_gave() {
    let run = run("vision", "resnet18", &[3, 32, 32]);
    let callbacks = "callbacks=[{ id = \"backbone-finetuning\", unfreeze_backbone_at_epoch = 1 }]";
    let more =
        ["--plugin", "backbone_finetuning", "--set", callbacks, "--set", "optimizer.parameters=[\"head\"]"];
    assert_nothing_changes(&run, &[&more[..], &["--set", "model.num_classes=2"]].concat(), "true");
}

#[test]
fn a_stage_that_the_model_does_not_have_is_refused_with_the_nearest() {
    let run = run("vision", "resnet18", &[3, 32, 32]);
    let set = ["--set", "model.num_classes=2", "--set", "trainer.activation_checkpointing=[\"layer_3\"]"];
    run.fit(&set).failed(2, &["activation_checkpointing", "layer_3", "did you mean `layer3`"]);
}

#[test]
fn a_model_with_a_step_of_its_own_is_refused() {
    let run = run("faulty_model", "faulty-model", &[5]);
    let model = ["model.features=5", "model.num_classes=2", "model.own_step=true"];
    let set: Vec<&str> = model.iter().flat_map(|key| ["--set", key]).collect();
    let again = ["--set", "trainer.activation_checkpointing=true"];
    run.fit(&[&set[..], &again].concat()).failed(2, &["in a `training_step` of its own"]);
}
