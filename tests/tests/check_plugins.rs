//! `host plugin check`: each fault is caught by the check that names it, and a good plugin passes.

use std::collections::BTreeSet;

use serde_json::Value;
use thaw_tests::{Run, plugin};

/// Runs `host plugin check` and gives its report; the exit code has to go with it.
fn check(plugin: &str, more: &[&str]) -> Value {
    let finished = Run::new("").host(["plugin", "check", plugin, "--json"].iter().chain(more));
    let report: Value =
        serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"));
    let count = |key: &str| report["summary"][key].as_u64().unwrap();
    let failures = count("failed") + count("crashed") + count("timed_out");
    assert_eq!(finished.code(), Some(if failures == 0 { 0 } else { 3 }), "{finished}");
    report
}

/// The results of the checks of one id, of the file where it is empty: name, status and what was found.
fn results<'r>(report: &'r Value, id: &str) -> Vec<(&'r str, &'r str, String)> {
    let checks = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["id"].as_str().unwrap_or_default() == id);
    let text = |check: &Value| {
        ["found", "details", "reason"]
            .iter()
            .find_map(|key| check[*key].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    checks
        .map(|check| (check["check"].as_str().unwrap(), check["status"].as_str().unwrap(), text(check)))
        .collect()
}

/// A fault of a test plugin, and what is to catch it.
struct Fault {
    plugin: &'static str,
    id: &'static str,
    /// The check without which the other one has no ground: it passes.
    ground: &'static str,
    /// The check that names the fault.
    check: &'static str,
    /// What it says.
    words: &'static str,
}

impl Fault {
    #[track_caller]
    fn is_caught(&self) {
        let Self { plugin, id, ground, check: name, words } = self;
        let report = check(plugin, &["--id", id, "--only", &format!("{ground},{name}")]);
        let results = results(&report, id);
        assert_eq!(results.len(), 2, "{results:?}");
        for (check, status, found) in results {
            if check == *name {
                assert_eq!(status, "failed", "`{id}` is to fail in `{check}`: {found}");
                assert!(found.contains(words), "`{id}` in `{check}`: {found}");
            } else {
                assert_eq!(status, "passed", "`{id}` in `{check}`: {found}");
            }
        }
    }
}

/// A test for each group of faults, and all of them as [`FAULTS`]: none is there without its test.
macro_rules! faults {
    ($($test:ident { $($plugin:literal on $ground:literal { $($id:literal => $check:literal,
        $words:literal;)+ })+ })+) => {
        const FAULTS: &[&[Fault]] = &[$(&[$($(Fault { plugin: $plugin, id: $id, ground: $ground,
            check: $check, words: $words }),+),+]),+];

        $(#[test]
        fn $test() {
            let faults = [$($(Fault { plugin: $plugin, id: $id, ground: $ground, check: $check,
                words: $words }),+),+];
            faults.iter().for_each(Fault::is_caught);
        })+
    };
}

faults! {
    a_configuration_that_does_not_keep_its_schema_is_caught {
        "faults" on "builds" {
            "default-differs" => "config-defaults", "`rate` is 0.25, the schema says 0.5";
            "writes-another" => "config-round-trip", "rate";
            "ignores-unknown-keys" => "config-unknown-key", "`no_such_key` was taken";
            "ignores-range" => "config-bounds", "rate = 1.001 was taken";
            "panics-on-config" => "config-random", "divide by zero";
        }
    }

    a_state_that_is_not_what_it_was_is_caught {
        "faults" on "runs" {
            "saves-another" => "state-round-trip", "0.0";
            "takes-any-state" => "state-refused", "was taken";
            "half-takes-state" => "state-refused", "after it refused them, epoch 0, logged: ";
            "forgets-state" => "resume", "resumed after 1 epochs, epoch 1, logged: ";
        }
        "faults_torch" on "runs" {
            "forgets-its-average" => "resume", "resumed after 1 epochs, epoch 1, values: ";
        }
    }

    groups_in_disorder_are_caught {
        "faults" on "builds" {
            "in-no-group" => "groups-sound", "in no group";
            "in-two-groups" => "groups-sound", "is in group `default` already";
            "needs-children" => "odd-models", "panicked: index out of bounds";
        }
    }

    runs_that_differ_from_each_other_are_caught {
        "faults" on "runs" {
            "takes-any-number" => "deterministic", "epoch 0, logged: ";
            "counts-instances" => "restart", "again, epoch 0, logged: ";
            "shares-a-counter" => "two-instances", "in turns, epoch 2, logged: ";
        }
        "faults_torch" on "runs" {
            "writes-to-frozen" => "frozen-untouched", "is frozen and was changed";
        }
    }

    runs_at_the_edge_are_caught {
        "faults" on "runs" {
            "needs-an-epoch" => "zero-epochs", "there was no epoch";
            "needs-validation" => "one-step", "no validation data";
            "needs-all-epochs" => "stop-anywhere", "ended before its last epoch";
            "panics-on-refusal" => "panics-contained", "`on_train_epoch_start` panicked";
            "bare-error" => "errors-carry-messages", "for on_train_epoch_start: \"\"";
        }
        "faults" on "builds" {
            "fails-late" => "runs", "epoch 7 is too late";
        }
    }

    what_is_left_in_the_process_is_caught {
        "faults" on "runs" {
            "prints" => "stdout-clean", "\"epoch 0\\nepoch 1";
            "leaves-thread" => "threads-clean", "left-behind";
            "leaks" => "memory-flat", "after 2000 steps";
        }
        "faults_torch" on "runs" {
            "leaves-grad-off" => "torch-state", "the grad mode";
        }
    }

    faults_of_data_sets_are_caught {
        "faults" on "builds" {
            "has-no-training" => "dataset-described", "splits [(Test, 8)]";
            "names-a-class-twice" => "dataset-described", "class `even` twice";
            "finds-classes" => "dataset-described", "\"class_names\":[\"even\",\"odd\"]";
        }
        "faults" on "dataset-described" {
            "gives-another-form" => "samples-sound", "found `x` of float32 [2], expected float32 [1]";
            "gives-an-unknown-class" => "samples-sound", "train sample 2: class 2";
            "draws-as-it-goes" => "samples-repeat", "is another one when it is read again";
            "differs-by-instance" => "samples-repeat", "train sample 0 is another one in a second instance";
            "tells-another-target" => "targets-agree", "`target` gives Class(0), `get` Some(Class(1))";
        }
        "faults" on "samples-repeat" {
            "reads-on-one-thread" => "samples-on-threads", "is another one on 8 threads";
            "saves-what-was-read" => "dataset-state", "{\"reads\":8}} after samples were read";
            "takes-anything" => "dataset-state-refused", "was taken";
        }
    }

    faults_of_models_are_caught {
        "faults_torch" on "forward" {
            "forward-of-its-own" => "stages-compose", "after stage `head`: `x` [3, 3]";
            "names-no-module" => "tree-consistent", "names `haed`";
            "cuts-the-graph" => "gradients", "`backbone.weight` trains, and has no gradient";
            "drops-in-evaluation" => "evaluation", "random numbers were drawn";
            "tracks-while-frozen" => "frozen-untouched", "backbone.scale.mean";
            "hides-a-weight" => "state-dict", "other outputs with the same weights";
            "gives-doubles" => "precision", "Double";
            "loses-in-bf16" => "precision", "outputs in bfloat16 differ by";
            "draws-any-seed" => "deterministic", "initial `scale.weight`";
            "counts-models" => "restart", "initial `scale.weight`";
            "shares-a-weight" => "two-instances", "changed this one's outputs";
            "keeps-every-output" => "memory-flat", "after 2000 steps";
        }
        "faults_torch" on "builds" {
            "fixes-the-batch" => "forward", "1 samples";
        }
    }
}

/// Faults with tests of their own: plugin and id.
const EXITS: (&str, &str) = ("faults", "exits");
const HANGS: (&str, &str) = ("faults", "hangs");
const PANICS_IN_TCH: (&str, &str) = ("faults_torch", "panics-on-shapes");
const SHARES_AN_IDENTITY: (&str, &str) = ("faults", "shares-an-identity");

#[test]
fn a_plugin_that_ends_the_process_is_a_finding() {
    let (plugin, id) = EXITS;
    let report = check(plugin, &["--id", id, "--only", "runs,resume"]);
    let results = results(&report, id);
    let [runs, resume] = results.as_slice() else { panic!("{results:?}") };
    assert_eq!((runs.0, runs.1), ("runs", "crashed"));
    assert!(runs.2.contains("exit code 0, in a run over a model of backbone and head"), "{}", runs.2);
    assert_eq!(resume.1, "crashed", "a check that is not asked for is no ground");
}

#[test]
fn a_plugin_that_never_comes_back_is_a_finding() {
    let (plugin, id) = HANGS;
    let report = check(plugin, &["--id", id, "--only", "runs", "--timeout", "4"]);
    let results = results(&report, id);
    assert_eq!((results[0].0, results[0].1), ("runs", "timed-out"));
    assert!(results[0].2.contains("not done after 4 s, in a run over a model"), "{}", results[0].2);
}

#[test]
fn a_model_is_held_to_the_precisions_that_it_declares() {
    let report = check(
        "faults_torch",
        &["--id", "loses-in-bf16", "--only", "precision", "--config", "fp32_only = true"],
    );
    assert_eq!(report["checks"][0]["status"], "passed", "{report}");
    assert_eq!(report["checks"][0]["note"], "fp32 declared");
}

#[test]
fn faults_of_a_file_are_caught_and_its_ids_left_alone() {
    let faults = [
        ("bad_symbol", "loads", "undefined symbol: thaw_function_of_no_library"),
        ("bad_no_plugin", "plugin-root", "no Thaw plugin"),
        ("bad_major", "plugin-root", "2.0.0"),
        ("bad_abort", "panic-unwinds", "abort"),
        ("bad_libtorch", "libtorch", "libtorch 2.4.0"),
        ("bad_load", "load-quiet", "started threads"),
        ("bad_load", "load-time", " ms"),
        ("bad_ids", "ids-unique", "`twice`"),
        ("bad_ids", "ids-well-formed", "`No Id`"),
        ("bad_create", "unknown-id", "`no-such-id` was made"),
        ("bad_create", "unknown-kind", "the strategy `idle` was made"),
    ];
    for (plugin, name, words) in faults {
        let report = check(plugin, &["--only", name]);
        let results = results(&report, "");
        let [(check, status, found)] = results.as_slice() else { panic!("{results:?}") };
        assert_eq!((*check, *status), (name, "failed"), "{plugin}: {found}");
        assert!(found.contains(words), "{plugin}: {found}");
    }
    let report = check("bad_abort", &["--only", "panic-unwinds,builds"]);
    assert_eq!(results(&report, "bad-abort")[0].1, "skipped", "nothing of a refused plugin runs");
}

#[test]
fn every_fault_is_expected_to_be_caught() {
    let mut expected: BTreeSet<(&str, &str)> =
        FAULTS.iter().copied().flatten().map(|fault| (fault.plugin, fault.id)).collect();
    expected.extend([EXITS, HANGS, PANICS_IN_TCH, SHARES_AN_IDENTITY]);
    let shown =
        Run::new("").host(["plugin", "inspect", "faults", "faults_torch", "--json"]).succeeded().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let offered =
        ["faults", "faults_torch"].into_iter().zip(shown.as_array().unwrap()).flat_map(|(plugin, shown)| {
            let items = shown["items"].as_array().unwrap();
            items.iter().map(move |item| (plugin, item["id"].as_str().unwrap()))
        });
    let offered: BTreeSet<_> = offered.collect();
    let differ: Vec<_> = offered.symmetric_difference(&expected).collect();
    assert!(differ.is_empty(), "without a row, or without a fault: {differ:?}");
    assert!(offered.len() > 30, "{offered:?}");
}

#[test]
fn of_models_with_the_same_keys_the_smallest_is_looked_at_whole() {
    let models = ["bert-classifier", "minilm-classifier", "roberta-classifier"];
    let evaluated = |report: &Value| -> Vec<&str> {
        let was = |id: &&&str| results(report, id).iter().any(|(check, ..)| *check == "evaluation");
        models.iter().filter(was).copied().collect()
    };
    let report = check("text", &["--only", "evaluation"]);
    let [smallest] = evaluated(&report)[..] else { panic!("{report}") };
    let sampled = report["sampled"].as_array().unwrap();
    assert_eq!(sampled.len(), 2, "{report}");
    for model in sampled {
        assert_eq!((&model["smallest"], model["id"] == smallest), (&Value::from(smallest), false));
        assert_eq!(model["checks"], serde_json::json!(["tree-consistent"]), "what they are measured by");
        assert!(model["parameters"].as_u64() > Some(10_000), "{model}");
    }
    let report = check("text", &["--only", "evaluation", "--all"]);
    assert_eq!(evaluated(&report), models);
    assert_eq!(report["sampled"], serde_json::json!([]));
}

#[test]
fn a_strategy_that_ships_passes_every_check() {
    let finished =
        Run::new("").host(["plugin", "check", "layerwise_finetuning", "--seed", "7", "--strict"]).succeeded();
    let text = &finished.stdout;
    for expected in
        ["seed 7", "strategy layerwise-finetuning", "passed     resume", "200 built", "36 passed in "]
    {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
}

#[test]
fn a_failure_says_what_to_do_and_how_to_run_it_again() {
    let finished = Run::new("").host([
        "plugin",
        "check",
        "faults",
        "--id",
        "ignores-range",
        "--only",
        "config-bounds",
        "--seed",
        "3",
    ]);
    let file = plugin("faults").display().to_string();
    let again = format!("host plugin check {file} --id ignores-range --only config-bounds --seed 3");
    for expected in ["FAILED     config-bounds", "found", "expected", "hint", again.as_str(), "1 failed in "]
    {
        assert!(finished.stdout.contains(expected), "no `{expected}` in {finished}");
    }
    finished.failed(3, &["libthaw_faults.so: 1 of 1 checks failed"]);
}

#[test]
fn a_panic_of_tch_is_a_warning_and_warnings_fail_when_they_are_to() {
    let (plugin, id) = PANICS_IN_TCH;
    let arguments = ["--id", id, "--only", "forward,wrong-inputs"];
    let report = check(plugin, &arguments);
    let results = results(&report, id);
    let [(_, "passed", _), ("wrong-inputs", "warning", found)] = results.as_slice() else {
        panic!("{results:?}")
    };
    assert!(found.contains("panicked"), "{found}");
    let strict = [&["plugin", "check", plugin, "--strict"], &arguments[..]].concat();
    Run::new("").host(strict).failed(3, &["1 of 2 checks failed"]);
}

#[test]
fn samples_that_val_split_cannot_tell_apart_are_a_warning() {
    let (plugin, id) = SHARES_AN_IDENTITY;
    let report = check(plugin, &["--id", id, "--only", "dataset-described,identities-unique"]);
    let results = results(&report, id);
    let [(_, "passed", _), ("identities-unique", "warning", found)] = results.as_slice() else {
        panic!("{results:?}")
    };
    assert_eq!(found, "train sample 4 is `0`, and so is one before it");
}

#[test]
fn keys_without_a_default_are_taken_from_the_command_line() {
    let only = ["--only", "builds"];
    let skipped = check("case_model", &only);
    let (_, status, reason) = &results(&skipped, "case-model")[0];
    assert_eq!(*status, "skipped");
    assert!(reason.contains("`case`") && reason.contains("--config"), "{reason}");
    let case = thaw_tests::fixtures().join("parity/bb_steplr/case.json");
    for config in [format!("case = {case:?}"), format!("{{ \"case\": {case:?} }}")] {
        let built = check("case_model", &["--only", "builds", "--config", &config]);
        assert_eq!(results(&built, "case-model")[0].1, "passed");
    }
}

#[test]
fn defaults_that_are_no_configuration_fail_and_a_given_one_is_checked() {
    let failed = check("phased_finetuning", &["--only", "builds"]);
    let (_, status, found) = &results(&failed, "phased-finetuning")[0];
    assert_eq!(*status, "failed");
    assert!(found.contains("there is no phase"), "{found}");
    assert!(failed["checks"][0]["hint"].as_str().unwrap().contains("--config"), "{failed}");
    let schedule = r#"phases = [{ name = "all", modules = ["*"] }]"#;
    let checked = check("phased_finetuning", &["--only", "builds,config-defaults", "--config", schedule]);
    for (check, status, found) in results(&checked, "phased-finetuning") {
        assert_eq!(status, "passed", "{check}: {found}");
    }
}

#[test]
fn mistakes_of_usage_are_told_with_the_nearest_name() {
    let run = Run::new("");
    run.host(["plugin", "check", "faults", "--only", "resmue"])
        .failed(2, &["no check `resmue`", "did you mean `resume`?"]);
    run.host(["plugin", "check", "faults", "--id", "print"])
        .failed(2, &["no id `print`", "did you mean `prints`?"]);
    run.host(["plugin", "check", "faults", "--config", "a b"]).failed(2, &["--config", "JSON or TOML"]);
    run.host(["plugin", "check", "faults", "--timeout", "0"]).failed(2, &["--timeout is 0"]);
    let list = run.host(["plugin", "check", "--list"]).succeeded().stdout;
    assert!(list.contains("stages-compose") && list.lines().count() > 40, "{list}");
}
