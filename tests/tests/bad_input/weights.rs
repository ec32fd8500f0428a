//! Weights that do not fit: everything that does not, in one message.

use serde_json::{Map, Value, json};
use thaw_tests::{Run, case, fixtures};

const WITH_EDITED: [&str; 2] = ["--set", "model.weights={ path = \"edited.safetensors\" }"];

fn run() -> Run {
    Run::new(&(case("bb_steplr") + "[trainer]\nmax_epochs = 1\n"))
}

/// The case's weights with an edited header.
fn edited(edit: impl FnOnce(&mut Map<String, Value>)) -> Vec<u8> {
    let bytes = std::fs::read(fixtures().join("parity/bb_steplr/init.safetensors")).unwrap();
    let end = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let mut header: Map<String, Value> = serde_json::from_slice(&bytes[8..end]).unwrap();
    edit(&mut header);
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes(), header.as_slice(), &bytes[end..]].concat()
}

fn rename(header: &mut Map<String, Value>, from: &str, to: &str) {
    let entry = header.remove(from).unwrap();
    header.insert(to.to_owned(), entry);
}

#[test]
fn missing_unexpected_and_misshapen_tensors_are_all_listed() {
    let run = run();
    let bytes = edited(|header| {
        rename(header, "head.bias", "extra.table");
        rename(header, "backbone.3.bias", "more.numbers");
        header["head.weight"]["shape"] = json!([32, 4]);
    });
    run.write("edited.safetensors", bytes);
    let texts = [
        "edited.safetensors",
        "head.bias",
        "backbone.3.bias",
        "extra.table",
        "more.numbers",
        "head.weight",
        "[32, 4]",
        "[4, 32]",
        "ignore",
    ];
    run.fit(&WITH_EDITED).failed(1, &texts);
}

#[test]
fn what_is_ignored_keeps_its_initial_values() {
    let run = run();
    let bytes = edited(|header| {
        rename(header, "head.bias", "extra.table");
        header["head.weight"]["shape"] = json!([32, 4]);
    });
    run.write("edited.safetensors", bytes);
    let ignored = "model.weights={ path = \"edited.safetensors\", ignore = [\"head.*\", \"extra.*\"] }";
    run.fit(&["--set", ignored]).succeeded();
}

#[test]
fn truncated_weights_are_named_and_nothing_trains() {
    let run = run();
    let whole = edited(|_| {});
    for length in [4, 100, whole.len() - 10] {
        run.write("edited.safetensors", &whole[..length]);
        run.fit(&WITH_EDITED).failed(1, &["edited.safetensors"]);
    }
}

#[test]
fn missing_weights_are_named() {
    run().fit(&WITH_EDITED).failed(2, &["edited.safetensors", "cannot read the weights"]);
}

#[test]
fn a_file_that_holds_no_weights_is_told_by_its_contents() {
    let run = run();
    run.write("edited.safetensors", "epoch,loss\n1,0.5\n".repeat(20));
    run.fit(&WITH_EDITED).failed(1, &["edited.safetensors"]);
}
