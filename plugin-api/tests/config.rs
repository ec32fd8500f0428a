//! What `#[derive(Config)]` reads, and what it says of what it cannot read.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thaw_plugin_api::config::{Config, parse};

/// Every form that a key can have.
#[derive(Config, Debug, PartialEq)]
struct Everything {
    /// Has to be given.
    #[config(range = 1..=9)]
    size: i64,
    #[config(default = 0.5, range = 0.0..=1.0)]
    rate: f64,
    #[config(range = 0..10)]
    limit: Option<u32>,
    #[config(default = vec!["head".to_owned()])]
    modules: Vec<String>,
    #[config(default = [2, 2], range = 1..)]
    layers: [usize; 2],
    #[config(default = BTreeMap::new())]
    rates: BTreeMap<String, f64>,
    #[config(default = Mode::Eval)]
    mode: Mode,
    #[config(flatten)]
    more: More,
}

#[derive(Config, Clone, Copy, Debug, PartialEq)]
enum Mode {
    Eval,
    TrainOnly,
}

#[derive(Config, Debug, PartialEq)]
struct More {
    #[config(default = false)]
    verbose: bool,
}

fn read(config: Value) -> Everything {
    parse(&config.to_string()).unwrap()
}

fn refused(config: Value) -> String {
    parse::<Everything>(&config.to_string()).unwrap_err().to_string()
}

#[test]
fn what_is_left_out_has_its_default() {
    let read = read(json!({ "size": 3 }));
    assert_eq!(
        (read.size, read.rate, read.limit, read.layers, read.mode),
        (3, 0.5, None, [2, 2], Mode::Eval)
    );
    assert_eq!(
        (read.modules, read.rates, read.more),
        (vec!["head".to_owned()], BTreeMap::new(), More { verbose: false })
    );
}

#[test]
fn what_is_written_is_read_again() {
    let config = json!({
        "size": 9, "rate": 1.0, "limit": 9, "modules": [], "layers": [3, 4], "rates": { "head": 0.1 },
        "mode": "train-only", "verbose": true,
    });
    assert_eq!(read(config.clone()).to_value(), config);
}

#[test]
fn what_does_not_fit_is_named_with_what_is_expected() {
    for (config, words) in [
        (json!({}), ["`size`", "missing"]),
        (json!({ "size": 0 }), ["`size` is 0", "at least 1 and at most 9"]),
        (json!({ "size": 1.5 }), ["`size` is 1.5", "a whole number"]),
        (json!({ "size": 1, "rate": 1.5 }), ["`rate` is 1.5", "at least 0.0 and at most 1.0"]),
        (json!({ "size": 1, "limit": 10 }), ["`limit` is 10", "at least 0 and less than 10"]),
        (json!({ "size": 1, "limit": -1 }), ["`limit` is -1", "a whole number of at least 0"]),
        (json!({ "size": 1, "modules": ["head", 2] }), ["`modules[1]` is 2", "a text"]),
        (json!({ "size": 1, "layers": [1, 2, 3] }), ["`layers` is [1,2,3]", "a list of length 2"]),
        (json!({ "size": 1, "layers": [1, 0] }), ["`layers` is 0", "at least 1"]),
        (json!({ "size": 1, "rates": { "head": "fast" } }), ["`rates.head` is \"fast\"", "a number"]),
        (json!({ "size": 1, "mode": "train" }), ["`mode` is \"train\"", "eval, train-only"]),
        (json!({ "size": 1, "verbose": 1 }), ["`verbose` is 1", "true or false"]),
        (json!({ "size": 1, "mods": [] }), ["`mods`", "unknown key"]),
        (json!({ "size": 1, "verbos": true }), ["`verbos`", "`verbose`"]),
    ] {
        let error = refused(config.clone());
        assert!(words.iter().all(|words| error.contains(words)), "{config}: {error}");
    }
}

#[test]
fn the_schema_says_what_is_read() {
    let schema = Everything::schema();
    let property = |key: &str| &schema["properties"][key];
    assert_eq!(schema["required"], json!(["size"]));
    assert_eq!((&property("size")["minimum"], &property("size")["maximum"]), (&json!(1), &json!(9)));
    assert_eq!(
        (&property("limit")["nullable"], &property("limit")["exclusiveMaximum"]),
        (&json!(true), &json!(10))
    );
    assert_eq!((&property("layers")["minItems"], &property("layers")["maxItems"]), (&json!(2), &json!(2)));
    assert_eq!(
        (&property("layers")["items"]["minimum"], &property("layers")["default"]),
        (&json!(1), &json!([2, 2]))
    );
    assert_eq!(property("mode")["enum"], json!(["eval", "train-only"]));
    assert_eq!(property("verbose")["default"], json!(false));
    assert_eq!(property("size")["description"], "Has to be given.");
}
