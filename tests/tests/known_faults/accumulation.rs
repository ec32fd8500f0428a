//! The last, shorter window of an accumulation.

use std::collections::BTreeMap;

use thaw_tests::{Run, read_tensors};

use crate::model::{linear, run};

/// A model without batch norm on 32 samples in the file's order.
fn train(batch_size: usize, accumulate: usize, weighting: &str) -> Run {
    let run = run(
        &[linear("backbone", 16, 8), linear("head", 8, 4)],
        &format!(
            "batch_size = {batch_size}\nshuffle = false\n[optimizer]\nid = \"sgd\"\nlr = 0.5\nmomentum = \
             0.9\n\
             [trainer]\nmax_epochs = 3\naccumulate_grad_batches = {accumulate}\nweighting \
             = \"{weighting}\"\ngradient_clip_val = 0.4\n"
        ),
    );
    run.fit(&[]).succeeded();
    run
}

fn weights(run: &Run) -> BTreeMap<String, Vec<f64>> {
    read_tensors(&run.run_dir().join("checkpoints/last/model.safetensors")).unwrap()
}

fn largest_difference(a: &BTreeMap<String, Vec<f64>>, b: &BTreeMap<String, Vec<f64>>) -> f64 {
    let pairs = a.iter().flat_map(|(name, values)| values.iter().zip(&b[name]));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn weighted_by_samples_accumulation_equals_the_full_batch() {
    // 32 samples: windows of 5 + 5 + 5 + 5 + 5 + 5 + 2, and of 6 + 6, 6 + 6, 6 + 2.
    for (batch_size, accumulate, full) in [(5, 7, 32), (6, 2, 12)] {
        let expected = weights(&train(full, 1, "batches"));
        let found = train(batch_size, accumulate, "samples");
        let difference = largest_difference(&weights(&found), &expected);
        assert!(difference < 1e-5, "{batch_size} x {accumulate}: off by {difference}");
        let by_batches = largest_difference(&weights(&train(batch_size, accumulate, "batches")), &expected);
        assert!(by_batches > 1e-3, "weighted by batches a short batch counts too much: off by {by_batches}");
    }
}

#[test]
fn a_short_last_window_is_stepped_on() {
    // Batches 7, 7, 7, 7, 4: windows of two, two and one.
    let run = train(7, 2, "batches");
    let steps: Vec<u64> = run.metrics().iter().map(|record| record["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [3, 6, 9]);
}
