//! `frozen_bn` says what the batch norms of a frozen part do, in training and in validation.

use thaw_tests::read_tensors;

use crate::model::{batch_norm, dropout, grouped, linear, names, run, sequential};

fn modules() -> [serde_json::Value; 5] {
    [
        sequential("backbone"),
        linear("backbone.0", 16, 8),
        batch_norm("backbone.1", 8),
        dropout("backbone.2"),
        linear("head", 8, 4),
    ]
}

#[test]
fn batch_norms_that_do_not_train_stay_as_they_are_before_and_after_the_unfreezing() {
    for (frozen_bn, training, tracks) in [("eval", false, true), ("batch-stats", true, false)] {
        let run = run(
            &modules(),
            &format!(
                "batch_size = 8\n[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = \
                 [\"head\"]\n[trainer]\nmax_epochs = 4\n\
                 [[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 2\ntrain_bn = \
                 false\nfrozen_bn = \"{frozen_bn}\"\n"
            ),
        );
        run.fit(&[]).succeeded();
        let records = run.groups();
        assert!(names(&records[2]["trainable"]).contains(&"backbone.0.weight"));
        for record in &records {
            for parameter in ["backbone.1.weight", "backbone.1.bias"] {
                assert!(!names(&record["trainable"]).contains(&parameter), "{frozen_bn}: {record}");
                assert!(!grouped(record).contains(&parameter), "{frozen_bn}: {record}");
            }
            let norm = &record["batch_norm"]["backbone.1"];
            assert_eq!(
                (&norm["training"], &norm["track_running_stats"]),
                (&training.into(), &tracks.into()),
                "{frozen_bn}: {record}"
            );
        }
        let last = read_tensors(&run.run_dir().join("checkpoints/last/model.safetensors")).unwrap();
        let fresh = [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)];
        for (tensor, value) in fresh {
            assert_eq!(last[&format!("backbone.1.{tensor}")], [value; 8], "{frozen_bn}");
        }
        assert_eq!(last["backbone.1.num_batches_tracked"], [0.0], "{frozen_bn}");
    }
}

/// Training and validation loss of an epoch on the same samples in one batch, with nothing that moves.
fn losses(frozen_bn: &str) -> (f64, f64) {
    let data = thaw_tests::fixtures().join("parity/bb_steplr/data.safetensors");
    let run = run(
        &modules(),
        &format!(
            "val_path = {data:?}\nbatch_size = 32\nshuffle = false\n[optimizer]\nid = \"sgd\"\nlr = \
             0.0\nparameters = [\"head\"]\n\
             [trainer]\nmax_epochs = 1\naudit = \"warn\"\n[[callbacks]]\nid \
             = \"backbone-finetuning\"\nfrozen_bn = \"{frozen_bn}\"\n"
        ),
    );
    run.fit(&[]).succeeded();
    let last = run.metrics().pop().unwrap();
    (last["train_loss"].as_f64().unwrap(), last["val_loss"].as_f64().unwrap())
}

#[test]
fn a_frozen_part_in_evaluation_mode_gives_the_same_output_in_training_and_validation() {
    let (train, validation) = losses("eval");
    assert_eq!(train, validation);
    for frozen_bn in ["batch-stats", "train"] {
        let (train, validation) = losses(frozen_bn);
        assert!(
            (train - validation).abs() > 1e-3,
            "{frozen_bn}: {train} and {validation} differ by batch statistics and dropout"
        );
    }
}
