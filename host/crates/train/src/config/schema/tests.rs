//! What the schema says of plugins' tables.

use thaw_plugin_api::config::Config;

use super::*;

/// Rates, one inside the other.
#[derive(Config)]
#[config(definition = "rate")]
struct Rate {
    /// A smaller one.
    inner: Option<Box<Rate>>,
}

/// Thaws.
#[derive(Config)]
struct Thawing {
    /// When.
    #[config(default = 3, range = 1..)]
    epoch: usize,
    rate: Option<Rate>,
}

fn item(kind: Kind, id: &str) -> Item {
    let schema = document::<Thawing>();
    let (id, description) = (id.to_owned(), "Thaws.".to_owned());
    Item { kind, id, description, schema, metrics: None, other_names: Vec::new() }
}

fn ids(table: &Value) -> &Value {
    &table["properties"]["id"]["enum"]
}

#[test]
fn without_plugins_any_model_and_any_callback_goes() {
    let schema = RunConfig::schema(&[]);
    let model = &schema["properties"]["model"];
    assert_eq!((ids(model), &model["additionalProperties"]), (&Value::Null, &json!(true)));
    assert_eq!(model["anyOf"], json!([{ "required": ["id"] }, { "required": ["path"] }]));
    assert_eq!(schema["properties"]["callbacks"]["items"]["additionalProperties"], true);
}

#[test]
fn what_plugins_offer_is_what_the_tables_may_be() {
    let items = [item(Kind::Strategy, "thaw"), item(Kind::Callback, "log"), item(Kind::Strategy, "thaw")];
    let schema = RunConfig::schema(&items);
    let callbacks = &schema["properties"]["callbacks"]["items"];
    assert_eq!(ids(callbacks), &json!(["thaw", "log"]));
    let thaw = &callbacks["oneOf"][0];
    assert_eq!(thaw["properties"]["epoch"]["minimum"], 1);
    assert_eq!((&thaw["additionalProperties"], &thaw["description"]), (&json!(false), &json!("Thaws.")));
    assert_eq!(ids(&schema["properties"]["model"]), &Value::Null, "no plugin offers a model");
}

#[test]
fn a_data_set_has_its_own_keys_beside_those_of_the_host() {
    let of_plugin = |schema: &Value| {
        let kinds = schema["properties"]["data"]["oneOf"].as_array().unwrap();
        kinds.iter().find(|kind| kind["properties"]["kind"]["const"] == "plugin").unwrap().clone()
    };
    let open = of_plugin(&RunConfig::schema(&[]));
    assert_eq!((ids(&open), &open["additionalProperties"]), (&Value::Null, &json!(true)));
    let closed = of_plugin(&RunConfig::schema(&[item(Kind::Dataset, "digits")]));
    assert_eq!((ids(&closed), &closed["required"]), (&json!(["digits"]), &json!(["kind", "id"])));
    let digits = &closed["oneOf"][0];
    assert_eq!(
        (&digits["additionalProperties"], &digits["required"]),
        (&json!(false), &json!(["id", "kind"]))
    );
    for key in ["epoch", "batch_size", "image_size", "tokenizer", "classes"] {
        assert!(digits["properties"][key].is_object(), "{key}: {digits}");
    }
}

#[test]
fn a_model_keeps_its_weights() {
    let schema = RunConfig::schema(&[item(Kind::Model, "net")]);
    let net = &schema["properties"]["model"]["oneOf"][0];
    assert!(net["properties"]["weights"]["anyOf"].is_array(), "{net}");
    assert_eq!(net["required"], json!(["id"]));
}

#[test]
fn definitions_of_plugins_are_kept_apart() {
    let schema = RunConfig::schema(&[item(Kind::Strategy, "thaw")]);
    let definitions = schema["$defs"].as_object().unwrap();
    assert_eq!(definitions.keys().collect::<Vec<_>>(), ["schedule", "thaw.rate"]);
    let thaw = &schema["properties"]["callbacks"]["items"]["oneOf"][0];
    let reference = json!("#/$defs/thaw.rate");
    assert_eq!(thaw["properties"]["rate"]["$ref"], reference);
    assert_eq!(definitions["thaw.rate"]["properties"]["inner"]["$ref"], reference);
}

#[test]
fn the_ids_and_kinds_of_the_host_are_all_there() {
    let schema = RunConfig::schema(&[]);
    let tag = |table: &str, key: &str| schema["properties"][table]["properties"][key]["enum"].clone();
    assert_eq!(tag("scheduler", "id"), json!(thaw_optim::scheduler::Schedule::IDS));
    assert_eq!(tag("optimizer", "id"), json!(thaw_optim::optimizer::OptimizerConfig::IDS));
    assert_eq!(tag("data", "kind"), json!(thaw_data::DataConfig::KINDS));
}
