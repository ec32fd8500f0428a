//! `host fit --find-batch-size`, with a model that says for how many samples there is memory.

use thaw_tests::{Outcome, Run, Values, write_tensors};

const SAMPLES: usize = 60;

/// A perceptron with memory for 40 samples, or for 20 when its backbone trains.
fn run() -> Run {
    let run = Run::new(
        "seed = 1\nplugins = [\"faulty_model\", \"backbone_finetuning\"]\n[model]\nid = \
         \"faulty-model\"\nfeatures = 5\nnum_classes = 2\nmemory = 40\n[data]\nkind = \"tensors\"\npath = \
         \"data.safetensors\"\nbatch_size = 3\n[optimizer]\nid = \"adamw\"\nlr = 0.01\nparameters = \
         [\"head\"]\n[trainer]\nmax_epochs = 3\n",
    );
    let x: Vec<f32> = (0..SAMPLES * 5).map(|index| (index * 7919 % 1013) as f32 / 506.0 - 1.0).collect();
    let y: Vec<i64> = (0..SAMPLES as i64).map(|index| index % 2).collect();
    let tensors = [("x", &[SAMPLES, 5][..], Values::F32(&x)), ("y", &[SAMPLES][..], Values::I64(&y))];
    write_tensors(&run.folder().join("data.safetensors"), &tensors).unwrap();
    run
}

const SEARCH: [&str; 3] = ["--find-batch-size", "--max-batch-size", "1000"];

#[test]
fn the_run_is_afterwards_as_one_of_that_batch_size() {
    let run = run();
    let mut finished = run.fit(&SEARCH).succeeded();
    for said in ["batch size 32 fits", "batch size 60 does not fit", "data.batch_size=32", "a larger one"] {
        finished = finished.says(said);
    }
    let config = std::fs::read_to_string(run.run_dir().join("config.toml")).unwrap();
    assert!(config.contains("batch_size = 32"), "{config}");
    let straight = Outcome::of(&run.run_dir());
    run.host(["fit", "run.toml", "--run-dir", "given", "--set", "data.batch_size=32"]).succeeded();
    straight.assert_same(&run.folder().join("given"), "a run with that batch size given");
}

#[test]
fn what_thaws_later_in_the_run_has_to_fit() {
    let run = run();
    let strategy = "callbacks=[{ id = \"backbone-finetuning\", unfreeze_backbone_at_epoch = 2 }]";
    let more = ["--set", strategy, "--batch-size-mode", "binsearch"];
    run.fit(&[&SEARCH[..], &more].concat())
        .succeeded()
        .says("data.batch_size=20, with what trains in epoch 3");
}

#[test]
fn a_search_on_a_cpu_needs_a_limit_and_no_room_at_all_is_an_error() {
    let run = run();
    run.fit(&["--find-batch-size"]).failed(2, &["on the CPU", "the largest size to be tried"]);
    run.fit(&[&SEARCH[..], &["--set", "model.memory=1"]].concat())
        .failed(1, &["there is no memory for 2 samples", "activation_checkpointing"]);
}
