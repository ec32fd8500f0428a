//! Strategies and callbacks that fail: in every hook, by an error and by a panic.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use thaw_plugin_api::hook::Hook;
use thaw_tests::{Run, case, fixtures};

/// The epoch from which on a hook has to fail for a checkpoint to be there before: 0 for hooks that come too
/// early, and one more for that of a checkpoint itself, whose epoch is the one to go on with.
fn first_epoch(hook: Hook) -> usize {
    match hook {
        Hook::Setup | Hook::FitStart | Hook::SanityCheckStart | Hook::SanityCheckEnd | Hook::TrainStart => 0,
        Hook::SaveCheckpoint => 2,
        _ => 1,
    }
}

/// A run of two epochs whose callback fails in a function from an epoch on.
fn run(id: &str, function: &str, how: &str, epoch: usize) -> Run {
    Run::new(&format!(
        "{}[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = 2\n\
         [[callbacks]]\nid = \"{id}\"\nhook = \"{function}\"\nhow = \"{how}\"\nepoch = {epoch}\n",
        case("bb_steplr").replace("[\"case_model\"]", "[\"case_model\", \"faulty\"]"),
    ))
}

/// What the message says of who failed in what, and why.
fn texts(kind: &str, id: &str, function: &str, how: &str) -> [String; 2] {
    let why = if how == "panic" {
        format!("panicked: told to panic in {function} (at ")
    } else {
        format!("told to fail in {function}")
    };
    [format!("{kind} `{id}` of plugin `thaw-faulty` failed in `{function}`: "), why]
}

#[track_caller]
fn fails(run: &Run, kind: &str, id: &str, function: &str, how: &str) {
    let texts = texts(kind, id, function, how);
    let finished = run.fit(&[]).failed(3, &texts.each_ref().map(String::as_str));
    let is_printed_raw = finished.stderr.contains("thread '");
    assert!(!is_printed_raw, "a panic is reported once, by the host: {finished}");
}

/// Runs jobs on as many threads as the machine has cores; the first panic of one is the caller's.
fn in_parallel<T: Sync>(jobs: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(job))) {
                        failures.lock().unwrap().push(panic);
                    }
                }
            });
        }
    });
    if let Some(panic) = failures.into_inner().unwrap().pop() {
        std::panic::resume_unwind(panic);
    }
}

/// Every hook of a training run that can fail it.
fn hooks_of_a_run() -> impl Iterator<Item = Hook> {
    let hooks = Hook::ALL.iter().copied();
    hooks.filter(|hook| {
        !hook.name().starts_with("on_predict") && !matches!(hook, Hook::Exception | Hook::LoadCheckpoint)
    })
}

#[test]
fn a_failure_in_any_hook_names_plugin_id_hook_and_message() {
    let hooks = hooks_of_a_run().map(|hook| (hook.name(), first_epoch(hook)));
    // A strategy learns the epoch of `state` from `on_save_checkpoint`, which comes first.
    let others =
        [("freeze_before_training", 0), ("finetune", 1), ("state", first_epoch(Hook::SaveCheckpoint))];
    let functions: Vec<(&str, usize)> = hooks.chain(others).collect();
    let both = ["error", "panic"];
    let jobs: Vec<_> =
        functions.iter().flat_map(|&(function, epoch)| both.map(|how| (function, how, epoch))).collect();
    in_parallel(&jobs, |&(function, how, epoch)| {
        let run = run("faulty", function, how, epoch);
        fails(&run, "strategy", "faulty", function, how);
        let checkpoint = run.run_dir().join("checkpoints/last/state.json");
        assert_eq!(
            checkpoint.is_file(),
            epoch > 0,
            "the checkpoint before the failure in {function} is kept"
        );
    });
}

#[test]
fn a_run_goes_on_from_the_last_good_checkpoint_after_a_failure() {
    for (function, how, epoch) in
        [("finetune", "panic", 1), ("on_after_backward", "error", 1), ("state", "panic", 2)]
    {
        let run = run("faulty", function, how, epoch);
        let texts = texts("strategy", "faulty", function, how);
        let finished = run.fit(&[]).failed(3, &texts.each_ref().map(String::as_str));
        finished.says("the last good checkpoint is run/checkpoints/last");
        run.resume(&["--set", "callbacks.0.hook="]).succeeded();
        assert_eq!(run.json("checkpoints/last/state.json")["epoch"], 2, "{function}");
    }
}

#[test]
fn a_failure_while_a_checkpoint_is_restored_leaves_it_as_it_is() {
    let run = run("faulty", "", "error", 0);
    run.fit(&[]).succeeded();
    for function in ["on_load_checkpoint", "load_state"] {
        for how in ["error", "panic"] {
            let set = [format!("callbacks.0.hook={function}"), format!("callbacks.0.how={how}")];
            let finished = run.resume(&["--set", &set[0], "--set", &set[1], "--set", "trainer.max_epochs=3"]);
            let texts = texts("strategy", "faulty", function, how);
            finished.failed(3, &texts.each_ref().map(String::as_str));
        }
    }
    run.resume(&["--set", "callbacks.0.hook=", "--set", "trainer.max_epochs=3"]).succeeded();
}

#[test]
fn a_failure_in_any_hook_of_a_prediction_or_a_validation_is_named_and_leaves_no_file() {
    let run = run("faulty", "", "error", 0);
    run.fit(&[]).succeeded();
    let data = fixtures().join("parity/bb_steplr/data.safetensors").display().to_string();
    let of_both = ["setup", "on_load_checkpoint", "load_state", "teardown"];
    let named = |start: &str| {
        Hook::ALL.iter().map(|hook| hook.name()).filter(|name| name.starts_with(start)).collect::<Vec<_>>()
    };
    let predict = ["predict", "--checkpoint", "run", "--input", &data, "--output", "out.csv"];
    let validate = ["validate", "--checkpoint", "run"];
    let jobs = [(&predict[..], named("on_predict")), (&validate[..], named("on_validation"))];
    for (command, hooks) in jobs {
        assert_eq!(hooks.len(), 6);
        let jobs: Vec<_> = hooks
            .iter()
            .chain(&of_both)
            .flat_map(|&function| [(function, "error"), (function, "panic")])
            .collect();
        in_parallel(&jobs, |&(function, how)| {
            let set = [format!("callbacks.0.hook={function}"), format!("callbacks.0.how={how}")];
            let finished = run.host(command.iter().chain(&["--set", &set[0], "--set", &set[1]]));
            let texts = texts("strategy", "faulty", function, how);
            finished.failed(3, &texts.each_ref().map(String::as_str));
        });
        assert!(!run.folder().join("out.csv").exists());
    }
}

#[test]
fn a_callback_is_named_as_one() {
    for how in ["error", "panic"] {
        let run = run("faulty-callback", "on_train_batch_end", how, 1);
        fails(&run, "callback", "faulty-callback", "on_train_batch_end", how);
    }
}

#[test]
fn a_failure_on_the_way_out_does_not_hide_the_first_one() {
    let run = run("faulty-callback", "on_exception", "panic", 0);
    let finished = run.fit(&["--set", "optimizer.lr=1e30"]).failed(1, &["the loss is"]);
    finished.says("callback `faulty-callback` of plugin `thaw-faulty` failed in `on_exception`: panicked");
}

#[test]
fn an_error_brings_its_help() {
    run("faulty", "setup", "error", 0).fit(&[]).failed(3, &["help: tell it otherwise"]);
}
