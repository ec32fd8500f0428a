//! They train as one does whose batches are as many times larger.

use std::fs;

use serde_json::Value;
use thaw_tests::{Run, fixtures, read_tensors};

use super::{run, succeeded};

/// Numbers of records and weights agree, but for rounding.
fn assert_close(run: &Run, found: &str, expected: &str) {
    let numbers = |record: &Value| -> Vec<(String, f64)> {
        let fields = record.as_object().into_iter().flatten().filter(|(name, _)| *name != "seconds");
        fields.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
    };
    let (one, many) = (run.records_of(expected, "metrics.jsonl"), run.records_of(found, "metrics.jsonl"));
    assert_eq!(one.len(), many.len(), "{found}: as many records");
    for (one, many) in one.iter().zip(&many) {
        let (expected, numbers) = (numbers(one), numbers(many));
        assert_eq!(expected.len(), numbers.len(), "{found}: {one} {many}");
        for ((name, expected), (found_name, found)) in expected.iter().zip(&numbers) {
            assert_eq!(name, found_name, "{found}: {one} {many}");
            assert!((expected - found).abs() <= 1e-5 * expected.abs().max(1.0), "{name}: {one}\n{many}");
        }
    }
    let weights = |name: &str| {
        read_tensors(&run.folder().join(name).join("checkpoints/last/model.safetensors")).unwrap()
    };
    for ((name, expected), (found_name, found)) in weights(expected).iter().zip(&weights(found)) {
        assert_eq!(name, found_name);
        for (expected, found) in expected.iter().zip(found) {
            assert!((expected - found).abs() <= 1e-5, "{name}: {expected} {found}");
        }
    }
}

#[test]
fn several_processes_train_as_one_with_batches_of_all() {
    let windows = "accumulate_grad_batches = 2\nweighting = \"samples\"\ngradient_clip_val = 0.5\n";
    let weights = "[loss]\nclass_weights = [1.0, 5.0, 0.5, 2.0]\nlabel_smoothing = 0.1\n";
    let metrics = "metrics = [\"f1_macro\", \"auroc\", \"ece\"]\naccumulate_grad_batches = 3\n";
    for (more, processes, of_each) in [("", 2, 3), (windows, 3, 2), (weights, 2, 3), (metrics, 3, 2)] {
        let run = run(of_each, more);
        run.fit(&["--set", "data.batch_size=6", "--set", "data.val_batch_size=6"]).succeeded();
        succeeded(run.fit_in(processes, "many", &[]));
        assert_close(&run, "many", "run");
    }
}

/// 40 samples in batches of 13 over 3 processes leave one: two processes have none of it.
#[test]
fn a_last_batch_of_fewer_samples_than_processes_counts_each_once() {
    let run = run(13, "limit_val_batches = 1\n");
    run.fit(&["--set", "data.batch_size=39", "--set", "data.val_batch_size=39"]).succeeded();
    succeeded(run.fit_in(3, "many", &[]));
    assert_close(&run, "many", "run");
}

/// Under a limit it matters which samples a batch has.
#[test]
fn validation_sets_beside_the_main_one_have_batches_of_all() {
    let run = run(3, "limit_val_batches = 2\n[loss]\nclass_weights = [1.0, 5.0, 0.5, 2.0]\n");
    let data = fixtures().join("parity/bb_accumulate2_clip/data.safetensors");
    let set = format!("data.validation.other={:?}", data.display().to_string());
    let one = ["--set", "data.batch_size=6", "--set", "data.val_batch_size=6", "--set", &set];
    run.fit(&one).succeeded();
    succeeded(run.fit_in(2, "many", &["--set", &set]));
    assert!(run.metrics().pop().unwrap()["val_other_loss"].is_f64());
    assert_close(&run, "many", "run");
}

#[test]
fn gradients_in_half_the_bytes_train_nearly_the_same() {
    let run = run(3, "");
    succeeded(run.fit_in(2, "exact", &[]));
    let loss =
        |name: &str| run.records_of(name, "metrics.jsonl").pop().unwrap()["train_loss"].as_f64().unwrap();
    for wire in ["bf16", "fp16"] {
        let set = format!("trainer.gradient_compression={wire}");
        succeeded(run.fit_in(2, wire, &["--set", &set, "--set", "trainer.bucket_mib=1"]));
        let (exact, found) = (loss("exact"), loss(wire));
        assert!(exact != found && (exact - found).abs() < 0.02 * exact, "{wire}: {found}, {exact}");
    }
}

/// What a frozen backbone gives is computed in shares, and epochs start from it in every process.
#[test]
fn a_frozen_prefix_is_computed_once_by_all_together() {
    let run = run(13, "");
    let set = ["--set", "trainer.frozen_cache=on", "--set", "callbacks.0.unfreeze_backbone_at_epoch=2"];
    run.fit(&[&set[..], &["--set", "data.batch_size=39", "--set", "data.val_batch_size=39"]].concat())
        .succeeded();
    let finished = run.fit_in(3, "many", &set);
    assert!(finished[0].stdout.contains("frozen"), "{}", finished[0]);
    succeeded(finished);
    assert_close(&run, "many", "run");
    let served =
        run.records_of("many", "metrics.jsonl").iter().any(|record| record["frozen_cache"].is_number());
    assert!(served, "{:?}", run.records_of("many", "metrics.jsonl"));
}

#[test]
fn the_first_process_writes_and_speaks_for_all() {
    let run = run(4, "");
    let finished = run.fit_in(2, "many", &[]);
    let [first, second] = finished.as_slice() else { panic!("two processes") };
    assert!(first.stdout.contains("processes  2, batches of 8 samples in all"), "{first}");
    assert_eq!(second.stdout, "", "{second}");
    let folder = run.folder().join("many");
    assert_eq!(
        run.records_of("many", "history.jsonl").iter().filter(|record| record["event"] == "started").count(),
        1
    );
    assert!(
        fs::read_to_string(folder.join("logs/rank-1.log"))
            .is_ok_and(|log| log.contains("rank 1 of 2 on Cpu"))
    );
    run.host(["validate", "run.toml", "--checkpoint", "many/checkpoints/last"]).succeeded();
}
