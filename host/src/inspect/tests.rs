use serde_json::json;

use thaw_plugins::parameters;

use super::table;

fn schema() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {
            "epoch": { "type": "integer", "minimum": 0, "default": 10, "description": "Epoch at which the \
                                                                                       backbone thaws." },
            "rate": { "type": "number", "exclusiveMinimum": 0.0, "maximum": 1.0, "description": "Rate." },
            "frozen_bn": { "type": "string", "enum": ["train", "eval"], "enumDescriptions": ["Goes on.", ""],
                "default": "eval" },
            "phases": {
                "type": "array", "default": [], "description": "Phases.",
                "items": { "type": "object", "properties": { "lr": { "type": "number", "nullable": true,
                    "default": null } } },
            },
        },
    })
}

#[test]
fn every_key_is_listed_with_type_default_and_range() {
    let rows = parameters(&schema());
    let row = |key: &str| rows.iter().find(|row| row.key == key).unwrap();
    assert_eq!(row("epoch").kind, "integer");
    assert_eq!(row("epoch").default, Some(json!(10)));
    assert_eq!(row("epoch").range, "≥ 0");
    assert_eq!(row("rate").range, "> 0.0, ≤ 1.0");
    assert_eq!(row("rate").default, None, "a key without a default is required");
    assert_eq!(row("frozen_bn").range, "train | eval");
    assert_eq!(row("frozen_bn").choices, [("train".to_owned(), "Goes on.".to_owned())]);
    assert_eq!(row("phases").kind, "list of table");
    assert_eq!(row("phases[].lr").kind, "number or none");
}

#[test]
fn keys_of_a_table_that_is_one_of_several_say_of_which() {
    let kind = |id: &str| {
        json!({
            "title": id,
            "properties": { "id": { "const": id }, "gamma": { "type": "number", "description": "Share." } },
        })
    };
    let id = json!({ "type": "string", "enum": ["step", "cosine"] });
    let table = json!({ "properties": { "id": id }, "oneOf": [kind("step"), kind("cosine")] });
    let rows = parameters(&json!({ "properties": { "decay": table } }));
    let rows: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.help.as_str())).collect();
    let expected = [
        ("decay", ""),
        ("decay.id", ""),
        ("decay.gamma", "Of `step`: Share."),
        ("decay.gamma", "Of `cosine`: Share."),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn columns_are_aligned_and_lines_keep_to_the_width() {
    let text = table::text(&parameters(&schema()), 100);
    let start = text.lines().next().unwrap().find("type").unwrap();
    for line in text.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        assert_eq!(&line[start - 1..start], " ", "{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.contains("required") && text.contains("none"), "{text}");
}

#[test]
fn text_is_wrapped_between_words() {
    assert_eq!(table::wrap("one two three\nfour", 9), ["one two", "three", "four"]);
    assert!(table::wrap("", 9).is_empty());
}
