//! Frozen weights in half of the room give the same bits, and thaw with the values that they had.

use thaw_tests::{Outcome, Run, Values, write_tensors};

/// An EfficientNet whose backbone is frozen for one epoch of two, in bfloat16.
fn run() -> Run {
    let run = Run::new(
        "seed = 1\nplugins = [\"vision\", \"backbone_finetuning\"]\n[model]\nid = \"efficientnet-lite0\"\n\
         num_classes = 2\n\
         \n[data]\nkind = \"tensors\"\npath = \"data.safetensors\"\nval_split = 0.25\nbatch_size = 4\n\
         [optimizer]\nid = \"adamw\"\nlr = 0.01\nparameters = [\"head\"]\n[[callbacks]]\nid = \
         \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 1\nfrozen_bn = \"eval\"\n\
         [trainer]\nmax_epochs = 2\nprecision = \"bf16-mixed\"\nfrozen_cache = \"off\"\n",
    );
    let (samples, width) = (16, 3 * 32 * 32);
    let value = |index: usize| ((index * 7919 % 1013) as f32 / 506.0 - 1.0) + (index / width % 2) as f32;
    let x: Vec<f32> = (0..samples * width).map(value).collect();
    let y: Vec<i64> = (0..samples as i64).map(|index| index % 2).collect();
    let tensors = [("x", &[samples, 3, 32, 32][..], Values::F32(&x)), ("y", &[samples][..], Values::I64(&y))];
    write_tensors(&run.folder().join("data.safetensors"), &tensors).unwrap();
    run
}

const HALF: &str = "trainer.frozen_precision=bf16";

#[test]
fn what_thaws_has_its_exact_values_and_every_number_is_the_same() {
    let run = run();
    let whole = run.folder().join("whole");
    run.host(["fit", "run.toml", "--run-dir", "whole"]).succeeded();
    let half = run.host(["-v", "fit", "run.toml", "--run-dir", "half", "--set", HALF]).succeeded();
    assert!(half.stderr.contains("frozen weights are held in BFloat16, which saves"), "{half}");
    Outcome::of(&whole).assert_same(&run.folder().join("half"), "in half of the room");
    // Gone on with after the epoch in which everything but the head was rounded.
    let first = ["fit", "run.toml", "--run-dir", "first", "--set", "trainer.max_epochs=1", "--set", HALF];
    run.host(first).succeeded();
    let more = ["fit", "run.toml", "--resume", "first", "--run-dir", "more", "--set", HALF];
    run.host(more).succeeded();
    Outcome::of(&whole).assert_same(&run.folder().join("more"), "resumed");
}

#[test]
fn a_precision_that_does_not_round_products_so_is_refused() {
    let run = run();
    let found = ["frozen_precision", "\"bf16\"", "precision = \"bf16-mixed\""];
    run.fit(&["--set", HALF, "--set", "trainer.precision=fp32"]).failed(2, &found);
    run.fit(&["--set", "trainer.frozen_precision=fp16"]).failed(2, &["precision = \"fp16-mixed\""]);
}

#[test]
fn averages_of_weights_are_not_made_of_rounded_ones() {
    let run = run();
    let set = "callbacks=[{ id = \"ema\" }]";
    let plugins = "plugins=[\"vision\", \"weight_averaging\"]";
    run.fit(&["--set", HALF, "--set", plugins, "--set", set]).failed(2, &["frozen_precision", "ema", "swa"]);
}
