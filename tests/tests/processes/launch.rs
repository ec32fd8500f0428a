//! What a launcher says in the environment.

use thaw_tests::Finished;

use super::run;

fn fit(variables: &[(&str, &str)], more: &[&str]) -> Finished {
    let run = run(4, "");
    let arguments = [&["fit", "run.toml", "--run-dir", "run", "--set", "trainer.timeout=3"], more].concat();
    run.start_with(&arguments, variables).finish()
}

#[test]
fn a_launch_that_is_not_whole_is_an_error_of_usage() {
    fit(&[("RANK", "1"), ("WORLD_SIZE", "2")], &[])
        .failed(2, &["RANK, WORLD_SIZE are set, but not MASTER_ADDR, MASTER_PORT", "torchrun --no-python"]);
    fit(&[("PET_NNODES", "2")], &[]).failed(2, &["PET_NNODES", "torchrun --no-python"]);
    fit(&[], &["--set", "trainer.strategy=ddp"]).failed(2, &["trainer.strategy", "needs a launcher"]);
    fit(&[], &["--set", "trainer.backend=nccl"]).failed(2, &["`trainer.backend`", "\"gloo\""]);
    fit(&[], &["--set", "trainer.sync_batchnorm=true"])
        .failed(2, &["`trainer.sync_batchnorm`", "on GPUs alone", "frozen_bn"]);
}

#[test]
fn a_process_whose_others_do_not_come_says_where_it_waited() {
    let port = thaw_tests::free_port().to_string();
    let alone =
        [("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", port.as_str())];
    fit(&alone, &[]).failed(1, &[&format!("did not meet at 127.0.0.1:{port} within 3 s"), "MASTER_PORT"]);
    fit(&alone, &["--set", "trainer.strategy=single"]).succeeded();
}

#[test]
fn slurms_tasks_train_together() {
    let run = run(4, "");
    let port = thaw_tests::free_port().to_string();
    let start = |task: &str| {
        let variables = [
            ("SLURM_PROCID", task),
            ("SLURM_LOCALID", task),
            ("SLURM_NTASKS", "2"),
            ("SLURM_JOB_ID", "17"),
            ("SLURM_STEP_ID", "0"),
            ("SLURM_JOB_NODELIST", "localhost"),
            ("MASTER_PORT", port.as_str()),
        ];
        run.start_with(&["fit", "run.toml", "--run-dir", "run"], &variables)
    };
    let tasks = ["0", "1"].map(start).map(|task| task.finish().succeeded());
    assert!(tasks[0].stdout.contains("processes  2"), "{}", tasks[0]);
}

#[test]
fn torchrun_learns_why_a_process_failed() {
    let run = run(4, "");
    let file = run.folder().join("error.json");
    let refused = ["fit", "run.toml", "--run-dir", "run", "--set", "trainer.max_epochs=many"];
    run.start_with(&refused, &[("TORCHELASTIC_ERROR_FILE", file.to_str().unwrap())]).finish();
    let text = std::fs::read_to_string(&file).unwrap();
    let error: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(error["message"]["message"].as_str().unwrap().contains("`trainer.max_epochs`"), "{text}");
    let time: i64 = error["message"]["extraInfo"]["timestamp"].as_str().unwrap().parse().unwrap();
    assert!(time > 1_700_000_000, "{text}");
}

#[test]
fn commands_of_one_process_are_refused_under_a_launcher() {
    let run = run(4, "");
    let arguments = ["predict", "run.toml", "--checkpoint", "run", "--input", "x", "--output", "y.csv"];
    run.start_with(&arguments, &[("WORLD_SIZE", "2"), ("RANK", "1")])
        .finish()
        .failed(2, &["host predict works in one process", "WORLD_SIZE=2"]);
}
