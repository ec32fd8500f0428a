//! Plugins that end the program, crash it, or do not come back: each is named, with its id and its hook.

use thaw_tests::{Run, case, fixtures};

/// A run whose `faulty` strategy or callback misbehaves in a function.
fn run(id: &str, function: &str, how: &str) -> Run {
    Run::new(&format!(
        "{}[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = 2\n\
         [[callbacks]]\nid = \"{id}\"\nhook = \"{function}\"\nhow = \"{how}\"\n",
        case("bb_steplr").replace("[\"case_model\"]", "[\"case_model\", \"faulty\"]"),
    ))
}

#[test]
fn a_plugin_that_ends_the_program_is_named_and_the_run_has_failed() {
    let mut ways = vec!["exit"];
    if cfg!(target_os = "linux") {
        ways.push("quit");
    }
    for how in ways {
        for (id, kind, function) in [
            ("faulty", "strategy", "freeze_before_training"),
            ("faulty", "strategy", "finetune"),
            ("faulty-callback", "callback", "on_train_batch_end"),
            ("faulty-callback", "callback", "state"),
        ] {
            let who = format!("{kind} `{id}` of plugin `thaw-faulty`, in `{function}`");
            run(id, function, how).fit(&[]).failed(3, &[&who, "the plugin ended the program"]);
        }
    }
}

#[test]
fn a_plugin_that_crashes_is_named() {
    for (how, signal) in [("crash", "SIGSEGV"), ("abort", "SIGABRT")] {
        let ended = run("faulty-callback", "on_train_epoch_end", how).fit(&[]);
        assert_eq!(ended.code(), None, "ended by the signal itself, for who looks at it: {ended}");
        let who = "error: callback `faulty-callback` of plugin `thaw-faulty`, in `on_train_epoch_end`";
        ended.says(&format!("{who}: the plugin crashed ({signal}"));
    }
}

#[test]
fn a_crash_on_another_thread_is_not_said_to_be_the_plugins_that_is_called() {
    let ended = run("faulty-callback", "on_train_epoch_end", "crash-elsewhere").fit(&[]);
    assert_eq!(ended.code(), None, "{ended}");
    let who = "callback `faulty-callback` of plugin `thaw-faulty`, in `on_train_epoch_end`";
    ended
        .says("error: thread `elsewhere` crashed (SIGSEGV")
        .says(&format!("which is not the thread of {who}"))
        .does_not_say("the plugin crashed");
}

#[test]
fn a_model_that_ends_the_program_is_named() {
    let data = fixtures().join("parity/bb_steplr/data.safetensors");
    let run = Run::new(&format!(
        "plugins = [\"faulty_model\"]\n[model]\nid = \"faulty-model\"\nfunction = \"run_stage\"\nhow \
         = \"exit\"\n\
         [data]\nkind = \"tensors\"\npath = {data:?}\n[trainer]\nmax_epochs = 1\n"
    ));
    run.fit(&[]).failed(
        3,
        &["model `faulty-model` of plugin `thaw-faulty-model`, in `forward`", "ended the program"],
    );
}

#[test]
fn at_an_interrupt_a_hook_that_does_not_come_back_is_named() {
    let run = run("faulty", "on_train_start", "hang");
    let mut fit = run.start(["fit", "run.toml", "--run-dir", "run"]);
    fit.prints("hangs in on_train_start");
    fit.interrupt();
    fit.prints(
        "strategy `faulty` of plugin `thaw-faulty`, in `on_train_start`; a second Ctrl-C ends the program",
    );
    fit.interrupt();
    let ended = fit.finish();
    assert_eq!(ended.code(), Some(130), "{ended}");
}
