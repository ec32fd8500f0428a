//! Files of data and weights that somebody shortens while the program reads them.

use std::fs::File;
use std::process::Command;

use safetensors::tensor::{Dtype, TensorView};
use thaw_plugin_api::tch::{Device, Kind, Tensor};
use thaw_tests::{Finished, Run, case};

#[test]
fn a_data_file_that_shrinks_is_named_and_ends_the_run_with_1() {
    let run = Run::new(
        &(case("bb_steplr").replace("plugins = [", "plugins = [\"case_strategies\", ")
            + "[[callbacks]]\nid = \"case-wait\"\nepochs = [1]\n[optimizer]\nid = \"sgd\"\nlr = \
               0.01\n[trainer]\nmax_epochs = 3\n"),
    );
    // As wide as the case's data, and many pages long.
    let rows = 4096;
    let x: Vec<u8> = (0..rows * 16).flat_map(|i| ((i % 7) as f32).to_le_bytes()).collect();
    let y: Vec<u8> = (0..rows as i64).flat_map(|i| (i % 4).to_le_bytes()).collect();
    let tensors = [
        ("x", TensorView::new(Dtype::F32, vec![rows, 16], &x).unwrap()),
        ("y", TensorView::new(Dtype::I64, vec![rows], &y).unwrap()),
    ];
    let path = run.folder().join("data.safetensors");
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
    let set = format!("data={{ kind = \"tensors\", path = {path:?}, batch_size = 512, workers = 0 }}");
    let mut fit = run.start(["fit", "run.toml", "--run-dir", "run", "--set", &set]);
    fit.prints("waits in epoch 1");
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4096).unwrap();
    fit.go_on();
    fit.finish().failed(1, &["data.safetensors", "became shorter", "--resume"]);
}

/// Names the weights of a process of this test that reads them.
const WEIGHTS: &str = "THAW_TEST_SHRINKING_WEIGHTS";

#[test]
fn a_weights_file_that_shrinks_is_named_and_ends_the_program_with_1() {
    if let Some(path) = std::env::var_os(WEIGHTS) {
        // This is the process that is to end.
        let file = thaw_weights::read(&path).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(4096).unwrap();
        file.entries().iter().for_each(|entry| drop(entry.tensor()));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let tensor = Tensor::zeros([1 << 18], (Kind::Float, Device::Cpu));
    Tensor::write_safetensors(&[("weight", &tensor)], &path).unwrap();
    let test = "a_weights_file_that_shrinks_is_named_and_ends_the_program_with_1";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(WEIGHTS, &path);
    let ended = Finished::run(command);
    assert_eq!(ended.code(), Some(1), "{ended}");
    ended.says(&format!("error: {}: the file became shorter while the program read it", path.display()));
}
