//! Checkpoints that somebody else made: they name plugins, and no file of them is opened.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use thaw_tests::{Finished, Run, case, fixtures, plugin};

const INPUT: &str = "parity/bb_steplr/data.safetensors";

fn trained(config: &str) -> Run {
    let run =
        Run::new(&(config.to_owned() + "[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = 1\n"));
    run.write("plugins/libown_model.so", fs::read(plugin("case_model")).unwrap());
    run.fit(&[]).succeeded();
    run
}

/// A run whose model's plugin is a file that no search finds, and which does not say what package that was.
fn of_a_file() -> Run {
    let run = trained(&case("bb_steplr").replace("\"case_model\"", "\"./plugins/libown_model.so\""));
    fs::remove_file(run.run_dir().join("plugins.json")).unwrap();
    run
}

/// Every command that a checkpoint is enough for, and that needs its plugins.
fn each_command(run: &Run, more: &[&str], mut judge: impl FnMut(Finished)) {
    let input = fixtures().join(INPUT);
    let input = input.to_str().unwrap();
    let commands: [&[&str]; 3] = [
        &["validate", "--checkpoint", "run"],
        &["predict", "--checkpoint", "run", "--input", input, "--output", "out.csv", "--all"],
        &["fit", "--resume", "run", "--set", "trainer.max_epochs=2"],
    ];
    for command in commands {
        judge(run.host(command.iter().chain(more)));
    }
}

#[test]
fn no_file_is_taken_from_a_checkpoint_and_the_user_is_told_how_to_name_it() {
    let run = of_a_file();
    let texts = ["libown_model.so", "no file is taken from it", "--plugin ./plugins/libown_model.so"];
    each_command(&run, &[], |ended| drop(ended.failed(3, &texts)));
    each_command(&run, &["--strict-plugins"], |ended| drop(ended.failed(3, &texts)));
    each_command(&run, &["--plugin", "./plugins/libown_model.so"], |ended| drop(ended.succeeded()));
}

#[test]
fn a_run_config_that_the_user_names_may_name_files() {
    let run = of_a_file();
    run.host(["validate", "run.toml", "--checkpoint", "run"]).succeeded();
    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    run.host(["validate", "--checkpoint", "run", "--set", "plugins.0=./plugins/libown_model.so"]).succeeded();
}

#[test]
fn a_plugin_on_the_search_path_is_found_by_its_name_wherever_the_checkpoint_says_it_was() {
    let run = of_a_file();
    each_command(&run, &["--plugin-dir", "plugins"], |ended| drop(ended.succeeded()));
}

#[test]
fn a_file_that_plugins_json_names_is_not_opened() {
    let run = trained(&case("bb_steplr"));
    let mut plugins = run.json("plugins.json");
    // A plugin that leaves a trace when it is asked what it offers.
    let busy = plugin("bad_load");
    let copy = run.write("evil.so", fs::read(&busy).unwrap());
    plugins[0]["path"] = json!(copy);
    plugins[0]["name"] = json!("./evil.so");
    plugins[0]["ids"] = json!(["busy"]);
    run.write("run/plugins.json", plugins.to_string());
    let scratch = run.folder().join("tmp");
    fs::create_dir(&scratch).unwrap();
    let run = run.env("TMPDIR", scratch.to_str().unwrap());
    each_command(&run, &[], |ended| drop(ended.succeeded()));
    assert!(!scratch.join("busy").exists());
    // The same file, named by the user.
    run.host(["validate", "--checkpoint", "run", "--plugin", "./evil.so"]).succeeded();
    assert!(scratch.join("busy").exists());
}

/// A run in which another strategy took over, from a copy that no search finds.
fn swapped() -> Run {
    let run = Run::new(&format!(
        "{}[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 3\n\
         [[callbacks]]\nid = \"backbone-finetuning\"\n[[callbacks]]\nid = \"case-wait\"\nepochs = [1]\n",
        case("bb_steplr").replace("plugins = [", "plugins = [\"case_strategies\", \"backbone_finetuning\", "),
    ));
    let mut bytes = fs::read(plugin("layerwise_finetuning")).unwrap();
    // Another file than the one on the search path.
    bytes.push(0);
    run.write("libown_strategy.so", bytes);
    let mut fit = run.start(["fit", "run.toml", "--run-dir", "run"]);
    fit.prints("waits in epoch 1");
    let mut asker = run.start(["swap", "run", "--plugin", "./libown_strategy.so"]);
    asker.prints("asked process");
    fit.go_on();
    asker.finish().succeeded();
    fit.finish().succeeded();
    run
}

#[test]
fn a_strategy_that_took_over_runs_again_when_the_user_names_its_file() {
    let run = swapped();
    let entry: Value = run.json("swaps.json")[0].clone();
    let copy = Path::new("run/plugins").join(entry["file"].as_str().unwrap());
    let copy = copy.to_str().unwrap();
    let named = format!("--plugin {}", run.folder().join(copy).display());
    let resume = |more: &[&str]| run.resume(&[&["--set", "trainer.max_epochs=4"], more].concat());
    resume(&[]).failed(3, &["layerwise-finetuning", "no plugin is taken from it", &named]);
    resume(&["--plugin", "layer_decay"]).failed(3, &["no plugin is taken from it"]);
    resume(&["--plugin", copy]).succeeded();
    run.resume(&["--set", "trainer.max_epochs=5", "--plugin", "./libown_strategy.so"]).succeeded();
}
