//! Statistics of batch norms that a pass over the training data makes.

use thaw_tests::{fixtures, read_tensors};

use super::{random_model, run_with, succeeded};

/// The mean over batches of the same size and over both shares of each is that of all samples.
#[test]
fn statistics_for_an_average_are_of_all_processes_together() {
    let run = run_with(&random_model(), 5, "");
    succeeded(run.fit_in(
        2,
        "many",
        &[
            "--set",
            "plugins=[\"case_model\", \"weight_averaging\"]",
            "--set",
            "callbacks=[{ id = \"swa\", swa_lrs = 0.05, swa_epoch_start = 2, annealing_epochs = 0 }]",
            "--set",
            "optimizer={ id = \"sgd\", lr = 0.1 }",
        ],
    ));
    let tensors = read_tensors(&run.folder().join("many/checkpoints/swa/model.safetensors")).unwrap();
    let data = read_tensors(&fixtures().join("parity/bb_accumulate2_clip/data.safetensors")).unwrap();
    let (weight, bias) = (&tensors["backbone.0.weight"], &tensors["backbone.0.bias"]);
    let samples: Vec<&[f64]> = data["x"].chunks(16).collect();
    for (channel, found) in tensors["backbone.1.running_mean"].iter().enumerate() {
        let weight = &weight[channel * 16..][..16];
        let output = |sample: &&[f64]| -> f64 { sample.iter().zip(weight).map(|(x, w)| x * w).sum() };
        let mean = samples.iter().map(output).sum::<f64>() / samples.len() as f64 + bias[channel];
        assert!((found - mean).abs() < 1e-5, "channel {channel}: {found}, expected {mean}");
    }
    assert_eq!(tensors["backbone.1.num_batches_tracked"], [samples.len() as f64 / 10.0]);
}
