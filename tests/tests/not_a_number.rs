//! No run ends well with a model of NaN: batches that cannot train are told of before anything trains, and
//! numbers that are none end the run.

use thaw_plugin_api::tch::Tensor;
use thaw_tests::{Run, Values, case, fixtures, write_tensors};

/// 32 samples and a model with batch norms over `[N, C]`, so that a batch of one has one value per channel.
fn run(batch_size: usize, more: &str) -> Run {
    let case = case("bb_steplr").replace("batch_size = 8", &format!("batch_size = {batch_size}"));
    Run::new(&(case + more))
}

const TRAIN: &str = "[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = 3\n";

#[test]
fn a_last_batch_of_one_sample_is_refused_before_the_run_with_what_to_write_instead() {
    let run = run(31, TRAIN);
    let finished = run.fit(&[]).failed(2, &["32 in batches of 31", "from epoch 1 on", "`backbone.1`"]);
    for text in
        ["expected more than 1 value per channel", "drop_last = true", "another batch_size, such as 32"]
    {
        assert!(finished.error().contains(text), "{finished}");
    }
    assert!(!run.run_dir().exists(), "nothing is written");
    run.fit(&["--set", "data.drop_last=true"]).succeeded();
}

#[test]
fn a_last_batch_of_one_sample_is_refused_for_modules_that_pytorch_traced_or_exported() {
    for (id, ending) in [("torchscript", "pt"), ("torch-export", "pt2")] {
        let data = fixtures().join("parity/bb_steplr/data.safetensors");
        let file = fixtures().join(format!("norms/batch_norm.{ending}"));
        let run = Run::new(&format!(
            "plugins = [\"{}\"]\n[model]\nid = {id:?}\npath = {file:?}\n[data]\nkind = \"tensors\"\n\
             path = {data:?}\nbatch_size = 31\n{TRAIN}",
            id.replace('-', "_")
        ));
        let finished =
            run.fit(&[]).failed(2, &["32 in batches of 31", "from epoch 1 on", "drop_last = true"]);
        let reason = "expected more than 1 value per channel when training, got input size [1, 8]";
        assert!(finished.error().contains(reason), "{finished}");
        run.fit(&["--set", "data.drop_last=true"]).succeeded();
        if id == "torchscript" {
            // Its code has one mode alone.
            let more = ["--set", "data.val_batch_size=15", "--set", "data.batch_size=32"];
            let fit = |more: &[&str]| run.host([&["fit", "run.toml", "--run-dir", "other"], more].concat());
            fit(&more).failed(2, &["16 validation samples in batches of 15", reason, "val_batch_size"]);
        }
    }
}

#[test]
fn batches_of_one_sample_are_no_way_to_accumulate_under_batch_norm() {
    let run = run(1, &format!("{TRAIN}accumulate_grad_batches = 8\n"));
    run.fit(&[]).failed(2, &["every batch has a single sample", "accumulate_grad_batches does not help"]);
}

#[test]
fn a_last_batch_of_one_sample_trains_where_batch_norms_are_frozen_and_is_refused_where_they_thaw() {
    let callbacks = "parameters = [\"head\"]\n[[callbacks]]\nid = \"backbone-finetuning\"\n\
        unfreeze_backbone_at_epoch = 2\nfrozen_bn = \"eval\"\n[trainer]\nmax_epochs = 3\n";
    let run = run(31, &format!("[optimizer]\nid = \"sgd\"\nlr = 0.1\n{callbacks}"));
    let fit = |more: &[&str]| run.fit(&[&["--plugin", "backbone_finetuning"], more].concat());
    fit(&[]).failed(2, &["from epoch 3 on", "`backbone.1`"]);
    fit(&["--set", "trainer.max_epochs=2"]).succeeded().does_not_say("single sample");
}

#[test]
fn a_batch_that_is_not_reached_is_not_looked_at() {
    for limit in ["limit_train_batches = 1\n", "max_steps = 1\n"] {
        run(31, &format!("{TRAIN}{limit}")).fit(&[]).succeeded();
    }
}

#[test]
fn what_is_looked_at_before_the_run_leaves_no_trace() {
    // The last batch is a single sample, and batch norms are fed by several values: it can train.
    let text = |drop_last: bool| {
        let case = case("conv_last_children").replace("batch_size = 8", "batch_size = 23");
        format!("{case}drop_last = {drop_last}\n{TRAIN}num_sanity_val_steps = 0\nlimit_train_batches = 1\n")
    };
    let weights = [true, false].map(|drop_last| {
        let run = Run::new(&text(drop_last));
        run.fit(&[]).succeeded();
        std::fs::read(run.run_dir().join("checkpoints/last/model.safetensors")).unwrap()
    });
    assert!(weights[0] == weights[1]);
}

/// Validation data with one number that is none.
fn with_nan_in_validation(run: &Run) {
    let data = fixtures().join("parity/bb_steplr/data.safetensors");
    let tensors = Tensor::read_safetensors(data).unwrap();
    for (name, tensor) in &tensors {
        if name == "val_x" {
            let _ = tensor.get(15).fill_(f64::NAN);
        }
    }
    Tensor::write_safetensors(&tensors, run.folder().join("nan.safetensors")).unwrap();
}

#[test]
fn a_validation_loss_that_is_no_number_ends_the_run() {
    let run = run(8, &format!("{TRAIN}num_sanity_val_steps = 0\n"));
    with_nan_in_validation(&run);
    run.fit(&["--set", "data.path=nan.safetensors"])
        .failed(1, &["val_loss is NaN", "epoch 1", "detect_anomaly"]);
}

#[test]
fn a_metric_that_is_no_number_is_told_of_and_is_not_the_best() {
    let run = run(8, &format!("{TRAIN}num_sanity_val_steps = 0\ndetect_anomaly = false\n"));
    with_nan_in_validation(&run);
    let finished = run.fit(&["--set", "data.path=nan.safetensors"]).succeeded();
    finished.says("val_loss is NaN in epoch 1");
    assert!(!run.run_dir().join("checkpoints/best").exists());
}

/// The callback that fills this tensor with NaN.
fn spoiled(more: &str) -> Run {
    let run = run(8, &format!("{TRAIN}{more}"));
    run.write(
        "run.toml",
        format!(
            "{}[[callbacks]]\nid = \"case-spoil\"\n",
            std::fs::read_to_string(run.folder().join("run.toml")).unwrap()
        ),
    );
    run
}

#[test]
fn weights_and_buffers_that_are_no_numbers_end_the_run_when_they_are_to_be_kept() {
    for tensor in ["head.bias", "backbone.1.running_var"] {
        for enabled in ["true", "false"] {
            let (name, enabled) =
                (format!("callbacks.0.tensor={tensor}"), format!("checkpoint.enabled={enabled}"));
            // In the last epoch: no loss shows it.
            let more = [
                "--plugin",
                "case_strategies",
                "--set",
                "trainer.max_epochs=1",
                "--set",
                &name,
                "--set",
                &enabled,
            ];
            let run = spoiled("");
            run.fit(&more).failed(1, &["not finite after 4 steps", tensor, "gradient_clip_val"]);
            assert!(!run.run_dir().join("checkpoints/last").exists());
        }
    }
}

#[test]
fn a_norm_of_gradients_that_is_no_number_ends_the_run_before_its_step() {
    let run = spoiled("gradient_clip_val = 1.0\n");
    let more = ["--set", "callbacks.0.tensor=head.bias", "--set", "callbacks.0.gradient=true"];
    let finished = run.fit(&[&["--plugin", "case_strategies"], &more[..]].concat());
    finished.failed(1, &["the norm of the gradients is NaN", "epoch 1, batch 1"]);
}

#[test]
fn predictions_and_tests_on_inputs_that_are_no_numbers_say_so() {
    let run = run(8, TRAIN);
    run.fit(&[]).succeeded();
    let predict = ["predict", "--checkpoint", "run", "--output", "predictions.csv", "--input"];
    let test = ["test", "--checkpoint", "run", "--input"];
    let mut x = vec![0.5_f32; 4 * 16];
    for (input, is_number) in [("whole.safetensors", true), ("nan.safetensors", false)] {
        if !is_number {
            x[16] = f32::NAN;
        }
        let tensors: [(&str, &[usize], Values); 2] =
            [("x", &[4, 16], Values::F32(&x)), ("y", &[4], Values::I64(&[0, 1, 2, 3]))];
        write_tensors(&run.folder().join(input), &tensors).unwrap();
        let predicted = run.host(predict.iter().chain(&[input])).succeeded();
        let tested = run.host(test.iter().chain(&[input])).succeeded();
        if is_number {
            predicted.does_not_say("NaN");
            tested.does_not_say("NaN");
        } else {
            predicted.says("1 of 4 predictions are NaN");
            tested.says("`test_loss` is NaN");
        }
    }
}
