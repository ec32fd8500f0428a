//! Schedules that are refused, and what is said of them.

use super::*;

fn refusal(config: Value) -> String {
    run(config).and_then(|mut run| run.fit()).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn a_wrong_schedule_is_refused_with_file_phase_and_key() {
    let wrong = |text: &str| {
        let (_folder, path) = file(text);
        refusal(json!({ "schedule": path })).replace(&path.display().to_string(), "FILE")
    };
    let cases = [
        ("", "FILE: there is no phase"),
        ("[[phases]]\nname = 3\n", "FILE: `phases[0].name` is 3, expected a text"),
        ("phases = 1\n[[phases]]", "FILE: TOML parse error"),
        (
            "[[phases]]\nname = \"a\"\nmodule = []\n",
            "FILE: phase `a`: unknown key `phases[0].module`, did you mean `modules`?",
        ),
        (
            "[[phases]]\nname = \"a\"\nmodules = [\"head\"]\nlr = -1\n",
            "FILE: phase `a`: `phases[0].lr` is -1, expected a number of at least 0",
        ),
        (
            "[[phases]]\nname = \"a\"\nmodules = [\"head\"]\nend = { epochs = 1 }\n",
            "unknown key `phases[0].end.epochs`, did you mean `epoch`?",
        ),
        (
            "[[phases]]\nname = \"a\"\nmodules = [\"head\"]\nend = { monitor = { metric = \"val_loss\", mode \
             = \"less\" } }\n",
            "FILE: phase `a`: `phases[0].end.monitor.mode` is \"less\", expected one of min, max",
        ),
        (
            "[[phases]]\nname = \"a\"\nmodules = [\"heads\"]\n",
            "FILE: phase `a`: `phases[0].modules`: the model has no module or parameter `heads`\n  help: did \
             you mean `head`?",
        ),
        (
            "[[phases]]\nname = \"a\"\nmodules = [\"head\"]\noptimizer = { id = 3 }\n",
            "FILE: phase `a`: `phases[0].optimizer.id` is 3, expected a text",
        ),
    ];
    for (text, expected) in cases {
        let found = wrong(text);
        assert!(found.contains(expected), "expected `{expected}` in `{found}`");
    }
    assert!(refusal(json!({ "schedule": "nowhere.toml" })).contains("nowhere.toml: No such file"));
}

#[test]
fn phases_that_do_not_go_together_are_refused() {
    let last = json!({ "name": "z", "modules": ["*"] });
    let refused = |phase: Value| {
        refusal(json!({ "phases": [{ "name": "head", "modules": ["head"], "end": { "epoch": 3 } }, phase,
                last] }))
    };
    let cases = [
        (
            json!({ "name": "head", "modules": ["backbone"], "end": { "epoch": 4 } }),
            "`name` is taken by an earlier phase",
        ),
        (
            json!({ "name": "a/b", "modules": ["backbone"], "end": { "epoch": 4 } }),
            "`name` is \"a/b\", expected letters",
        ),
        (json!({ "name": "b", "modules": ["backbone"] }), "phase `b`: `phases[1]`: `end` is missing"),
        (json!({ "name": "b", "modules": ["backbone"], "end": {} }), "nothing ends the phase"),
        (
            json!({ "name": "b", "modules": ["backbone"], "end": { "epoch": 2 } }),
            "`phases[1].end.epoch` is 2, expected more than 3",
        ),
        (
            json!({ "name": "b", "modules": ["backbone"], "restore_best": true, "end": { "epoch": 4 } }),
            "`restore_best` needs `end.monitor`",
        ),
        (json!({ "name": "b", "lr": 1, "end": { "epoch": 4 } }), "`modules` is empty, so that"),
        (
            json!({ "name": "b", "modules": ["head"], "lr": 1, "end": { "epoch": 4 } }),
            "all of `modules` trains already",
        ),
        (
            json!({ "name": "b", "freeze": ["*"], "end": { "epoch": 4 } }),
            "phase `b`: `phases[1].freeze`: nothing is left that trains",
        ),
        (
            json!({ "name": "b", "modules": ["backbone"], "lr": { "ratio": 1, "of": "haed" },
                "end": { "epoch": 4 } }),
            "`lr.of` names `haed`, expected an earlier phase, did you mean `head`?",
        ),
        (
            json!({ "name": "b", "group_lr": { "z": 1 }, "end": { "epoch": 4 } }),
            "`group_lr` names `z`, expected an earlier phase; there are: head",
        ),
    ];
    for (phase, expected) in cases {
        let found = refused(phase);
        assert!(found.contains(expected), "expected `{expected}` in `{found}`");
    }
    assert!(refusal(json!({})).contains("there is no phase, expected `schedule`"));
    assert!(
        refusal(json!({ "schedule": "a.toml", "phases": [last] }))
            .contains("both `schedule` and `phases` or `frozen_bn`")
    );
}

#[test]
fn a_metric_that_there_is_not_is_named_with_the_nearest() -> Result<()> {
    let config = json!({ "phases": [
        { "name": "a", "modules": ["head"], "end": { "monitor": { "metric": "val_los" } } },
        { "name": "b", "modules": ["*"] },
    ] });
    let error = with_losses(config)?.fit().err().map(|error| error.to_string()).unwrap_or_default();
    assert!(
        error.contains(
            "phase `a`: `phases[0].end.monitor.metric`: `val_los` is no metric of this run; did you mean \
             `val_loss`?"
        ),
        "{error}"
    );
    Ok(())
}
