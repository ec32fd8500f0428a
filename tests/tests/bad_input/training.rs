//! Runs that cannot train, or train to nothing.

use thaw_tests::{Run, case};

fn run(more: &str) -> Run {
    Run::new(&(case("bb_steplr") + "[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = 3\n" + more))
}

#[test]
fn a_model_that_is_frozen_whole_does_not_train() {
    let run = run("[[callbacks]]\nid = \"freeze-all\"\n");
    run.fit(&["--plugin", "faulty"]).failed(1, &["no parameter trains", "everything is frozen"]);
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_checkpoint() {
    let run = run("[scheduler]\nid = \"exponential\"\ngamma = 1e30\n");
    let finished =
        run.fit(&[]).failed(1, &["the loss is", "epoch 2", "lower the learning rate", "gradient_clip_val"]);
    finished.says("the last good checkpoint is run/checkpoints/last");
    assert_eq!(run.json("checkpoints/last/state.json")["epoch"], 1);
    run.host(["validate", "--checkpoint", "run/checkpoints/last"]).succeeded();
}

#[test]
fn a_loss_that_is_no_number_can_be_let_pass() {
    let run = run("detect_anomaly = false\n[scheduler]\nid = \"exponential\"\ngamma = 1e30\n");
    run.fit(&[]).succeeded();
    let last = run.metrics().pop().unwrap();
    assert!(last["train_loss"].is_null(), "JSON has no NaN: {last}");
    run.host(["validate", "--checkpoint", "run/checkpoints/last"]).succeeded();
    run.resume(&["--set", "trainer.max_epochs=4"]).succeeded();
}

#[test]
fn a_metric_to_monitor_that_the_run_does_not_have_ends_it_at_its_first_validation() {
    let run = run("check_val_every_n_epoch = 2\n[checkpoint]\nmonitor = \"val_los\"\nmode = \"min\"\n");
    let fails = |more: &[&str], records: usize| {
        let texts = ["checkpoint.monitor = \"val_los\" is no metric of this run", "did you mean `val_loss`?"];
        run.fit(more).failed(2, &texts);
        assert_eq!(run.metrics().len(), records);
        std::fs::remove_dir_all(run.run_dir()).unwrap();
    };
    // That before training is one.
    fails(&[], 0);
    fails(&["--set", "trainer.num_sanity_val_steps=0"], 1);
}

#[test]
fn a_run_directory_that_holds_something_is_not_overwritten() {
    let run = run("");
    run.write("run/precious.txt", "mine");
    run.fit(&[]).failed(2, &["run", "holds something already", "--resume"]);
    assert_eq!(std::fs::read(run.run_dir().join("precious.txt")).unwrap(), b"mine");
}
