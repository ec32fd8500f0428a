//! `host swap`: another strategy in a live process.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use thaw_tests::{Finished, Live, Outcome, Run, case, plugin};

const EPOCHS: usize = 5;

/// A run that waits in its epoch 1, with a strategy that would thaw the backbone in epoch 4.
fn run() -> Run {
    Run::new(&format!(
        "{}shuffle = true\n[optimizer]\nid = \"adamw\"\nlr = 0.01\nparameters = [\"head\"]\n\
         [scheduler]\nid = \"cosine\"\ninterval = \"step\"\n[trainer]\nmax_epochs = \
         {EPOCHS}\n[checkpoint]\nsave_top_k = -1\n\
         [[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 4\nlambda_func = 1.5\n\
         [[callbacks]]\nid = \"case-wait\"\nepochs = [1]\n\
          [[callbacks]]\nid = \"case-stop\"\n",
        case("bb_steplr")
            .replace("shuffle = false\n", "")
            .replace("plugins = [", "plugins = [\"case_strategies\", \"backbone_finetuning\", "),
    ))
}

/// Starts a run and asks it to swap while it waits in epoch 1; both go on from there.
fn asked(run: &Run, fit: &[&str], swap: &[&str]) -> (Live, Live) {
    let mut fit = run.start(["fit", "run.toml", "--run-dir", "run"].iter().chain(fit));
    fit.prints("waits in epoch 1");
    let mut asker = run.start(["swap", "run"].iter().chain(swap));
    asker.prints("asked process");
    fit.go_on();
    (fit, asker)
}

fn swapped(run: &Run, fit: &[&str], swap: &[&str]) -> (Finished, Finished) {
    let (fit, asker) = asked(run, fit, swap);
    (fit.finish(), asker.finish())
}

fn trainable(run: &Run) -> Vec<usize> {
    run.groups().iter().map(|record| record["trainable"].as_array().unwrap().len()).collect()
}

#[track_caller]
fn assert_same(found: &Run, expected: &Run, how: &str) {
    Outcome::of(&expected.run_dir()).assert_same(&found.run_dir(), how);
}

const LAYERWISE: [&str; 4] = ["--plugin", "layerwise_finetuning", "--set", "unfreeze_at_epoch=3"];

#[test]
fn another_strategy_takes_over_in_the_next_epoch() {
    let run = run();
    let (fit, asker) = swapped(&run, &[], &LAYERWISE);
    let said = "from epoch 3 on `layerwise-finetuning` (thaw-layerwise-finetuning 1.0.0) replaces \
                `backbone-finetuning`";
    asker.succeeded().says(said);
    fit.succeeded().says(said);
    // The backbone stays as frozen as it was; from epoch 3 on the new strategy thaws it from the top, two
    // layers an epoch.
    assert_eq!(trainable(&run), [2, 2, 2, 6, 9]);
    let journal = run.json("swaps.json");
    let entry = &journal[0];
    assert_eq!(
        (entry["epoch"].clone(), entry["config"].clone()),
        (json!(2), json!({ "unfreeze_at_epoch": 3 }))
    );
    assert_eq!(run.json("checkpoints/last/state.json")["swaps"], journal);
    let plugins = run.json("plugins.json");
    let new = plugins.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&new["name"], &new["version"], &new["sha256"]),
        (&json!("thaw-layerwise-finetuning"), &json!("1.0.0"), &entry["sha256"])
    );
    assert_eq!(
        fs::read(new["path"].as_str().unwrap()).unwrap(),
        fs::read(plugin("layerwise_finetuning")).unwrap()
    );
}

#[test]
fn a_swapped_run_resumed_anywhere_equals_the_uninterrupted_one() {
    let straight = run();
    let (fit, asker) = swapped(&straight, &[], &LAYERWISE);
    asker.succeeded();
    fit.succeeded();
    let steps = straight.metrics().last().unwrap()["step"].as_u64().unwrap() as usize / EPOCHS;
    // In the swap's own epoch, whose beginning is in the journal alone; and later, when it is in the
    // checkpoint.
    for (how, at_step, code) in [
        ("kill", 2 * steps + 1, None),
        ("interrupt", 2 * steps + 1, Some(130)),
        ("kill", 4 * steps - 1, None),
    ] {
        let run = run();
        let ends =
            ["--set", &format!("callbacks.2.at_step={at_step}"), "--set", &format!("callbacks.2.how={how}")];
        let (fit, asker) = swapped(&run, &ends, &LAYERWISE);
        asker.succeeded();
        assert_eq!(fit.code(), code, "{fit}");
        run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
        assert_same(&run, &straight, &format!("{how} at step {at_step}"));
        assert_eq!(run.json("swaps.json"), straight.json("swaps.json"));
    }
}

#[test]
fn the_same_strategy_with_another_setting_keeps_its_state_and_its_other_settings() {
    let run = run();
    let (fit, asker) =
        swapped(&run, &[], &["--plugin", "backbone_finetuning", "--set", "unfreeze_backbone_at_epoch=2"]);
    asker.succeeded();
    fit.succeeded();
    assert_eq!(trainable(&run), [2, 2, 9, 9, 9]);
    let config = &run.json("swaps.json")[0]["config"];
    assert_eq!(*config, json!({ "unfreeze_backbone_at_epoch": 2, "lambda_func": 1.5 }));
}

#[test]
fn a_schedule_takes_over_and_the_journal_keeps_what_was_in_its_file() {
    let run = run();
    run.write(
        "elsewhere/phases.toml",
        "[[phases]]\nname = \"head\"\nmodules = [\"head\"]\nend = { epoch = 3 }\n[[phases]]\nname \
         = \"all\"\nmodules = [\"*\"]\n",
    );
    let mut fit = run.start(["fit", "run.toml", "--run-dir", "run"]);
    fit.prints("waits in epoch 1");
    // Its path is relative to the folder of who asks.
    let mut asker = run.start_in(
        "elsewhere",
        ["swap", "../run", "--plugin", "phased_finetuning", "--set", "schedule=phases.toml"],
    );
    asker.prints("asked process");
    fit.go_on();
    asker.finish().succeeded();
    fit.finish().succeeded();
    assert_eq!(trainable(&run), [2, 2, 2, 9, 9]);
    assert_eq!(run.json("swaps.json")[0]["config"]["schedule"]["phases"][1]["name"], "all");
}

#[test]
fn a_plugin_built_anew_under_its_old_path_is_the_new_one() {
    let run = run();
    let path = run.folder().join("strategy.so");
    fs::copy(plugin("backbone_finetuning"), &path).unwrap();
    let plugins = "plugins=[\"case_model\", \"case_strategies\", \"./strategy.so\"]";
    let mut fit = run.start(["fit", "run.toml", "--run-dir", "run", "--set", plugins]);
    fit.prints("waits in epoch 1");
    // As cargo does it: beside, and moved over.
    fs::copy(plugin("layerwise_finetuning"), run.folder().join("beside")).unwrap();
    fs::rename(run.folder().join("beside"), &path).unwrap();
    let mut asker = run.start(["swap", "run", "--plugin", "./strategy.so", "--set", "unfreeze_at_epoch=2"]);
    asker.prints("asked process");
    fit.go_on();
    asker.finish().succeeded().says("`layerwise-finetuning`");
    fit.finish().succeeded();
    assert_eq!(trainable(&run), [2, 2, 6, 9, 9]);
}

#[test]
fn a_refused_swap_leaves_the_run_as_it_was_and_says_why() {
    let untouched = run();
    untouched.fit(&[]).succeeded();
    let text = untouched.write("text.so", "no library at all");
    let text = text.to_str().unwrap();
    let (abort, no_plugin, faulty) = (path("bad_abort"), path("bad_no_plugin"), path("faulty"));
    let cases: &[(i32, &[&str], &[&str])] = &[
        (3, &["--plugin", text], &["text.so", "not a library"]),
        (3, &["--plugin", &abort], &["bad_abort", "panic = \"unwind\""]),
        (3, &["--plugin", &no_plugin], &["bad_no_plugin", "no Thaw plugin"]),
        (2, &["--plugin", "layer_decay", "--set", "decya=0.5"], &["`decya`", "`decay`"]),
        (
            2,
            &["--plugin", "layerwise_finetuning", "--set", "unfreeze_at_epoch=soon"],
            &["unfreeze_at_epoch", "soon"],
        ),
        (2, &["--plugin", "case_model"], &["offers no strategy"]),
        (2, &["--plugin", &faulty], &["several strategies", "faulty, freeze-all"]),
        (2, &["--plugin", &faulty, "--set", "id=fualty"], &["no strategy `fualty`"]),
        (
            2,
            &["--plugin", "layer_decay", "--replace", "case-wait"],
            &["no strategy `case-wait`", "backbone-finetuning"],
        ),
        (
            3,
            &["--plugin", &faulty, "--set", "id=faulty", "--set", "hook=finetune"],
            &["told to fail in finetune"],
        ),
        (
            3,
            &["--plugin", &faulty, "--set", "id=faulty", "--set", "hook=setup", "--set", "how=panic"],
            &["told to panic in setup"],
        ),
    ];
    for (code, swap, texts) in cases {
        let run = run();
        let (fit, asker) = swapped(&run, &[], swap);
        asker.failed(*code, &[&["the run refuses, and goes on as it was"], *texts].concat());
        let fit = fit.succeeded().says("is not swapped in, the run goes on as it was");
        texts.iter().fold(fit, |fit, text| fit.says(text));
        assert_same(&run, &untouched, &format!("{swap:?}"));
        assert!(!run.run_dir().join("swaps.json").exists());
        let copies = fs::read_dir(run.run_dir().join("plugins")).into_iter().flatten().count();
        assert_eq!(copies, 0, "{swap:?}");
        let left: Vec<PathBuf> =
            fs::read_dir(run.run_dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!left.iter().any(|path| path.to_str().unwrap().contains("swap-")), "{left:?}");
    }
}

#[test]
fn weights_and_an_optimizer_that_a_refused_strategy_put_in_place_do_not_stay() {
    let (run, untouched) = (run(), run());
    untouched.fit(&[]).succeeded();
    let faulty = path("faulty");
    let fails = [
        "--plugin",
        &faulty,
        "--set",
        "id=faulty",
        "--set",
        "hook=on_train_epoch_start",
        "--set",
        "restore=epoch=0-step=4",
    ];
    let (fit, asker) = swapped(&run, &[], &fails);
    asker.failed(3, &["the run refuses", "told to fail in on_train_epoch_start"]);
    fit.succeeded()
        .says("weights of checkpoint `epoch=0-step=4` restored")
        .says("from here on the optimizer is sgd");
    assert_same(&run, &untouched, "refused");
}

fn path(name: &str) -> String {
    plugin(name).display().to_string()
}

#[test]
fn a_setting_of_a_strategy_that_was_replaced_is_told_to_have_no_effect() {
    let run = run();
    let (fit, asker) = swapped(&run, &["--set", "callbacks.2.at_step=13"], &LAYERWISE);
    asker.succeeded();
    fit.succeeded();
    let text = "callbacks[0]: what is changed of `backbone-finetuning` has no effect: from epoch 3 on \
                `layerwise-finetuning` replaces it";
    run.resume(&["--set", "trainer.max_steps=14"]).succeeded().does_not_say("has no effect");
    run.resume(&["--set", "callbacks.0.lambda_func=2.0", "--set", "trainer.max_steps=15"])
        .succeeded()
        .says(text);
    let mut journal = run.json("swaps.json");
    journal[0]["index"] = json!(1);
    run.write("run/swaps.json", journal.to_string());
    run.resume(&[]).failed(1, &["run/swaps.json", "does not begin with the swaps that the checkpoint has"]);
}

#[test]
fn only_a_live_run_can_be_asked() {
    let run = run();
    fs::create_dir(run.folder().join("empty")).unwrap();
    run.host(["swap", "empty", "--plugin", "layer_decay"])
        .failed(2, &["empty", "no run writes or wrote here"]);
    run.host(["swap", "run"]).failed(2, &["expected one --plugin FILE"]);
    run.fit(&[]).succeeded();
    run.host(["swap", "run", "--plugin", "layer_decay"])
        .failed(1, &["run is not live", "host fit --resume run"]);
    run.host(["swap", "run", "--plugin", "nowhere.so"]).failed(3, &["nowhere.so", "was not found"]);
}

#[test]
fn a_run_that_ends_or_dies_before_its_next_epoch_says_no() {
    let run = run();
    let last = format!("callbacks.1.epochs=[{}]", EPOCHS - 1);
    for dies in [false, true] {
        let mut fit =
            run.start(["fit", "run.toml", "--run-dir", if dies { "dies" } else { "ends" }, "--set", &last]);
        fit.prints("waits in epoch 4");
        let mut asker = run.start(["swap", if dies { "dies" } else { "ends" }, "--plugin", "layer_decay"]);
        asker.prints("asked process");
        if dies {
            fit.kill()
        } else {
            fit.go_on()
        }
        asker.finish().failed(1, &["the run ended before its next epoch"]);
        assert_eq!(fit.finish().code(), if dies { None } else { Some(0) });
    }
}

#[test]
fn a_request_can_be_withdrawn_and_waits_alone() {
    let (run, untouched) = (run(), run());
    untouched.fit(&[]).succeeded();
    let mut fit = run.start(["fit", "run.toml", "--run-dir", "run"]);
    fit.prints("waits in epoch 1");
    let mut asker = run.start(["swap", "run", "--plugin", "layer_decay"]);
    asker.prints("asked process");
    run.host(["swap", "run", "--plugin", "layer_decay"]).failed(1, &["another request waits"]);
    fs::remove_file(run.run_dir().join("swap-request.json")).unwrap();
    run.host(["swap", "run", "--plugin", "layer_decay", "--timeout", "0"])
        .failed(1, &["within 0 s", "the request is withdrawn"]);
    asker.kill();
    asker.finish();
    fit.go_on();
    fit.finish().succeeded();
    assert_same(&run, &untouched, "withdrawn");
}

#[test]
fn two_runs_do_not_share_a_run_directory() {
    let run = run();
    let mut fit = run.start(["fit", "run.toml", "--run-dir", "run"]);
    fit.prints("waits in epoch 1");
    run.host(["fit", "run.toml", "--resume", "run"])
        .failed(2, &["another run is live in this run directory"]);
    fit.go_on();
    fit.finish().succeeded();
    assert!(Path::new(&run.run_dir()).join("checkpoints/last").exists());
}
