//! `examples/emoji-text.toml`.

use serde_json::Value;
use thaw_tests::{Run, tiny_text};

use super::config;

const CLASSES: usize = 9;

/// Names whose class is their first word.
fn names(rows: usize) -> String {
    let words = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let row =
        |row: usize| format!("{0} {1},class-{0}\n", words[row % CLASSES], words[row / CLASSES % CLASSES]);
    "text,label\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

fn fitted() -> Run {
    let run = Run::new(&config("emoji-text"));
    tiny_text::write(&run);
    run.write("data/emoji-text/train.csv", names(81));
    run.write("data/emoji-text/val.csv", names(18));
    run.fit(&["--set", "data.workers=0", "--set", "trainer.max_epochs=5"]).succeeded();
    run
}

/// Paths of the layers with a group of their own in a record, and of the embeddings.
fn thawed(record: &Value) -> Vec<String> {
    let groups = record["groups"].as_array().unwrap_or_else(|| panic!("{record}"));
    groups
        .iter()
        .filter_map(|group| group["name"].as_str())
        .filter(|name| *name != "head")
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_head_trains_first_and_the_encoder_thaws_from_the_top() {
    let run = fitted();
    let epochs: Vec<Vec<String>> = run.groups().iter().map(thawed).collect();
    assert_eq!(epochs[0], [""; 0], "{epochs:?}");
    let layers: Vec<usize> =
        epochs[4].iter().filter_map(|name| name.rsplit('.').next()?.parse().ok()).collect();
    assert_eq!(layers[..2], [5, 4], "{epochs:?}");
    assert!(
        epochs.windows(2).all(|pair| pair[1].starts_with(&pair[0])),
        "what has thawed stays so: {epochs:?}"
    );
}

#[test]
fn predictions_need_the_checkpoint_alone_and_name_the_classes() {
    let run = fitted();
    run.write("new.txt", "a i\nb h\n");
    run.host(["predict", "--checkpoint", "run", "--input", "new.txt", "--output", "out.jsonl", "--all"])
        .succeeded();
    let text = std::fs::read_to_string(run.folder().join("out.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["row"], "1");
    assert!(rows[0]["class"].as_str().unwrap().starts_with("class-"), "{text}");
    assert_eq!(rows[0]["probabilities"].as_object().unwrap().len(), CLASSES);
}
