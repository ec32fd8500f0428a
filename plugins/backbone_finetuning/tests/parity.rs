//! The groups, rates and freeze states of Lightning's own traces, epoch by epoch.

use std::fs;
use std::path::{Path, PathBuf};

use thaw_backbone_finetuning::BackboneFinetuning;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::{self, json};
use thaw_plugin_api::testing::{EpochRecord, FakeModel, FakeRun};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parity")
}

fn read(path: &Path) -> Result<Value> {
    let text =
        fs::read_to_string(path).map_err(|error| Error::new(format_args!("{}: {error}", path.display())))?;
    Ok(serde_json::from_str(&text)?)
}

/// Every case of BackboneFinetuning: a folder with a `case.json` that names it.
fn cases() -> Result<Vec<PathBuf>> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(fixtures())? {
        let path = entry?.path();
        if path.join("case.json").is_file()
            && read(&path.join("case.json"))?["strategy"]["name"] == "BackboneFinetuning"
        {
            cases.push(path);
        }
    }
    cases.sort();
    Ok(cases)
}

/// The case's model, from its list of modules.
fn model(case: &Value) -> FakeModel {
    let modules: Vec<&Value> = case["modules"].as_array().into_iter().flatten().collect();
    fill(FakeModel::new(), "", &modules)
}

fn fill(mut model: FakeModel, around: &str, modules: &[&Value]) -> FakeModel {
    let size = |module: &Value, key: &str| module[key].as_i64().unwrap_or(1);
    for module in modules {
        let path = module["name"].as_str().unwrap_or_default();
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        if parent != around {
            continue;
        }
        let bias = module["bias"].as_bool().unwrap_or(false);
        let kind = module["type"].as_str().unwrap_or_default();
        model = model.module(name, kind, |layer| match kind {
            "Linear" => {
                let layer =
                    layer.parameter("weight", &[size(module, "out_features"), size(module, "in_features")]);
                if bias { layer.parameter("bias", &[size(module, "out_features")]) } else { layer }
            }
            "Conv2d" => {
                let kernel = size(module, "kernel_size");
                let layer = layer.parameter(
                    "weight",
                    &[size(module, "out_channels"), size(module, "in_channels"), kernel, kernel],
                );
                if bias { layer.parameter("bias", &[size(module, "out_channels")]) } else { layer }
            }
            "BatchNorm1d" | "BatchNorm2d" => {
                let features = [size(module, "num_features")];
                layer.parameter("weight", &features).parameter("bias", &features)
            }
            _ => fill(layer, path, modules),
        });
    }
    model
}

fn run(case: &Value, trace: &Value, config: Value) -> Result<FakeRun> {
    let optimizer = &case["optimizer"];
    let id = optimizer["name"].as_str().unwrap_or_default().to_lowercase();
    let number = |key: &str| optimizer[key].as_f64().unwrap_or_default();
    let count = |key: &str| case[key].as_u64().map_or(1, |count| count as usize);
    let epochs = trace["epochs"].as_array().cloned().unwrap_or_default();
    let mut run = FakeRun::new(model(case))
        .optimizer(&id, number("lr"))
        .weight_decay(number("weight_decay"))
        .max_epochs(count("epochs"))
        .batches(count("batches_per_epoch"))
        .accumulate(count("accumulate_grad_batches"))
        .without_audit()
        // The scheduler is the host's: the rates that it left behind in the trace stand for it.
        .scheduler(move |epoch, groups| {
            let left = epochs[epoch]["lr_at_end"].as_array().into_iter().flatten();
            groups.iter_mut().zip(left).for_each(|(group, lr)| group.lr = lr.as_f64().unwrap_or(f64::NAN));
        });
    run = match optimizer["parameters"]["select"].as_str() {
        Some("module") => run.parameters([optimizer["parameters"]["path"].as_str().unwrap_or_default()]),
        Some("all") => run.parameters([""]),
        _ => run,
    };
    run.add_strategy::<BackboneFinetuning>(config)?;
    Ok(run)
}

fn config(case: &Value, frozen_bn: &str) -> Value {
    let Some(parameters) = case["strategy"].as_object() else { return Value::Null };
    let mut config = parameters.clone();
    config.remove("name");
    let lambda = &case["strategy"]["lambda_func"];
    let number = |key: &str| lambda[key].as_f64().unwrap_or(f64::NAN);
    let lambda = match lambda["kind"].as_str() {
        Some("constant") => json!(number("value")),
        Some("linear") => json!(format!("{} + {} * epoch", number("intercept"), number("slope"))),
        Some("power") => json!(format!("{} ^ epoch", number("base"))),
        Some("inverse") => json!(format!("1 / (1 + epoch / {})", number("scale"))),
        other => json!(other),
    };
    config.insert("lambda_func".to_owned(), lambda);
    config.insert("frozen_bn".to_owned(), json!(frozen_bn));
    Value::Object(config)
}

fn assert_near(what: &str, found: f64, expected: f64) {
    let near = if expected == 0.0 {
        found.abs() <= 1e-15
    } else {
        (found - expected).abs() <= 1e-12 * expected.abs()
    };
    assert!(near, "{what}: found {found}, expected {expected}");
}

fn assert_epoch(what: &str, found: &EpochRecord, expected: &Value) {
    let groups: Vec<&Value> = expected["groups"].as_array().into_iter().flatten().collect();
    assert_eq!(found.groups.len(), groups.len(), "{what}: number of groups");
    for (index, (group, expected)) in found.groups.iter().zip(groups).enumerate() {
        assert_near(
            &format!("{what}, group {index}, lr"),
            group.lr,
            expected["lr"].as_f64().unwrap_or(f64::NAN),
        );
        let decay = expected["weight_decay"].as_f64().unwrap_or(f64::NAN);
        assert_near(&format!("{what}, group {index}, weight decay"), group.weight_decay, decay);
        assert_eq!(json!(group.parameters), expected["params"], "{what}, group {index}: parameters");
    }
    assert_eq!(json!(found.trainable()), expected["requires_grad"], "{what}: requires_grad");
    for (path, flags) in found.batch_norms() {
        let expected = &expected["batch_norm"][path];
        assert_eq!(json!(flags.training), expected["training"], "{what}, {path}: training");
        assert_eq!(
            json!(flags.track_running_stats),
            expected["track_running_stats"],
            "{what}, {path}: track_running_stats"
        );
    }
    let previous = &found.states[BackboneFinetuning::ID]["state"]["previous_backbone_lr"];
    match expected["callback"]["previous_backbone_lr"].as_f64() {
        Some(expected) => assert_near(
            &format!("{what}, previous_backbone_lr"),
            previous.as_f64().unwrap_or(f64::NAN),
            expected,
        ),
        None => assert!(previous.is_null(), "{what}, previous_backbone_lr: found {previous}, expected none"),
    }
    let steps: Vec<&Value> = expected["steps"].as_array().into_iter().flatten().collect();
    assert_eq!(found.steps.len(), steps.len(), "{what}: steps");
    for (step, expected) in found.steps.iter().zip(&steps) {
        assert_eq!(json!(step.stepped), expected["stepped"], "{what}: which batches step");
    }
    // A scheduler that works by the step is the host's; without one, all steps of an epoch use the same
    // rates.
    for (found, expected) in found.steps[0].lr.iter().zip(steps[0]["lr"].as_array().into_iter().flatten()) {
        assert_near(&format!("{what}, first step, lr"), *found, expected.as_f64().unwrap_or(f64::NAN));
    }
}

#[test]
fn every_trace_of_lightning_is_reproduced() -> Result<()> {
    let cases = cases()?;
    assert!(cases.len() >= 12, "the fixtures have only {} cases", cases.len());
    for path in cases {
        let (case, trace) = (read(&path.join("case.json"))?, read(&path.join("trace.json"))?);
        let report = run(&case, &trace, config(&case, "train"))?.fit()?;
        let epochs: Vec<&Value> = trace["epochs"].as_array().into_iter().flatten().collect();
        assert_eq!(report.epochs.len(), epochs.len(), "{}: epochs", case["case"]);
        for (found, expected) in report.epochs.iter().zip(epochs) {
            assert_epoch(&format!("{}, epoch {}", case["case"], found.epoch), found, expected);
        }
    }
    Ok(())
}

#[test]
fn a_resumed_run_follows_the_straight_trace() -> Result<()> {
    let path = fixtures().join("bb_resume");
    let (case, trace) = (read(&path.join("case.json"))?, read(&path.join("trace.json"))?);
    let mut first = run(&case, &trace, config(&case, "train"))?;
    first.run_epochs(3)?;
    let saved = first.save()?;
    let report = run(&case, &trace, config(&case, "train"))?.resumed_from(&saved).fit()?;
    assert_eq!(report.epochs.len(), 3);
    for found in &report.epochs {
        assert_epoch(&format!("resumed, epoch {}", found.epoch), found, &trace["epochs"][found.epoch]);
    }
    Ok(())
}

#[test]
fn a_backbone_in_the_optimizer_from_the_start_is_told_of() -> Result<()> {
    let path = fixtures().join("bb_optimizer_unfiltered");
    let (case, trace) = (read(&path.join("case.json"))?, read(&path.join("trace.json"))?);
    let report = run(&case, &trace, config(&case, "train"))?.fit()?;
    report.assert_message(tracing::Level::WARN, "the optimizer holds `backbone` from the start");
    Ok(())
}
