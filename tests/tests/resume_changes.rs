//! A run that is resumed with something else than before: every key takes effect or is refused, and the run
//! directory says what held.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use thaw_tests::{Run, case, fixtures, tiny_text};

/// Batches of 8, four steps an epoch.
fn run(more: &str) -> Run {
    Run::new(&format!(
        "{}[optimizer]\nid = \"sgd\"\nlr = 0.01\nmomentum = 0.9\n[trainer]\nmax_epochs = \
         2\nlog_every_n_steps = 1\n{more}",
        case("bb_steplr").replace("plugins = [", "plugins = [\"case_strategies\", \"faulty\", "),
    ))
}

/// The rate of every batch, in order.
fn rates(run: &Run) -> Vec<f64> {
    run.metrics().iter().filter(|record| record.get("batch").is_some()).filter_map(rate).collect()
}

fn rate(record: &Value) -> Option<f64> {
    record["lr-default"].as_f64()
}

fn records(run: &Run, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(run.run_dir().join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_schedule_that_spans_the_run_follows_its_curve_over_more_epochs() {
    let path = fixtures().join("resume_schedules/schedules.json");
    let recorded: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let (epochs, steps) = (recorded["epochs"].as_u64().unwrap(), recorded["steps"].as_u64().unwrap());
    for case in recorded["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let table = toml::Table::try_from(json!({ "scheduler": case["scheduler"] })).unwrap();
        let run = run(&table.to_string());
        run.fit(&["--set", "trainer.max_epochs=4"]).succeeded();
        let finished = run.resume(&["--set", &format!("trainer.max_epochs={epochs}")]).succeeded();
        let spans = !["linear", "polynomial"].contains(&name);
        assert_eq!(
            finished.stderr.contains("spans the run, which has 8 epochs and 32 steps now"),
            spans,
            "{finished}"
        );
        let (found, expected) = (rates(&run), case["rates"].as_array().unwrap());
        assert_eq!(found.len() as u64, epochs * steps, "{name}");
        for (index, rate) in found.iter().enumerate().skip(4 * steps as usize) {
            let expected = expected[index].as_f64().unwrap();
            assert!((rate - expected).abs() < 1e-12, "{name}, step {index}: {rate}, PyTorch {expected}");
        }
    }
}

#[test]
fn a_schedule_ends_with_the_run_after_epochs_got_other_numbers_of_steps() {
    let run = run("[scheduler]\nid = \"cosine\"\ninterval = \"step\"\n");
    run.fit(&[]).succeeded();
    run.resume(&["--set", "trainer.max_epochs=4", "--set", "data.batch_size=4"]).succeeded();
    // 8 steps, then two epochs of 8.
    let (found, total) = (rates(&run), 24.0);
    assert_eq!(found.len(), 24);
    for (step, rate) in found.iter().enumerate().skip(8) {
        let expected = 0.005 * (1.0 + (std::f64::consts::PI * step as f64 / total).cos());
        assert!((rate - expected).abs() < 1e-12, "step {step}: {rate}, expected {expected}");
    }
}

#[test]
fn keys_that_a_resumed_run_does_not_take_are_refused_with_the_reason() {
    let run = run("[scheduler]\nid = \"step\"\nstep_size = 1\n");
    run.fit(&[]).succeeded();
    let before = fs::read(run.run_dir().join("config.toml")).unwrap();
    for (key, value, reason) in [
        ("optimizer.lr", "0.0005", "each group of the checkpoint has its own"),
        ("optimizer.weight_decay", "0.1", "each group of the checkpoint has its own"),
        ("optimizer.parameters", "[\"head\"]", "the groups are those of the checkpoint"),
        ("scheduler.gamma", "0.5", "the schedule of the checkpoint"),
        ("seed", "7", "the order of the data"),
        ("data.val_split", "0.3", "would be validated on"),
        ("checkpoint.mode", "max", "ranked by it"),
        ("trainer.num_sanity_val_steps", "0", "no sanity check"),
        ("model.weights", "other.safetensors", "those of the checkpoint"),
    ] {
        let finished = run.resume(&["--set", "trainer.max_epochs=3", "--set", &format!("{key}={value}")]);
        finished.failed(2, &[key, reason, "weights = ", "in [model]"]);
    }
    let optimizer = r#"optimizer={ id = "adamw", lr = 0.01 }"#;
    run.resume(&["--set", optimizer]).failed(2, &["optimizer.id", "another optimizer"]);
    assert_eq!(fs::read(run.run_dir().join("config.toml")).unwrap(), before, "nothing is written");
    assert!(!run.run_dir().join("resumes.jsonl").exists());
}

#[test]
fn defaults_that_are_written_out_are_no_change() {
    let run = run("");
    run.fit(&[]).succeeded();
    let written_out =
        ["seed=1", "trainer.precision=fp32", "data.drop_last=false", "optimizer.nesterov=false"];
    let mut arguments = vec!["--set", "trainer.max_epochs=3"];
    written_out.iter().for_each(|set| arguments.extend(["--set", set]));
    run.resume(&arguments).succeeded();
    let resumes = records(&run, "resumes.jsonl");
    let changed = json!([{ "key": "trainer.max_epochs", "from": 2, "to": 3 }]);
    assert_eq!(resumes.len(), 1);
    assert_eq!(resumes[0]["changed"], changed);
    assert_eq!((&resumes[0]["epoch"], &resumes[0]["step"]), (&json!(2), &json!(8)));
}

#[test]
fn the_config_of_a_resumed_run_says_what_holds_and_those_before_are_kept() {
    let run = run("");
    run.fit(&[]).succeeded();
    run.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    run.resume(&["--set", "trainer.max_epochs=4", "--set", "trainer.gradient_clip_val=0.5"]).succeeded();
    let max_epochs = |name: &str| {
        let text = fs::read_to_string(run.run_dir().join(name)).unwrap();
        text.parse::<toml::Table>().unwrap()["trainer"]["max_epochs"].as_integer().unwrap()
    };
    assert_eq!(["config.1.toml", "config.2.toml", "config.toml"].map(max_epochs), [2, 3, 4]);
    let resumes = records(&run, "resumes.jsonl");
    assert_eq!(resumes[1]["earlier_config"], "config.2.toml");
    assert_eq!(resumes[1]["earlier_plugins"], Value::Null);
    assert!(run.metrics().iter().any(|record| record.get("grad_norm").is_some()), "clipping took effect");
    // In another directory all of it comes along.
    run.host(["fit", "--resume", "run", "--run-dir", "other", "--set", "trainer.max_epochs=5"]).succeeded();
    assert!(run.folder().join("other/config.3.toml").is_file());
}

#[test]
fn momentum_takes_effect() {
    let weights = |momentum: &str| {
        let run = run("");
        run.fit(&[]).succeeded();
        run.resume(&["--set", "trainer.max_epochs=3", "--set", &format!("optimizer.momentum={momentum}")])
            .succeeded();
        fs::read(run.run_dir().join("checkpoints/last/model.safetensors")).unwrap()
    };
    assert!(weights("0.9") != weights("0.1"));
}

#[test]
fn another_batch_size_inside_an_epoch_neither_repeats_nor_leaves_out_samples() {
    let stopped = || {
        let run = run("");
        run.fit(&["--set", "trainer.max_steps=6"]).succeeded();
        assert_eq!(run.json("checkpoints/last/state.json")["sample"], 16);
        run
    };
    let run = stopped();
    let finished = run.resume(&["--set", "trainer.max_steps=100", "--set", "data.batch_size=5"]);
    finished.failed(2, &["data.batch_size (was 8, is 5)", "16 samples of epoch 2", "no whole batches of 5"]);
    run.resume(&["--set", "trainer.max_steps=100", "--set", "data.batch_size=4"]).succeeded();
    let batches: Vec<u64> = run
        .metrics()
        .iter()
        .filter(|record| record["epoch"] == 1)
        .filter_map(|record| record.get("batch")?.as_u64())
        .collect();
    assert_eq!(batches, [0, 1, 4, 5, 6, 7], "16 of 32 samples in batches of 8, the others in batches of 4");
    let shuffled = stopped().resume(&["--set", "trainer.max_steps=100", "--set", "data.shuffle=true"]);
    shuffled.failed(2, &["data.shuffle", "inside epoch 2", "repeated or left out"]);
    let window =
        stopped().resume(&["--set", "trainer.max_steps=100", "--set", "trainer.accumulate_grad_batches=4"]);
    window.failed(2, &["trainer.accumulate_grad_batches", "no whole windows of 4"]);
}

#[test]
fn a_schedule_spans_the_steps_of_epochs_with_other_windows() {
    let run = run("[scheduler]\nid = \"cosine\"\ninterval = \"step\"\n");
    run.fit(&["--set", "trainer.accumulate_grad_batches={ 0 = 4, 1 = 2 }"]).succeeded();
    assert_eq!(run.json("checkpoints/last/state.json")["global_step"], 3, "one step, then two");
    let more = ["--set", "trainer.max_epochs=4", "--set"];
    let finished =
        run.resume(&[&more[..], &["trainer.accumulate_grad_batches={ 0 = 4, 1 = 2, 2 = 1 }"]].concat());
    finished
        .succeeded()
        .says("trainer.accumulate_grad_batches is {\"0\":4,\"1\":2,\"2\":1} from here on")
        .says("spans the run, which has 4 epochs and 11 steps now, and had 2 and 3");
    // From step 3 on: each batch has its step.
    for (index, rate) in rates(&run)[8..].iter().enumerate() {
        let done = (index + 3) as f64 / 11.0;
        let expected = 0.01 * (1.0 + (std::f64::consts::PI * done).cos()) / 2.0;
        assert!((rate - expected).abs() < 1e-12, "batch {index}: {rate}, {expected}");
    }
}

#[test]
fn callbacks_may_change_and_come_and_strategies_may_not_come() {
    let run = run("[[callbacks]]\nid = \"case-stop\"\n");
    run.fit(&[]).succeeded();
    let more = |callbacks: &str| {
        run.resume(&["--set", "trainer.max_epochs=3", "--set", &format!("callbacks={callbacks}")])
    };
    more(r#"[{ id = "case-stop" }, { id = "faulty" }]"#)
        .failed(2, &["callbacks", "strategy `faulty` is new", "freeze before training"]);
    more("[]").failed(2, &["`case-stop` is missing", "its state would be lost"]);
    more(r#"[{ id = "case-stop", at_step = 10 }, { id = "faulty-callback" }]"#)
        .succeeded()
        .says("callbacks.0.at_step is 10 from here on")
        .says("no state of `faulty-callback`: it starts anew");
    assert_eq!(run.json("checkpoints/last/state.json")["global_step"], 10);
}

#[test]
fn other_classes_are_refused_and_another_number_of_samples_is_told() {
    let csv = |labels: [&str; 3], rows: usize| {
        let rows = (0..rows).map(|row| format!("a b,{}\n", labels[row % 3]));
        format!("text,label\n{}", rows.collect::<String>())
    };
    let run = Run::new(
        "plugins = [\"text\"]\n[model]\nid = \"bert-classifier\"\nconfig = \"bert.json\"\nnum_classes = 3\n\
         [data]\nkind = \"text\"\npath = \"data.csv\"\ntokenizer = \"tokenizer.json\"\n[trainer]\nmax_epochs \
         = 1\n",
    );
    run.write("bert.json", tiny_text::CONFIG);
    run.write("tokenizer.json", fs::read(fixtures().join("text/tokenizer.json")).unwrap());
    run.write("data.csv", csv(["cat", "dog", "owl"], 24));
    run.fit(&[]).succeeded();
    for labels in [["ant", "cat", "dog"], ["owl", "ant", "dog"]] {
        run.write("data.csv", csv(labels, 24));
        run.host(["fit", "run.toml", "--resume", "run", "--set", "trainer.max_epochs=2"])
            .failed(2, &["[data] has the classes ant, ", "trained on cat, dog, owl", "order decides"]);
    }
    run.write("data.csv", csv(["cat", "dog", "owl"], 25));
    run.resume(&["--set", "trainer.max_epochs=2"])
        .succeeded()
        .says("25 training samples, and had 24 when the checkpoint was written");
}

#[test]
fn another_plugin_file_is_told_and_the_record_of_the_first_is_kept() {
    let run = run("");
    run.fit(&[]).succeeded();
    let mut plugins = run.json("plugins.json");
    plugins[0]["sha256"] = json!("0123");
    run.write("run/plugins.json", plugins.to_string());
    let name = plugins[0]["name"].as_str().unwrap();
    run.resume(&["--set", "trainer.max_epochs=3"])
        .succeeded()
        .says(&format!("plugin `{name}` is another file than before"))
        .says("it was 0123");
    assert_eq!(run.json("plugins.1.json")[0]["sha256"], "0123");
    assert_eq!(records(&run, "resumes.jsonl")[0]["earlier_plugins"], "plugins.1.json");
}

#[test]
fn a_last_checkpoint_that_is_damaged_or_gone_is_told_and_none_takes_its_place() {
    for damage in ["model.safetensors", "state.json", "gone"] {
        let run = run("[checkpoint]\nsave_top_k = -1\n");
        run.fit(&[]).succeeded();
        let metrics = fs::read(run.run_dir().join("metrics.jsonl")).unwrap();
        let last = run.run_dir().join("checkpoints/epoch=1-step=8");
        if damage == "gone" {
            fs::remove_dir_all(&last).unwrap();
        } else {
            let mut bytes = fs::read(last.join(damage)).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(last.join(damage), bytes).unwrap();
        }
        let advice = "--resume run/checkpoints/epoch=0-step=4";
        run.resume(&["--set", "trainer.max_epochs=3"])
            .failed(1, &["newest checkpoint that is whole", "step 4", advice]);
        assert_eq!(
            fs::read(run.run_dir().join("metrics.jsonl")).unwrap(),
            metrics,
            "nothing is cut: {damage}"
        );
        run.host(["fit", "--resume", "run/checkpoints/epoch=0-step=4"]).succeeded();
        assert_eq!(run.json("checkpoints/last/state.json")["global_step"], 8);
    }
}

#[test]
fn a_run_that_was_killed_before_its_first_checkpoint_can_be_started_again() {
    let run = run("[[callbacks]]\nid = \"case-stop\"\n");
    let kill = ["--set", "callbacks.0.at_step=2", "--set", "callbacks.0.how=kill"];
    assert_eq!(run.fit(&kill).code(), None);
    run.resume(&[]).failed(2, &["run: no checkpoint", "ended before its first", "fit CONFIG --run-dir run"]);
    run.write("run/mine.txt", "precious");
    run.fit(&[]).failed(2, &["holds something already"]);
    fs::remove_file(run.run_dir().join("mine.txt")).unwrap();
    run.fit(&[]).succeeded().says("ended before its first checkpoint is removed");
    assert_eq!(rates(&run).len(), 8, "of this run alone");
    run.fit(&[]).failed(2, &["holds something already"]);
    // Where no checkpoints were wanted, the records are the result.
    let off = ["--run-dir", "off", "--set", "checkpoint.enabled=false"];
    let arguments: Vec<&str> = ["fit", "run.toml"].into_iter().chain(off).collect();
    run.host(&arguments).succeeded();
    run.host(&arguments).failed(2, &["holds something already"]);
}

#[test]
fn what_a_killed_run_left_behind_goes_when_the_run_goes_on() {
    let run = run("");
    run.fit(&[]).succeeded();
    let checkpoints = run.run_dir().join("checkpoints");
    let orphan = checkpoints.join("epoch=7-step=32");
    fs::create_dir(&orphan).unwrap();
    run.write("run/checkpoints/mine/note.txt", "mine");
    run.write("run/.tmpAbCdEf", "half");
    run.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    assert!(!orphan.exists() && !run.run_dir().join(".tmpAbCdEf").exists());
    assert!(checkpoints.join("mine/note.txt").is_file(), "what the run did not write stays");
}

#[test]
fn a_checkpoint_that_names_files_outside_of_it_is_refused() {
    let run = run("");
    run.fit(&[]).succeeded();
    let last = run.run_dir().join("checkpoints/last");
    let state = run.json("checkpoints/last/state.json");
    fs::remove_file(last.join("state.sha256")).unwrap();
    let write = |state: &Value| fs::write(last.join("state.json"), state.to_string()).unwrap();
    for name in ["../../config.toml", "/dev/zero", "..", "a/b"] {
        let mut foreign = state.clone();
        foreign["files"][name] = json!("00");
        write(&foreign);
        run.host(["validate", "--checkpoint", "run/checkpoints/last"])
            .failed(1, &["state.json", "same folder"]);
        let mut foreign = state.clone();
        foreign["kept"] = json!([{ "name": name, "monitor": "val_loss", "value": 1.0, "epoch": 0 }]);
        write(&foreign);
        run.resume(&[]).failed(1, &["state.json", "same folder"]);
    }
    let mut foreign = state.clone();
    foreign["files"].as_object_mut().unwrap().remove("model.safetensors");
    write(&foreign);
    run.resume(&[]).failed(1, &["no checksum of model.safetensors"]);
    let mut foreign = state.clone();
    foreign["files"]["link"] = json!("00");
    write(&foreign);
    std::os::unix::fs::symlink("/dev/zero", last.join("link")).unwrap();
    run.host(["validate", "--checkpoint", "run/checkpoints/last"])
        .failed(1, &["link", "of the checkpoint's own"]);
}

#[test]
fn a_run_directory_that_was_moved_goes_on() {
    let run = run("");
    run.fit(&[]).succeeded();
    fs::rename(run.run_dir(), run.folder().join("moved")).unwrap();
    run.host(["fit", "--resume", "moved", "--set", "trainer.max_epochs=3"]).succeeded();
    let last = fs::read_link(run.folder().join("moved/checkpoints/last")).unwrap();
    assert_eq!(last, Path::new("epoch=2-step=12"));
}

#[test]
fn an_epoch_in_which_every_rate_is_0_is_warned_of() {
    let run = run("[scheduler]\nid = \"cosine\"\nT_max = 2\n");
    run.fit(&[]).succeeded();
    run.resume(&["--set", "trainer.max_epochs=3"]).succeeded().says("every learning rate is 0 in epoch 3");
}
