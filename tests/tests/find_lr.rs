//! `host find-lr`: a curve and suggestions, and a run that is afterwards as it was.

use std::path::Path;

use serde_json::json;
use thaw_plugin_api::tch::Device;
use thaw_plugins::{PluginSet, SearchPath};
use thaw_tests::{Finished, Outcome, Run, fixtures, plugin};
use thaw_train::checkpoint::{Checkpoint, LAST, locate};
use thaw_train::config::RunConfig;
use thaw_train::find_lr::FindLr;
use thaw_train::fit::{Fit, FitOptions};

/// Batch norms, dropout, moments and a scheduler to restore; the backbone thaws at epoch 2.
const CONFIG: &str = r#"seed = 1
plugins = ["case_model"]

[model]
id = "case-model"
case = "case.json"

[optimizer]
id = "adamw"
lr = 0.01
parameters = ["head"]

[scheduler]
id = "cosine"
interval = "step"

[trainer]
max_epochs = 4
accumulate_grad_batches = 2
gradient_clip_val = 1.0
threads = 1

[[callbacks]]
id = "backbone-finetuning"
unfreeze_backbone_at_epoch = 2
lambda_func = 1.5

[[callbacks]]
id = "case-stop"

[data]
kind = "tensors"
batch_size = 8
shuffle = true
"#;

const PLUGINS: [&str; 2] = ["backbone_finetuning", "case_strategies"];

fn run() -> Run {
    let run =
        Run::new(&format!("{CONFIG}path = {:?}\n", fixtures().join("parity/bb_steplr/data.safetensors")));
    let modules = json!([
        { "name": "backbone", "type": "Sequential" },
        { "name": "backbone.0", "type": "Linear", "in_features": 16, "out_features": 12, "bias": true },
        { "name": "backbone.1", "type": "BatchNorm1d", "num_features": 12, "eps": 1e-5, "momentum": 0.1 },
        { "name": "backbone.2", "type": "ReLU" },
        { "name": "backbone.3", "type": "Dropout", "p": 0.4 },
        { "name": "head", "type": "Linear", "in_features": 12, "out_features": 4, "bias": true },
    ]);
    run.write("case.json", json!({ "model": { "kind": "mlp_bn" }, "modules": modules }).to_string());
    run
}

fn find_lr(run: &Run, more: &[&str]) -> Finished {
    let plugins = PLUGINS.iter().flat_map(|name| ["--plugin", name]);
    run.host(plugins.chain(["find-lr", "run.toml"]).chain(more.iter().copied()))
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// The rate suggested for a group.
fn suggestion(found: &Finished, group: &str) -> f64 {
    let line = found.stdout.lines().find(|line| line.split_whitespace().next() == Some(group));
    number(
        line.and_then(|line| line.split_whitespace().last())
            .unwrap_or_else(|| panic!("no line of {group} in {found}")),
    )
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

#[test]
fn it_writes_a_curve_and_suggests_a_rate() {
    let run = run();
    let found = find_lr(&run, &[]).succeeded();
    assert!(found.stdout.contains("lr-run.csv\nlr-run.svg"), "{found}");
    let rows = rows(&run.folder().join("lr-run.csv"));
    assert_eq!(rows[0], ["moved", "step", "loss", "smoothed_loss", "lr-head"]);
    assert_eq!((rows[1][0].as_str(), number(&rows[1][4])), ("all", 1e-8));
    assert!(rows.len() > 50, "{} rows", rows.len());
    let rates: Vec<f64> = rows[1..].iter().map(|row| number(&row[4])).collect();
    assert!(rates.windows(2).all(|pair| pair[1] > pair[0]));
    let suggested = suggestion(&found, "head");
    assert!(rates.iter().any(|rate| (rate / suggested - 1.0).abs() < 0.01), "{found}");
    let svg = std::fs::read_to_string(run.folder().join("lr-run.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("learning rate") && svg.contains("suggested"), "{svg}");
    // Nothing else: no run directory.
    let mut files: Vec<_> =
        std::fs::read_dir(run.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["case.json", "lr-run.csv", "lr-run.svg", "run.toml"]);
}

#[test]
fn a_later_epoch_has_its_groups_whose_rates_keep_their_ratio() {
    let run = run();
    find_lr(&run, &["--epoch", "3", "--output", "later"]).succeeded();
    let rows = rows(&run.folder().join("later.csv"));
    let ratio = |row: &[String]| number(&row[5]) / number(&row[4]);
    assert_eq!(rows[0][4..], ["lr-head", "lr-backbone"]);
    // The same as in a run that gets there.
    let plugins = PLUGINS.iter().flat_map(|name| ["--plugin", name]);
    run.host(plugins.chain(["fit", "run.toml", "--run-dir", "run"])).succeeded();
    let groups = run.groups();
    let lr = |group: usize| groups[3]["groups"][group]["lr"].as_f64().unwrap();
    for row in &rows[1..] {
        assert!((ratio(row) / (lr(1) / lr(0)) - 1.0).abs() < 1e-9, "{row:?}");
    }
}

#[test]
fn each_group_can_be_tested_by_itself() {
    let run = run();
    let found = find_lr(
        &run,
        &["--epoch", "2", "--per-group", "--mode", "linear", "--num-training", "30", "--max-lr", "0.1"],
    )
    .succeeded();
    let rows = rows(&run.folder().join("lr-run.csv"));
    let of = |moved: &str| rows.iter().filter(|row| row[0] == moved).cloned().collect::<Vec<_>>();
    let (head, backbone) = (of("head"), of("backbone"));
    assert!(head.iter().all(|row| number(&row[4]) > 0.0 && number(&row[5]) == 0.0));
    assert!(backbone.iter().all(|row| number(&row[4]) == 0.0 && number(&row[5]) > 0.0));
    // Both start from the same weights, on the same data.
    assert_eq!(head[0][2], backbone[0][2]);
    // Each with a suggestion of its own, among the rates that it was tested at.
    for (name, rows, column) in [("head", &head, 4), ("backbone", &backbone, 5)] {
        let suggested = suggestion(&found, name);
        assert!(
            rows.iter().any(|row| (number(&row[column]) / suggested - 1.0).abs() < 0.01),
            "{name}: {suggested} in {found}"
        );
    }
}

/// The host's library in this process: a test in the middle of a run, and none.
#[test]
fn a_run_goes_on_after_it_as_if_it_had_not_been() {
    let run = run();
    let plugins = || {
        let paths = ["case_model", PLUGINS[0], PLUGINS[1]].map(|name| plugin(name).display().to_string());
        PluginSet::load(paths.iter().map(String::as_str), &SearchPath::default(), Path::new("")).unwrap()
    };
    let build = |name: &str, epochs: usize, resume: bool| {
        // This process is not in the run's folder.
        let case = format!("model.case={}", run.folder().join("case.json").display());
        let config =
            RunConfig::read(&run.folder().join("run.toml"), &[case, format!("trainer.max_epochs={epochs}")])
                .unwrap();
        let run_dir = run.folder().join(name);
        let resume = resume.then(|| Checkpoint::open(&locate(&run_dir, LAST).unwrap()).unwrap());
        Fit::build(
            config,
            plugins(),
            Device::Cpu,
            FitOptions { resume, ..FitOptions::new(thaw_train::run_dir::Place::Given(run_dir)) },
        )
        .unwrap()
    };
    thaw_torch::init().unwrap();
    let test = |fit: &mut Fit, epoch: usize, per_group: bool| {
        let settings =
            FindLr { epoch: Some(epoch), per_group, num_training: 15, skip_begin: 2, ..FindLr::default() };
        let found = fit.find_lr(&settings, &mut |_, _| ()).unwrap();
        assert_eq!(found.curves.iter().map(|curve| curve.points.len()).min(), Some(15));
    };
    // Both runs in two parts: the second begins with moments, counts of steps and advanced schedules.
    for tested in [false, true] {
        let name = if tested { "tested" } else { "untested" };
        let mut fit = build(name, 1, false);
        if tested {
            test(&mut fit, 0, false);
        }
        fit.run().unwrap();
        drop(fit);
        let mut fit = build(name, 4, true);
        if tested {
            test(&mut fit, 1, false);
            test(&mut fit, 3, true);
            assert_eq!(fit.state().progress().epoch, 1);
            // A failure restores, too.
            let error =
                fit.find_lr(&FindLr { epoch: Some(9), ..FindLr::default() }, &mut |_, _| ()).unwrap_err();
            assert!(error.to_string().contains("epoch 9 is none of those to come, 1 to 3"), "{error}");
        }
        fit.run().unwrap();
    }
    Outcome::of(&run.folder().join("untested"))
        .assert_same(&run.folder().join("tested"), "after range tests");
}

#[test]
fn settings_that_make_no_sense_are_told() {
    let run = run();
    find_lr(&run, &["--epoch", "4"]).failed(2, &["epoch 4", "0 to 3"]);
    find_lr(&run, &["--min-lr", "1"]).failed(2, &["from 1 to 1"]);
    find_lr(&run, &["--num-training", "12"]).failed(2, &["12 steps", "first 10", "last 1"]);
    find_lr(&run, &["--early-stop-threshold", "1"]).failed(2, &["early stop threshold is 1"]);
}

#[test]
fn fit_can_begin_with_one() {
    let run = run();
    let plugins = PLUGINS.iter().flat_map(|name| ["--plugin", name]);
    run.host(plugins.chain(["fit", "run.toml", "--run-dir", "run", "--find-lr"]))
        .succeeded()
        .says("--find-lr: optimizer.lr=");
    let table: toml::Table =
        std::fs::read_to_string(run.run_dir().join("config.toml")).unwrap().parse().unwrap();
    let lr = table["optimizer"]["lr"].as_float().unwrap();
    assert!(lr != 0.01 && lr > 1e-8);
    assert_eq!(run.groups()[0]["groups"][0]["lr"].as_f64(), Some(lr));
}
