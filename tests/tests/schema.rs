//! The JSON Schema of run configs: what is a run config fits it, what is refused does not.

use std::sync::OnceLock;

use jsonschema::Validator;
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use serde_json::{Value, json};
use thaw_tests::{Run, case, plugin, workspace};

/// What `host schema` prints, with the tables of these plugins.
fn schema(plugins: &[&str]) -> Value {
    let run = Run::new("");
    let mut arguments: Vec<String> = Vec::new();
    for name in plugins {
        arguments.extend(["--plugin".to_owned(), plugin(name).display().to_string()]);
    }
    arguments.push("schema".to_owned());
    let text = run.host(&arguments).succeeded().stdout;
    serde_json::from_str(&text).unwrap()
}

/// The schema with the tables of every plugin beside the program.
fn shipped() -> &'static (Value, Validator) {
    static SCHEMA: OnceLock<(Value, Validator)> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let schema = schema(&[]);
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        (schema, validator)
    })
}

fn toml(text: &str) -> Value {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    serde_json::to_value(table).unwrap()
}

/// What does not fit, with its place.
fn misfits(config: &Value) -> Vec<String> {
    let errors = shipped().1.iter_errors(config);
    errors.map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[track_caller]
fn fits(name: &str, config: &Value) {
    let misfits = misfits(config);
    assert!(misfits.is_empty(), "{name}:\n{}", misfits.join("\n"));
}

/// The TOML blocks of a page that are run configs.
fn run_configs(page: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace().join(page)).unwrap();
    let (mut configs, mut is_toml) = (Vec::new(), false);
    for event in Parser::new(&text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => is_toml = info.as_ref() == "toml",
            Event::End(TagEnd::CodeBlock) => is_toml = false,
            Event::Text(block) if is_toml => configs.push(toml(&block)),
            _ => {}
        }
    }
    configs.retain(|config| config.get("model").is_some());
    configs
}

#[test]
fn the_schema_is_one() {
    let schema = &shipped().0;
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    if let Err(error) = jsonschema::draft202012::meta::validate(schema) {
        panic!("{}: {error}", error.instance_path());
    }
}

#[test]
fn every_example_fits() {
    let folder = workspace().join("examples");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
    let configs: Vec<_> =
        files.map(|path| (path.clone(), toml(&std::fs::read_to_string(path).unwrap()))).collect();
    let configs: Vec<_> = configs.iter().filter(|(_, config)| config.get("model").is_some()).collect();
    assert!(configs.len() >= 8, "{configs:?}");
    for (path, config) in configs {
        fits(&path.display().to_string(), config);
    }
}

#[test]
fn every_run_config_of_the_guide_fits() {
    let mut count = 0;
    for page in ["docs/src/config.md", "docs/src/lightning.md", "docs/src/exported.md", "README.md"] {
        for config in run_configs(page) {
            fits(page, &config);
            count += 1;
        }
    }
    assert!(count >= 5, "{count}");
}

#[test]
fn a_run_config_of_a_plugin_that_was_named_fits() {
    let schema = schema(&["case_model"]);
    let config = toml(&(case("bb_steplr") + "[scheduler]\nid = \"step\"\nstep_size = 2\n"));
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    assert!(validator.is_valid(&config), "{config}");
}

#[test]
fn plugins_of_a_run_config_are_in_its_schema() {
    let run = Run::new(&case("bb_steplr"));
    let text = run.host(["schema", "run.toml"]).succeeded().stdout;
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert!(models(&schema).contains(&json!("case-model")));
}

#[test]
fn without_plugins_their_tables_are_open() {
    let text = Run::new("").host(["schema", "--no-plugins"]).succeeded().stdout;
    let validator = jsonschema::draft202012::new(&serde_json::from_str(&text).unwrap()).unwrap();
    assert!(validator.is_valid(&json!({ "model": { "id": "mine", "sizes": [1, 2] } })));
    assert!(validator.is_valid(&json!({ "model": { "path": "my-bert" } })));
    assert!(!validator.is_valid(&json!({ "model": { "weights": "my-bert" } })));
    assert!(!validator.is_valid(&json!({ "model": { "id": "mine" }, "trainer": { "max_epoch": 1 } })));
    let data = json!({ "kind": "plugin", "id": "mine", "rows": 3, "batch_size": 4 });
    assert!(validator.is_valid(&json!({ "model": { "id": "mine" }, "data": data })));
}

#[test]
fn a_plugins_data_set_has_the_keys_that_it_says() {
    let with = |key: &str, value: Value| {
        let data = json!({ "kind": "plugin", "id": "idx", "path": "mnist" });
        let mut config = json!({ "model": { "id": "resnet18" }, "data": data });
        config["data"][key] = value;
        config
    };
    for (key, right, wrong) in [
        ("batch_size", json!(4), json!(0)),
        ("image_size", json!(32), json!("large")),
        ("samples", json!("arrays"), json!("images")),
        ("id", json!("idx"), json!("idxx")),
    ] {
        fits(&format!("{key} = {right}"), &with(key, right));
        assert!(!misfits(&with(key, wrong.clone())).is_empty(), "{key} = {wrong} fits");
    }
    assert!(!misfits(&with("sampels", json!("arrays"))).is_empty(), "a misspelt key fits");
}

#[test]
fn a_model_is_an_id_or_a_directory() {
    fits("a directory", &json!({ "model": { "path": "my-bert", "freeze_features": true } }));
    assert!(!misfits(&json!({ "model": { "weights": "my-bert" } })).is_empty());
    assert!(!misfits(&json!({ "model": { "id": "resnet18", "path": "my-bert" } })).is_empty());
}

/// The models' ids; other names of theirs are taken as well.
fn models(schema: &Value) -> Vec<Value> {
    schema["properties"]["model"]["properties"]["id"]["anyOf"][0]["enum"].as_array().unwrap().clone()
}

fn ids(table: &Value) -> Vec<Value> {
    table["properties"]["id"]["enum"].as_array().unwrap().clone()
}

#[test]
fn what_plugins_offer_and_what_the_host_has_is_listed() {
    let properties = &shipped().0["properties"];
    for (ids, id) in [
        (models(&shipped().0), "efficientnet-lite0"),
        (ids(&properties["callbacks"]["items"]), "backbone-finetuning"),
        (ids(&properties["callbacks"]["items"]), "early-stopping"),
        (ids(&properties["optimizer"]), "adamw"),
        (ids(&properties["scheduler"]), "reduce-on-plateau"),
        (properties["data"]["properties"]["kind"]["enum"].as_array().unwrap().clone(), "image-folder"),
    ] {
        assert!(ids.contains(&json!(id)), "{id} is not in {ids:?}");
    }
}

/// A run config with one key set.
fn with(key: &str, value: Value) -> Value {
    let mut config = json!({
        "model": { "id": "resnet18", "weights": { "path": "w.pt" } },
        "data": { "kind": "image-folder", "path": "data", "augment": {} },
        "optimizer": { "id": "sgd" },
        "scheduler": { "id": "warmup", "total_iters": 2, "scheduler": { "id": "cosine" } },
        "callbacks": [{ "id": "backbone-finetuning" }],
        "trainer": {},
        "checkpoint": {},
    });
    let (table, key) = key.rsplit_once('/').unwrap();
    config.pointer_mut(table).unwrap()[key] = value;
    config
}

#[test]
fn what_the_program_refuses_does_not_fit() {
    for (key, wrong, right) in [
        ("/trainer/max_epoch", json!(3), None),
        ("/trainer/max_epochs", json!("many"), Some(json!(3))),
        ("/trainer/accumulate_grad_batches", json!(0), Some(json!(1))),
        ("/trainer/accumulate_grad_batches", json!({ "first": 8 }), Some(json!({ "0": 8, "4": 4 }))),
        ("/trainer/precision", json!("fp64"), Some(json!("bf16-mixed"))),
        ("/checkpoint/save_top_k", json!(-2), Some(json!(-1))),
        ("/data/kind", json!("folder"), Some(json!("list"))),
        ("/data/batch_size", json!(0), Some(json!(1))),
        ("/data/val_split", json!(1.0), Some(json!(0.5))),
        ("/data/inputs", json!(["x"]), None),
        ("/data/augment/color_jitter", json!({ "hue": 1 }), Some(json!({ "contrast": 1 }))),
        ("/optimizer/lr", json!(-1), Some(json!(1))),
        ("/optimizer/betas", json!([0.9, 0.99]), None),
        ("/optimizer/id", json!("sgdd"), Some(json!("adam"))),
        ("/scheduler/gamma", json!(0.1), None),
        ("/scheduler/frequency", json!(0), Some(json!(2))),
        ("/scheduler/scheduler/T_max", json!(0), Some(json!(2))),
        ("/scheduler/scheduler/interval", json!("step"), None),
        ("/model/weights/ignor", json!([]), None),
        ("/model/weights", json!(3), Some(json!("w.pt"))),
        ("/model/num_classes", json!("nine"), Some(json!(9))),
        ("/model/classes", json!(9), None),
        ("/model/id", json!("resnet81"), Some(json!("resnet50"))),
        ("/model/id", json!("timm/resnet81"), Some(json!("timm/resnet18.a1_in1k"))),
        ("/callbacks/0/unfreeze_backbone_at_epoch", json!(-1), Some(json!(2))),
        ("/callbacks/0/unfreeze_at", json!(1), None),
        ("/callbacks", json!({ "id": "backbone-finetuning" }), Some(json!([]))),
        ("/optimiser", json!({}), None),
        ("/plugins", json!([3]), Some(json!(["vision", { "path": "text", "sha256": "00" }]))),
    ] {
        assert!(!misfits(&with(key, wrong.clone())).is_empty(), "{key} = {wrong} fits");
        if let Some(right) = right {
            fits(&format!("{key} = {right}"), &with(key, right));
        }
    }
}

#[test]
fn keys_have_help_defaults_and_ranges() {
    let properties = &shipped().0["properties"];
    let trainer = &properties["trainer"]["properties"];
    assert_eq!(trainer["max_epochs"]["default"], 10);
    assert_eq!(trainer["max_epochs"]["description"], "Epochs to train.");
    assert_eq!(trainer["accumulate_grad_batches"]["anyOf"][0]["minimum"], 1);
    let adamw = &properties["optimizer"]["oneOf"][2];
    assert_eq!(
        (&adamw["title"], &adamw["properties"]["weight_decay"]["default"]),
        (&json!("adamw"), &json!(0.01))
    );
}
