//! Tables of several kinds: tags, short forms, other spellings, definitions, keys left to somebody else.

use serde_json::{Map, Value, json};
use thaw_plugin_api::config::{Config, ConfigError, above_to, document, parse};

/// When the rate changes.
#[derive(Config, Clone, Debug, PartialEq)]
#[config(through = ScheduleTable)]
struct Schedule {
    decay: Decay,
    every: usize,
}

#[derive(Config)]
struct ScheduleTable {
    #[config(flatten)]
    decay: Decay,
    /// Counts between two changes. Default: 1, of `sequential` 2.
    #[config(range = 1..)]
    every: Option<usize>,
}

impl From<ScheduleTable> for Schedule {
    fn from(ScheduleTable { decay, every }: ScheduleTable) -> Self {
        let usual = if matches!(decay, Decay::Sequential { .. }) { 2 } else { 1 };
        Self { decay, every: every.unwrap_or(usual) }
    }
}

impl From<Schedule> for ScheduleTable {
    fn from(Schedule { decay, every }: Schedule) -> Self {
        Self { decay, every: Some(every) }
    }
}

/// A decay.
#[derive(Config, Clone, Debug, PartialEq)]
#[config(tag = "id", definition = "decay")]
enum Decay {
    /// Once.
    Step(Step),
    /// One after the other.
    Sequential { parts: Vec<Decay> },
    #[config(rename = "none_at_all")]
    Never,
}

#[derive(Config, Clone, Debug, PartialEq)]
#[config(check = Step::check)]
struct Step {
    #[config(rename = "T_0", range = 1..)]
    t_0: usize,
    #[config(alias = "factor", range = above_to(0.0, 1.0))]
    gamma: f64,
}

impl Step {
    fn check(&mut self) -> Result<(), ConfigError> {
        if self.t_0 == 13 { Err(ConfigError::value("T_0", 13, "a luckier number")) } else { Ok(()) }
    }
}

/// A file.
#[derive(Config, Debug, PartialEq)]
#[config(short = path)]
struct File {
    path: std::path::PathBuf,
    #[config(default = true)]
    strict: bool,
}

/// Somebody else's table.
#[derive(Config, Debug, PartialEq)]
struct Foreign {
    #[config(rest)]
    own: Map<String, Value>,
    id: String,
}

#[derive(Config, Debug, PartialEq)]
struct Run {
    #[config(flatten)]
    size: Size,
    schedule: Option<Schedule>,
    file: Option<File>,
    foreign: Option<Foreign>,
    sizes: Size,
}

#[derive(Config, Debug, PartialEq)]
#[config(default)]
struct Size {
    #[config(default = 3)]
    width: usize,
    name: String,
    depth: Option<usize>,
}

fn schedule(table: Value) -> Result<Schedule, String> {
    parse(&table.to_string()).map_err(|error| error.to_string())
}

#[test]
fn a_tag_chooses_the_keys() {
    let read = schedule(json!({ "id": "step", "T_0": 2, "gamma": 0.5, "every": 3 })).unwrap();
    assert_eq!(read, Schedule { decay: Decay::Step(Step { t_0: 2, gamma: 0.5 }), every: 3 });
    assert_eq!(schedule(json!({ "id": "none_at_all" })), Ok(Schedule { decay: Decay::Never, every: 1 }));
    assert_eq!((Decay::TAGS, Decay::Never.tag()), (["step", "sequential", "none_at_all"], "none_at_all"));
}

#[test]
fn a_default_may_depend_on_the_tag() {
    assert_eq!(schedule(json!({ "id": "sequential", "parts": [] })).unwrap().every, 2);
}

#[test]
fn a_table_of_some_kind_is_written_as_it_is_read() {
    let table = json!({
        "id": "sequential",
        "parts": [{ "id": "step", "T_0": 2, "gamma": 0.5 }, { "id": "none_at_all" }],
        "every": 4,
    });
    assert_eq!(schedule(table.clone()).unwrap().to_value(), table);
}

#[test]
fn what_is_wrong_in_a_tagged_table_is_named_with_its_place() {
    for (table, words) in [
        (json!({ "every": 1 }), "missing key `id`, expected one of step, sequential, none_at_all"),
        (
            json!({ "id": "stepp", "gama": 1 }),
            "`id` is \"stepp\", expected one of step, sequential, none_at_all; did you mean `step`?",
        ),
        (json!({ "id": 3 }), "`id` is 3, expected one of step"),
        (json!({ "id": "step", "T0": 3, "gamma": 1 }), "unknown key `T0`, did you mean `T_0`?"),
        (json!({ "id": "none_at_all", "gamma": 1 }), "unknown key `gamma`; the keys are: id, every"),
        (json!({ "id": "step", "gamma": 1 }), "missing key `T_0`, expected a whole number of at least 1"),
        (
            json!({ "id": "step", "T_0": 1, "gamma": 0.0 }),
            "`gamma` is 0.0, expected a number of more than 0.0 and at most 1.0",
        ),
        (json!({ "id": "step", "T_0": 13, "gamma": 1 }), "`T_0` is 13, expected a luckier number"),
        (
            json!({ "id": "sequential", "parts": [{ "id": "step", "T_0": 13, "gamma": 1 }] }),
            "`parts[0].T_0` is 13",
        ),
        (json!({ "id": "sequential", "parts": [{ "id": "none_at_all", "every": 1 }] }), "`parts[0].every`"),
    ] {
        let error = schedule(table.clone()).unwrap_err();
        assert!(error.contains(words), "{table}: {error}");
    }
}

#[test]
fn another_spelling_is_the_same_key() {
    let read = schedule(json!({ "id": "step", "T_0": 2, "factor": 0.5 })).unwrap();
    assert_eq!(read.decay, Decay::Step(Step { t_0: 2, gamma: 0.5 }));
    let error = schedule(json!({ "id": "step", "T_0": 2, "factor": 2 })).unwrap_err();
    assert!(error.contains("`factor` is 2.0"), "{error}");
    let error = schedule(json!({ "id": "step", "T_0": 2, "factor": 0.5, "gamma": 0.5 })).unwrap_err();
    assert!(error.contains("`factor` is there beside `gamma`, expected `gamma` alone"), "{error}");
}

#[test]
fn a_value_stands_for_the_table_that_it_is_short_for() {
    let read =
        |value: Value| File::from_value(&value, &Default::default()).map_err(|error| error.to_string());
    assert_eq!(read(json!("a.bin")), Ok(File { path: "a.bin".into(), strict: true }));
    assert_eq!(read(json!({ "path": "a.bin" })), read(json!("a.bin")));
    assert!(read(json!(3)).unwrap_err().contains("is 3, expected a path, or a table with `path`"));
    assert!(read(json!({ "strict": true })).unwrap_err().contains("missing key `path`, expected a path"));
}

#[test]
fn keys_that_nothing_else_reads_are_kept() {
    let read: Foreign = parse(r#"{ "a": 1, "id": "x", "b": [2] }"#).unwrap();
    assert_eq!((read.id.as_str(), Value::Object(read.own)), ("x", json!({ "a": 1, "b": [2] })));
}

#[test]
fn a_table_whose_keys_all_have_defaults_may_be_left_out() {
    let read: Result<Run, _> = parse(r#"{ "name": "a" }"#);
    let error = read.unwrap_err().to_string();
    assert!(error.contains("missing key `sizes`"), "its `name` is required: {error}");
    let read: Run = parse(r#"{ "name": "a", "sizes": { "name": "b" } }"#).unwrap();
    assert_eq!((read.size.width, read.sizes.name.as_str()), (3, "b"));
    assert_eq!(Size::default(), Size { width: 3, name: String::new(), depth: None });
}

#[test]
fn a_type_that_holds_itself_is_defined_once() {
    let schema = document::<Run>();
    let definitions = schema["$defs"].as_object().unwrap();
    assert_eq!(definitions.keys().collect::<Vec<_>>(), ["decay"]);
    let choices = definitions["decay"]["oneOf"].as_array().unwrap();
    assert_eq!(choices[1]["properties"]["parts"]["items"], json!({ "$ref": "#/$defs/decay" }));
    assert_eq!(choices[0]["properties"].get("every"), None, "only the outermost table has it");
}

#[test]
fn each_kind_of_a_table_has_a_schema_of_its_own() {
    let schema = Schedule::schema();
    let choices = schema["oneOf"].as_array().unwrap();
    let ids: Vec<&Value> = choices.iter().map(|choice| &choice["properties"]["id"]["const"]).collect();
    assert_eq!(ids, ["step", "sequential", "none_at_all"]);
    assert_eq!(choices[0]["required"], json!(["id", "T_0"]));
    assert_eq!(choices[0]["properties"]["every"]["minimum"], 1);
    assert_eq!(choices[0]["properties"]["gamma"]["exclusiveMinimum"], 0.0);
    assert_eq!(choices[0]["properties"]["factor"], choices[0]["properties"]["gamma"]);
    assert_eq!(choices[0]["description"], "Once.");
    assert_eq!(choices[2]["additionalProperties"], false);
    assert_eq!(Foreign::schema()["additionalProperties"], true);
    assert_eq!(File::schema()["anyOf"][0]["format"], "path");
}
