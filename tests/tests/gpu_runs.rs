//! Runs of a GPU on a machine without one, and the keys of [trainer] that a GPU asks for.

use thaw_tests::{Run, case};

const REST: &str = "[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = 1\n";

fn run(trainer: &str) -> Run {
    Run::new(&(case("bb_steplr") + REST + trainer))
}

/// A run whose checkpoint says of itself that it trained on a GPU in float16.
fn of_a_gpu() -> Run {
    let run = run("");
    run.fit(&[]).succeeded();
    let state = run.run_dir().join("checkpoints/last/state.json");
    let mut saved: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&state).unwrap()).unwrap();
    saved["config"]["trainer"]["device"] = "cuda".into();
    saved["config"]["trainer"]["precision"] = "fp16-mixed".into();
    saved["loss_scale"] = serde_json::json!({ "scale": 32768.0, "good_steps": 3 });
    std::fs::write(&state, saved.to_string()).unwrap();
    std::fs::remove_file(state.with_file_name("state.sha256")).unwrap();
    run
}

#[test]
fn a_checkpoint_of_a_gpu_in_float16_is_used_without_one() {
    let run = of_a_gpu();
    let last = run.metrics().pop().unwrap();
    let found = run.host(["validate", "--checkpoint", "run/checkpoints/last", "--json"]).succeeded();
    let found = found.says("the run trained on cuda, which is not here").says("computing in fp32");
    let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(found["metrics"]["val_loss"], last["val_loss"]);
    run.host(["export", "--checkpoint", "run/checkpoints/last", "--output", "out.safetensors"]).succeeded();
}

#[test]
fn a_device_that_the_command_line_asks_for_is_not_replaced() {
    let run = of_a_gpu();
    let arguments = ["validate", "--checkpoint", "run/checkpoints/last", "--set", "trainer.device=cuda"];
    run.host(arguments).failed(2, &["device \"cuda\" cannot be used"]);
}

#[test]
fn precision_of_products_is_a_key_with_pytorchs_names() {
    run("matmul_precision = \"highest\"\ndeterministic = true\n").fit(&[]).succeeded();
    run("matmul_precision = \"tf32\"\n").fit(&[]).failed(2, &["matmul_precision", "tf32", "highest"]);
}

#[test]
fn what_is_fastest_each_time_is_not_deterministic() {
    let run = run("deterministic = true\ncudnn_benchmark = true\n");
    run.fit(&[]).failed(2, &["trainer.deterministic and trainer.cudnn_benchmark are both true"]);
}
