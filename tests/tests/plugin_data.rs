//! Data of a plugin: trained on, resumed, validated, tested and predicted with as any other.

use std::fs;

use serde_json::Value;
use thaw_tests::{Run, tiny_text};

/// An IDX file: type, sizes and numbers with the most significant byte first.
fn idx(sizes: &[u32], numbers: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0x08, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(numbers);
    bytes
}

/// Files of MNIST's form: pictures of 6 x 5 pixels, darker for class 0 than for class 2.
fn write_idx(run: &Run, folder: &str, split: &str, count: u32) {
    let labels: Vec<u8> = (0..count).map(|index| (index % 3) as u8).collect();
    let level = |index: usize| (index % 3 * 90 + index % 20 + index % 7) as u8;
    let pixels: Vec<u8> = (0..count as usize).flat_map(|index| [level(index); 30]).collect();
    run.write(&format!("{folder}/{split}-images-idx3-ubyte"), idx(&[count, 6, 5], &pixels));
    run.write(&format!("{folder}/{split}-labels-idx1-ubyte"), idx(&[count], &labels));
}

fn mnist() -> Run {
    let run = Run::new(
        r#"seed = 5
plugins = ["autoencoder", "idx"]

[model]
id = "autoencoder-classifier"
image_shape = [3, 8, 8]
hidden_dim = 16
latent_dim = 8

[data]
kind = "plugin"
id = "idx"
path = "mnist"
labels = ["dark", "grey", "bright"]
image_size = 8
augment = { horizontal_flip = 0.5 }
val_split = 0.25
batch_size = 8
workers = 2

[optimizer]
id = "adam"
lr = 0.005

[trainer]
max_epochs = 6
"#,
    );
    write_idx(&run, "mnist", "train", 48);
    write_idx(&run, "mnist", "t10k", 15);
    run
}

/// Weights of the last checkpoint, byte for byte.
fn weights(run: &Run) -> Vec<u8> {
    fs::read(run.run_dir().join("checkpoints/last/model.safetensors")).unwrap()
}

fn json(run: &Run, arguments: &[&str]) -> Value {
    let text = run.host(arguments).succeeded().stdout;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn pictures_of_idx_files_are_trained_validated_tested_and_predicted_on() {
    let run = mnist();
    let fitted = run.fit(&[]).succeeded();
    let head = "dataset `idx`: 36 training and 12 validation samples (x 3x8x8), 3 classes: dark 12+4, grey \
                12+4, bright 12+4";
    assert!(fitted.stdout.contains(head), "{fitted}");
    let last = run.metrics().pop().unwrap();
    assert!(last["val_acc"].as_f64() > Some(0.9), "brightness is easy: {last}");

    let validated = json(&run, &["validate", "--checkpoint", "run/checkpoints/last", "--json"]);
    assert_eq!(validated["metrics"]["val_loss"], last["val_loss"]);
    let tested = json(&run, &["test", "--checkpoint", "run", "--json"]);
    let samples: Vec<u64> = tested["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class["samples"].as_u64().unwrap())
        .collect();
    assert_eq!(samples, [5, 5, 5], "{tested}");
    let all = json(&run, &["test", "--checkpoint", "run", "--split", "train", "--json"]);
    assert_eq!(all["classes"][0]["samples"], 16);

    run.host(["predict", "--checkpoint", "run", "--split", "test", "--output", "out.csv"]).succeeded();
    let text = fs::read_to_string(run.folder().join("out.csv")).unwrap();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("sample,"), "{text}");
    let (hits, rows) = lines.fold((0, 0), |(hits, rows), line| {
        let fields: Vec<&str> = line.split(',').collect();
        let index: usize = fields[0].parse().unwrap();
        (hits + usize::from(fields[1] == ["dark", "grey", "bright"][index % 3]), rows + 1)
    });
    assert_eq!(rows, 15);
    assert_eq!(Some(f64::from(hits as u32) / 15.0), tested["metrics"]["test_acc"].as_f64());
}

#[test]
fn a_resumed_run_on_a_plugins_data_gives_the_same_bytes_wherever_the_data_lies() {
    let straight = mnist();
    straight.fit(&[]).succeeded();
    let resumed = mnist();
    // Inside of the fourth epoch.
    resumed.fit(&["--set", "trainer.max_steps=17"]).succeeded();
    fs::rename(resumed.folder().join("mnist"), resumed.folder().join("moved")).unwrap();
    resumed.resume(&["--set", "data.path=moved", "--set", "trainer.max_steps=30"]).succeeded();
    assert!(weights(&straight) == weights(&resumed), "the weights differ");
}

#[test]
fn keys_of_a_data_set_that_change_what_samples_are_do_not_change_in_a_run() {
    let run = mnist();
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let resume = |set: &str| run.resume(&["--set", "trainer.max_epochs=2", "--set", set]);
    resume("data.labels=[\"grey\",\"dark\",\"bright\"]").failed(2, &["data.labels"]);
    resume("data.id=other").failed(2, &["other"]);
    // As written, the default is no change; a picture may have another size.
    resume("data.samples=pictures").succeeded();
    // Other data of the same classes may take its place between epochs.
    write_idx(&run, "other", "train", 48);
    run.write("other/train-labels-idx1-ubyte", idx(&[48], &[0; 48]));
    run.resume(&["--set", "trainer.max_epochs=3", "--set", "data.path=other"]).succeeded();
}

#[test]
fn what_a_command_line_or_a_run_config_gets_wrong_is_named() {
    let run = mnist();
    let fit = |set: &str| run.fit(&["--set", set]);
    fit("data.id=ixd").failed(2, &["[data]", "dataset `ixd`", "did you mean `idx`?"]);
    fit("data.lables=[\"a\"]").failed(2, &["run.toml", "unknown key `data.lables`, did you mean `labels`?"]);
    fit("data.tokenizer=t.json").failed(2, &["`data.tokenizer`", "dataset `idx` gives pictures"]);
    fit("data.path=gone").failed(3, &["dataset `idx` of plugin `thaw-idx`", "gone"]);
    fit("data.labels=[\"a\"]").failed(3, &["`labels` has 1 names, expected at least 3"]);
    fit("data.samples=arrays").failed(2, &["`data.", "dataset `idx` gives arrays"]);
    assert!(!run.run_dir().exists(), "a run that does not start leaves nothing");
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let test = |more: &[&str]| run.host(["test", "--checkpoint", "run"].iter().chain(more));
    test(&["--input", "mnist"]).failed(2, &["--input", "dataset `idx`", "--split"]);
    test(&["--split", "val"]).failed(2, &["dataset `idx` has no val samples; it has: train, test"]);
    test(&["--set", "plugins=[\"autoencoder\"]"]).succeeded();
    run.host(["predict", "--checkpoint", "run", "--output", "mnist/train-images-idx3-ubyte.csv"]).succeeded();
    run.host(["plan", "run.toml"]).succeeded();
    let listed = run.host(["plugin", "list"]).succeeded();
    assert!(listed.stdout.contains("dataset idx"), "{listed}");
}

/// A small model on numbers of a plugin.
fn numbers(data: &str) -> Run {
    Run::new(&format!(
        "seed = 5\nplugins = [\"autoencoder\", \"case_dataset\"]\n[model]\nid = \"autoencoder-classifier\"\n\
         image_shape = [2]\nhidden_dim = 8\nlatent_dim = 4\n[data]\nkind = \"plugin\"\nid \
         = \"case-numbers\"\n\
         batch_size = 8\nworkers = 2\n{data}\n[optimizer]\nid = \"adam\"\nlr = 0.01\n[trainer]\nmax_epochs = \
         2\n"
    ))
}

#[test]
fn a_sample_that_fails_ends_the_run_with_its_split_and_index() {
    let who = "dataset `case-numbers` of plugin `thaw-case-dataset`";
    let failed = numbers("fail_at = 13").fit(&[]);
    failed.failed(3, &["train sample 13: ", who, "`get`", "the page is torn"]);
    numbers("panic_at = 13").fit(&[]).failed(3, &[who, "`get`", "the page is burnt"]);
    let ended = numbers("exit_at = 13").fit(&[]);
    assert_eq!(ended.code(), Some(3), "{ended}");
    ended.says(who).says("ended the program");
}

#[test]
fn a_data_set_has_its_state_back_when_the_run_goes_on_and_when_it_is_validated() {
    let straight = numbers("factor = \"factor.txt\"");
    straight.write("factor.txt", "0.5");
    straight.fit(&[]).succeeded();
    let resumed = numbers("factor = \"factor.txt\"");
    resumed.write("factor.txt", "0.5");
    resumed.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    resumed.write("factor.txt", "7");
    resumed.resume(&["--set", "trainer.max_epochs=2"]).succeeded();
    assert!(weights(&straight) == weights(&resumed), "the weights differ");
    let validated = json(&resumed, &["validate", "--checkpoint", "run/checkpoints/last", "--json"]);
    assert_eq!(validated["metrics"]["val_loss"], straight.metrics().pop().unwrap()["val_loss"]);
    let state = resumed.run_dir().join("checkpoints/last/state.json");
    let state: Value = serde_json::from_slice(&fs::read(state).unwrap()).unwrap();
    assert_eq!(state["dataset"]["state"]["factor"], 0.5);
}

#[test]
fn texts_of_a_plugin_train_as_those_of_a_table() {
    let config = |data: &str| {
        format!(
            "seed = 5\nplugins = [\"text\", \"case_dataset\"]\n[model]\nid = \"bert-classifier\"\n\
             config = \"weights/minilm/config.json\"\nnum_classes = 2\n[data]\n{data}\npath = \"rows.csv\"\n\
             tokenizer = \"weights/minilm/tokenizer.json\"\nbatch_size = 4\nval_split = 0.25\n\
             [optimizer]\nid = \"adamw\"\nlr = 0.001\n[trainer]\nmax_epochs = 2\n"
        )
    };
    let row =
        |index: usize| format!("{}{},{}\n", "word ".repeat(index % 9 + 1), index, ["b", "a"][index % 2]);
    let rows: String = (0..24).map(row).collect();
    let runs = ["kind = \"text\"", "kind = \"plugin\"\nid = \"case-texts\""].map(|data| {
        let run = Run::new(&config(data));
        tiny_text::write(&run);
        run.write("rows.csv", format!("text,label\n{rows}"));
        run.fit(&[]).succeeded();
        run
    });
    assert!(weights(&runs[0]) == weights(&runs[1]), "the weights differ");
    assert_eq!(runs[0].metrics().len(), runs[1].metrics().len());
}
