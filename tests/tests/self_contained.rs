//! A run and its checkpoints need nothing of what lay around them but the data.

use std::fs;
use std::path::Path;

use serde_json::Value;
use thaw_tests::{Run, tiny_text, without_times};

/// Its paths are relative.
const CONFIG: &str = r#"
seed = 3
plugins = ["text"]

[model]
id = "bert-classifier"
config = "weights/minilm/config.json"
weights = { path = "weights/minilm/model.safetensors", to = "backbone" }

[data]
kind = "text"
path = "texts.csv"
tokenizer = "weights/minilm/tokenizer.json"
val_split = 0.5
batch_size = 2
workers = 0

[trainer]
max_epochs = 1
"#;

/// A trained run, with the model's files.
fn trained() -> Run {
    let run = Run::new(CONFIG);
    tiny_text::write(&run);
    run.write("texts.csv", "text,label\na b,x\nc d,y\na c,x\nb d,y\na d,x\nc b,y\na a,x\nd d,y\n");
    run.write("elsewhere/new.txt", "a c\nb d\n");
    run.fit(&[]).succeeded();
    run
}

fn forget_the_model(run: &Run) {
    fs::remove_dir_all(run.folder().join("weights")).unwrap();
}

fn predictions(run: &Run, folder: &str, checkpoint: &str) -> String {
    run.host_in(
        folder,
        ["predict", "--checkpoint", checkpoint, "--input", "new.txt", "--output", "out.csv", "--all"],
    )
    .succeeded();
    fs::read_to_string(run.folder().join(folder).join("out.csv")).unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_run_predicts_where_its_models_files_are_gone_and_after_it_was_moved() {
    let run = trained();
    let before = predictions(&run, "elsewhere", "../run");
    forget_the_model(&run);
    assert_eq!(predictions(&run, "elsewhere", "../run"), before);
    fs::rename(run.run_dir(), run.folder().join("elsewhere/renamed")).unwrap();
    assert_eq!(predictions(&run, "elsewhere", "renamed"), before);
    copy_folder(
        &run.folder().join("elsewhere/renamed/checkpoints/best"),
        &run.folder().join("elsewhere/alone"),
    );
    fs::remove_dir_all(run.folder().join("elsewhere/renamed")).unwrap();
    assert_eq!(predictions(&run, "elsewhere", "alone"), before, "a checkpoint alone is enough");
}

#[test]
fn a_run_validates_from_another_folder() {
    let run = trained();
    let here = run.host(["validate", "--checkpoint", "run/checkpoints/last", "--json"]).succeeded().stdout;
    forget_the_model(&run);
    let there = run
        .host_in("elsewhere", ["validate", "--checkpoint", "../run/checkpoints/last", "--json"])
        .succeeded()
        .stdout;
    let metrics = |text: &str| serde_json::from_str::<Value>(text).unwrap()["metrics"].clone();
    assert_eq!(metrics(&there), metrics(&here));
}

#[test]
fn a_run_goes_on_from_another_folder_bit_for_bit() {
    let straight = trained();
    straight.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    let run = trained();
    forget_the_model(&run);
    for epochs in ["trainer.max_epochs=2", "trainer.max_epochs=3"] {
        run.host_in("elsewhere", ["fit", "--resume", "../run", "--set", epochs]).succeeded();
    }
    let bytes = |run: &Run, name: &str| fs::read(run.run_dir().join(name)).unwrap();
    for name in ["checkpoints/last/model.safetensors", "checkpoints/last/optimizer.safetensors"] {
        assert!(bytes(&straight, name) == bytes(&run, name), "{name}");
    }
    let records = |run: &Run| without_times(&bytes(run, "metrics.jsonl"));
    assert_eq!(records(&run), records(&straight));
    let files = |run: &Run| fs::read_dir(run.run_dir().join("files")).unwrap().count();
    assert_eq!((files(&run), files(&straight)), (2, 2), "what is there already is not copied again");
    let state = run.json("checkpoints/last/state.json");
    assert_eq!(
        state["config"]["model"]["config"], "weights/minilm/config.json",
        "the config says what was given"
    );
    assert_eq!(state["model"]["config"]["config"], "weights/minilm/config.json");
}

#[test]
fn a_file_of_a_checkpoint_that_was_changed_is_refused() {
    let run = trained();
    let last = run.run_dir().join("checkpoints/last");
    let files: Vec<_> = fs::read_dir(&last).unwrap().map(|entry| entry.unwrap().path()).collect();
    let tokenizer = files
        .into_iter()
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("tokenizer-"))
        .unwrap();
    fs::write(&tokenizer, "{}").unwrap();
    run.host(["predict", "--checkpoint", "run", "--input", "elsewhere/new.txt", "--output", "out.csv"])
        .failed(1, &["tokenizer-", "the file is damaged"]);
}

#[test]
fn a_run_that_moved_with_its_data_finds_it_as_it_was_given() {
    let run = trained();
    let moved = run.folder().join("project");
    fs::create_dir(&moved).unwrap();
    for name in ["run", "texts.csv"] {
        fs::rename(run.folder().join(name), moved.join(name)).unwrap();
    }
    forget_the_model(&run);
    run.host_in("project", ["validate", "--checkpoint", "run"]).succeeded();
    run.host_in("elsewhere", ["validate", "--checkpoint", "../project/run"]).failed(2, &["texts.csv"]);
}

#[cfg(unix)]
#[test]
fn what_a_run_writes_is_as_readable_as_other_files_of_the_user() {
    use std::os::unix::fs::PermissionsExt;
    let run = trained();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let usual = (mode(&run.write("usual", "")), mode(&run.folder().join("elsewhere")));
    let mut folders = vec![run.run_dir()];
    while let Some(folder) = folders.pop() {
        assert_eq!(mode(&folder), usual.1, "{}", folder.display());
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), usual.0, "{}", path.display());
            }
        }
    }
}
