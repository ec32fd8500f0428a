//! Weights from outside into the program, and out of it again under PyTorch's names.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use thaw_plugin_api::tch::{Device, Kind, Tensor};
use thaw_plugins::PluginSet;
use thaw_test_references::{Reference, formula};
use thaw_tests::catalog::{self, Target};
use thaw_tests::{Finished, Run, fixtures};
use thaw_train::model::HostModel;
use thaw_weights::read;

/// A run of one batch that changes no weight, on 8 samples with these inputs and labels below 3.
fn run(plugin: &str, model: &str, inputs: &[(&str, Tensor)]) -> Run {
    let names: Vec<&str> = inputs.iter().map(|(name, _)| *name).collect();
    let run = Run::new(&format!(
        "seed = 1\nplugins = [\"{plugin}\"]\n[model]\n{model}\n[data]\nkind = \"tensors\"\npath \
         = \"data.safetensors\"\ninputs = {names:?}\n\
         batch_size = 4\n[optimizer]\nid = \"sgd\"\nlr = 0.0\n[trainer]\nmax_epochs = 1\nlimit_train_batches \
         = 1\n"
    ));
    let labels = Tensor::arange(8, (Kind::Int64, Device::Cpu)).remainder(3);
    let tensors: Vec<(&str, Tensor)> =
        inputs.iter().map(|(name, tensor)| (*name, tensor.shallow_clone())).chain([("y", labels)]).collect();
    Tensor::write_safetensors(&tensors, run.folder().join("data.safetensors"))
        .expect("tensors can be written");
    run
}

fn pictures(size: i64) -> [(&'static str, Tensor); 1] {
    [("x", formula::images(&[8, 3, size, size]))]
}

fn tokens() -> [(&'static str, Tensor); 2] {
    let ids = (Tensor::arange(8 * 12, (Kind::Int64, Device::Cpu)) * 7 + 3).remainder(120).view([8, 12]);
    let mask = ids.ones_like();
    [("input_ids", ids), ("attention_mask", mask)]
}

/// The autoencoder of the reference files.
fn autoencoder(weights: &Value) -> Run {
    run(
        "autoencoder",
        &format!("id = \"autoencoder\"\nhidden_dim = 4\nweights = {}", toml(weights)),
        &pictures(32),
    )
}

/// A text, or a table of texts and lists of texts.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(table) => {
            let entries: Vec<String> = table.iter().map(|(key, value)| format!("{key} = {value}")).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

fn file(name: &str) -> std::path::PathBuf {
    fixtures().join("models/files").join(name)
}

fn values(path: &Path) -> BTreeMap<String, Tensor> {
    let file = read(path).unwrap_or_else(|error| panic!("{error}"));
    file.entries().iter().map(|entry| (entry.name().to_owned(), entry.tensor().unwrap())).collect()
}

fn export(run: &Run, more: &[&str]) -> BTreeMap<String, Tensor> {
    run.host(["export", "--checkpoint", "run", "--output", "out.safetensors"].iter().chain(more)).succeeded();
    values(&run.folder().join("out.safetensors"))
}

/// Names, shapes and types of a state_dict, in its order.
type Rows = Vec<(String, Vec<i64>, Kind)>;

/// The architectures whose state_dict is recorded.
fn state_dicts() -> Vec<(Reference, Rows)> {
    let row = |row: &Value| {
        let kind = match row["dtype"].as_str().unwrap() {
            "float32" => Kind::Float,
            "int64" => Kind::Int64,
            other => panic!("{other}"),
        };
        (
            row["name"].as_str().unwrap().to_owned(),
            serde_json::from_value(row["shape"].clone()).unwrap(),
            kind,
        )
    };
    let recorded = Reference::architectures().into_iter().filter_map(|reference| {
        let rows = reference.json()["state_dict"].as_array()?.iter().map(row).collect();
        Some((reference, rows))
    });
    recorded.collect()
}

#[test]
fn every_model_has_the_key_list_of_pytorchs_own() {
    let all = state_dicts();
    assert!(all.len() >= 22);
    for (reference, theirs) in all {
        let Target { plugin, id, config } = catalog::target(&reference.json()["config"]).unwrap();
        let mut plugins = PluginSet::default();
        plugins.add(&thaw_tests::plugin(plugin)).unwrap();
        let model = HostModel::create(&plugins, &id, &config).unwrap();
        let ours: Rows =
            model.tensor_specs().into_iter().map(|spec| (spec.name, spec.shape, spec.kind)).collect();
        assert_eq!(ours, theirs, "{}", reference.name());
    }
}

/// Larger ones are left to the test above: a checkpoint is the model's state_dict, an export the
/// checkpoint's.
const SMALL: i64 = 6_000_000;

#[test]
fn exports_have_the_key_list_of_pytorchs_own_model() {
    let is_small =
        |rows: &Rows| rows.iter().map(|(_, shape, _)| shape.iter().product::<i64>()).sum::<i64>() < SMALL;
    let small: Vec<_> = state_dicts().into_iter().filter(|(_, rows)| is_small(rows)).collect();
    assert!(small.len() >= 10);
    for (index, (reference, mut theirs)) in small.into_iter().enumerate() {
        theirs.sort_by(|a, b| a.0.cmp(&b.0));
        let Target { plugin, id, mut config } = catalog::target(&reference.json()["config"]).unwrap();
        config["id"] = json!(id);
        let run = match plugin {
            "text" => run(plugin, &toml::to_string(&config).unwrap(), &tokens()),
            _ => run(
                plugin,
                &toml::to_string(&config).unwrap(),
                &pictures(if plugin == "vision" { 64 } else { 32 }),
            ),
        };
        // `bert_mnli` has a pooler that nothing runs.
        run.fit(&["--set", "trainer.audit=warn"]).succeeded();
        let formats = [
            (&[][..], Kind::Float),
            (&["--dtype", "fp16"], Kind::Half),
            (&["--dtype", "bf16"], Kind::BFloat16),
        ];
        for (dtype, float) in &formats[..if index == 0 { 3 } else { 1 }] {
            let ours: Rows = export(&run, dtype)
                .into_iter()
                .map(|(name, tensor)| (name, tensor.size(), tensor.kind()))
                .collect();
            let of_kind = |kind: &Kind| if *kind == Kind::Float { *float } else { *kind };
            let theirs: Rows = theirs
                .iter()
                .map(|(name, shape, kind)| (name.clone(), shape.clone(), of_kind(kind)))
                .collect();
            assert_eq!(ours, theirs, "{} {dtype:?}", reference.name());
        }
    }
}

#[test]
fn every_format_gives_the_run_the_same_weights() {
    let expected = values(&file("autoencoder.safetensors"));
    let names = ["safetensors", "pt", "pth", "ckpt"].map(|extension| format!("autoencoder.{extension}"));
    for name in names.iter().map(String::as_str).chain(["autoencoder_module.pt", "pytorch_model.bin"]) {
        let run = autoencoder(&json!(file(name)));
        run.fit(&[]).succeeded();
        assert_eq!(export(&run, &[]), expected, "{name}");
    }
    for (name, kind) in
        [("autoencoder_fp16.safetensors", Kind::Half), ("autoencoder_bf16.safetensors", Kind::BFloat16)]
    {
        let run = autoencoder(&json!(file(name)));
        run.fit(&[]).succeeded();
        let rounded =
            expected.iter().map(|(key, tensor)| (key.clone(), tensor.to_kind(kind).to_kind(Kind::Float)));
        assert_eq!(export(&run, &[]), rounded.collect(), "{name}");
    }
}

#[test]
fn a_run_is_a_source_of_weights_for_another_run() {
    let first = autoencoder(&json!(file("autoencoder.ckpt")));
    first.fit(&[]).succeeded();
    let encoder = export(&first, &["--module", "encoder"]);
    for source in ["", "checkpoints/last", "checkpoints/last/model.safetensors"] {
        let weights =
            json!({ "path": first.run_dir().join(source), "module": "encoder", "to": "feature_extractor" });
        let model = format!(
            "id = \"autoencoder-classifier\"\nhidden_dim = 4\nfreeze_features = true\nweights = {}",
            toml(&weights)
        );
        let second = run("autoencoder", &model, &pictures(32));
        second.fit(&[]).succeeded();
        assert_eq!(export(&second, &["--module", "feature_extractor"]), encoder, "{source}");
        second
            .host(["predict", "--checkpoint", "run", "--input", "data.safetensors", "--output", "out.csv"])
            .succeeded();
    }
}

/// What a refusal must not have done, and must say.
fn refused(finished: Finished, name: &str, texts: &[&str]) {
    assert!(!(finished.stdout.clone() + &finished.stderr).contains("pwned"), "{name} was run");
    finished.failed(1, &[&[name][..], texts].concat());
}

#[test]
fn nothing_in_a_hostile_file_is_run() {
    for name in [
        "hostile_eval.pt",
        "hostile_legacy.pth",
        "hostile_raw.pth",
        "hostile_raw_protocol4.bin",
        "hostile_zip.pt",
    ] {
        refused(autoencoder(&json!(file(name))).fit(&[]), name, &["refused", "Nothing was run"]);
    }
}

#[test]
fn damaged_files_are_named_with_the_tensor() {
    let small = |name: &str| autoencoder(&json!({ "path": file(name), "strict": false, "map": {} })).fit(&[]);
    for name in [
        "truncated.pt",
        "truncated.pth",
        "truncated.safetensors",
        "truncated_header.safetensors",
        "bad_json.safetensors",
        "empty.pt",
    ] {
        refused(small(name), name, &[]);
    }
    // A bit of the decoder's first weight.
    let mut bytes = std::fs::read(file("autoencoder.pt")).unwrap();
    let entry = bytes.windows(7).position(|window| window == b"/data/4").unwrap();
    bytes[(entry / 64 + 2) * 64] ^= 1;
    let run = autoencoder(&json!("flipped.pt"));
    run.write("flipped.pt", bytes);
    refused(run.fit(&[]), "flipped.pt", &["decoder.0.weight", "checksum"]);
}

#[test]
fn an_address_without_a_network_says_what_to_fetch() {
    let run = autoencoder(&json!("hf://someone/some-model/model.safetensors"))
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", "cache");
    let texts = [
        "hf://someone/some-model/model.safetensors",
        "not in the Hugging Face cache",
        "`hf download someone/some-model model.safetensors`",
    ];
    run.fit(&[]).failed(1, &texts);
    // As Hugging Face's tools lay a cache out.
    let snapshot = "cache/hub/models--someone--some-model/snapshots/c0ffee/model.safetensors";
    run.write("cache/hub/models--someone--some-model/refs/main", "c0ffee");
    run.write(snapshot, std::fs::read(file("autoencoder.safetensors")).unwrap());
    run.fit(&[]).succeeded();
    assert_eq!(export(&run, &[]), values(&file("autoencoder.safetensors")));
}

/// A small vision transformer.
const VIT: &str =
    "id = \"vit-b-16\"\nimage_size = 32\nnum_layers = 1\nnum_heads = 2\nhidden_dim = 8\nmlp_dim = 16\n";

/// A run of it, beside a file of random weights under torchvision's names for five classes, of those names
/// that `kept` takes.
fn vit(more: &str, kept: impl Fn(&str) -> bool) -> Run {
    let run = run("vision", &format!("{VIT}{more}"), &pictures(32));
    let mut plugins = PluginSet::default();
    plugins.add(&thaw_tests::plugin("vision")).unwrap();
    let mut config: Value = serde_json::to_value(toml::from_str::<toml::Table>(VIT).unwrap()).unwrap();
    config.as_object_mut().unwrap().remove("id");
    config["num_classes"] = json!(5);
    config["layout"] = json!("original");
    let model = HostModel::create(&plugins, "vit-b-16", &config).unwrap();
    let tensors: Vec<(&str, Tensor)> = model
        .state_dict()
        .iter()
        .filter(|(name, _)| kept(name))
        .map(|(name, tensor)| (name.as_str(), tensor.shallow_clone()))
        .collect();
    Tensor::write_safetensors(&tensors, run.folder().join("w.safetensors")).unwrap();
    run
}

#[test]
fn torchvisions_file_loads_into_the_backbone_as_it_is() {
    let weights = "weights = { path = \"w.safetensors\", to = \"backbone\" }";
    let run = vit(&format!("num_classes = 3\n{weights}"), |_| true);
    run.fit(&[])
        .succeeded()
        .says("18 of 20 tensors loaded, 2 keep their initial values: head.1.bias, head.1.weight")
        .says("2 tensors of the file are not for `to` and left out: heads.head.")
        .does_not_say("leave `to` out");
    let run = vit(&format!("num_classes = 5\n{weights}"), |_| true);
    run.fit(&[]).succeeded().says("leave `to` out to take them, too");
}

#[test]
fn without_strict_the_tensors_that_were_not_loaded_are_counted_and_named() {
    let weights = "num_classes = 5\nweights = { path = \"w.safetensors\", strict = false }";
    let run = vit(weights, |name| name.starts_with("conv_proj."));
    run.fit(&[]).succeeded().says(
        "WARN w.safetensors: 2 of 20 tensors loaded, 18 keep their initial values: backbone.class_token,",
    );
}
