//! Disks that are full, and checkpoints that are damaged.

use thaw_tests::{Run, case};

fn run() -> Run {
    Run::new(
        &(case("bb_steplr")
            + "[optimizer]\nid = \"sgd\"\nlr = 0.1\nmomentum = 0.9\n[trainer]\nmax_epochs = 1\n"),
    )
}

fn names(run: &Run) -> Vec<String> {
    let entries = std::fs::read_dir(run.run_dir().join("checkpoints")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_costs_the_checkpoint_and_not_the_run() {
    let mut run = run();
    run.fit(&[]).succeeded();
    let before = names(&run);

    run.limit_files(Some(6));
    let end = "on disk is `epoch=0-step=4`: what was trained after it is lost";
    let finished = run.resume(&["--set", "trainer.max_epochs=3"]).failed(1, &[end]);
    finished
        .says("checkpoint `epoch=2-step=12` is not written")
        .says("the run goes on")
        .says("`epoch=0-step=4`, is intact");
    assert_eq!(names(&run), before, "nothing half written is left, and the checkpoint before is there");

    run.limit_files(None);
    run.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    assert_eq!(run.json("checkpoints/last/state.json")["epoch"], 3);
    let epochs: Vec<u64> = run.groups().iter().map(|record| record["epoch"].as_u64().unwrap()).collect();
    assert_eq!(epochs, [0, 1, 2], "records go on where the checkpoint was written");
}

#[test]
fn a_checkpoint_that_was_not_written_is_not_the_best() {
    let mut run = run();
    run.limit_files(Some(6));
    let finished = run.fit(&[]).failed(1, &["what was trained is lost"]).says("there is none before it");
    assert!(!finished.stdout.contains("best"), "{finished}");
    assert_eq!(names(&run), Vec::<String>::new());
}

#[test]
fn records_that_cannot_be_written_are_told_once_and_the_run_goes_on_and_fails_at_its_end() {
    let mut run = Run::new(
        &(case("bb_steplr")
            + "[trainer]\nmax_epochs = 40\nlog_every_n_steps = 1\n[checkpoint]\nenabled = false\n"),
    );
    run.limit_files(Some(4));
    let finished = run.fit(&["-q"]).failed(1, &["records are not written", "metrics.jsonl: "]);
    let told = &finished.stderr[..finished.stderr.len() - finished.error().len()];
    for name in ["metrics.jsonl", "groups.jsonl"] {
        assert_eq!(told.matches(name).count(), 1, "{finished}");
    }
    let records = run.metrics();
    assert!(!records.is_empty(), "what there was room for is there, in whole lines");
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_is_lost_is_an_error_and_lines_of_a_run_are_told_once() {
    // A device that is always full.
    let full = |run: &Run, arguments: &[&str]| {
        let mut command = std::process::Command::new(thaw_tests::host());
        let device = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        command.args(arguments).current_dir(run.folder()).env("CUDA_VISIBLE_DEVICES", "").stdout(device);
        thaw_tests::Finished::run(command)
    };
    let run = run();
    for lost in [&["plan", "run.toml"][..], &["plugin", "inspect", "layer_decay", "--json"]] {
        full(&run, lost).failed(1, &["standard output: "]);
    }
    let finished = full(&run, &["fit", "run.toml", "--run-dir", "run"]).succeeded();
    assert_eq!(finished.stderr.matches("the run goes on without these lines").count(), 1, "{finished}");
    assert_eq!(run.json("checkpoints/last/state.json")["epoch"], 1);
}

#[test]
fn a_damaged_file_of_a_run_is_named() {
    let run = run();
    run.fit(&[]).succeeded();
    let (plugins, state) = (run.json("plugins.json"), run.json("checkpoints/last/state.json"));
    run.write("run/plugins.json", "[{");
    run.host(["validate", "--checkpoint", "run"]).failed(1, &["run/plugins.json: ", "EOF"]);
    run.write("run/plugins.json", plugins.to_string());
    run.write("run/swaps.json/not-a-file", "");
    run.resume(&[]).failed(1, &["run/swaps.json: it cannot be read"]);
    std::fs::remove_dir_all(run.run_dir().join("swaps.json")).unwrap();
    // A state that is changed on purpose has no checksum any more.
    std::fs::remove_file(run.run_dir().join("checkpoints/last/state.sha256")).unwrap();
    let mut damaged = state.clone();
    damaged["loss_scale"] = serde_json::json!({ "scale": 65536.0 });
    run.write("run/checkpoints/last/state.json", damaged.to_string());
    run.resume(&[]).failed(1, &["run/checkpoints/last/state.json", "good_steps"]);
    run.write("run/checkpoints/last/state.json", state.to_string());
    run.resume(&["--set", "trainer.max_epochs=2"]).succeeded();
}

#[test]
fn a_damaged_checkpoint_is_refused_with_its_file() {
    let run = run();
    run.fit(&[]).succeeded();
    let path = run.run_dir().join("checkpoints/last/model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    run.resume(&["--set", "trainer.max_epochs=2"]).failed(1, &["model.safetensors", "damaged", "SHA-256"]);
}

#[test]
fn a_folder_without_a_checkpoint_is_named() {
    let run = Run::new("");
    run.host(["fit", "--resume", "nowhere"]).failed(2, &["nowhere", "no checkpoint", "model.safetensors"]);
}
