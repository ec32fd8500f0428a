//! A plan says beforehand what a run then does.

use std::process::Command;

use serde_json::{Value, json};
use thaw_tests::{Finished, Run, case};

/// What both a plan and `groups.jsonl` say of an epoch; batch norms without their counters, which only
/// training has.
fn told(epoch: &Value) -> ([Value; 5], Vec<(String, Value, Value)>) {
    let norms = epoch["batch_norm"].as_object().unwrap().iter();
    let norms = norms
        .map(|(path, norm)| (path.clone(), norm["training"].clone(), norm["track_running_stats"].clone()));
    (["epoch", "step", "optimizer", "groups", "trainable"].map(|key| epoch[key].clone()), norms.collect())
}

const PLUGINS: [&str; 6] =
    ["--plugin", "backbone_finetuning", "--plugin", "layerwise_finetuning", "--plugin", "phased_finetuning"];

fn plan(run: &Run, more: &[&str]) -> Value {
    let planned = run.host(PLUGINS.iter().chain(&["plan", "run.toml", "--json"]).chain(more)).succeeded();
    serde_json::from_str(&planned.stdout).unwrap()
}

fn assert_plan_is_kept(config: &str, more: &[&str]) {
    let run = Run::new(&(case("bb_steplr") + config));
    let plan = plan(&run, more);
    assert!(!run.run_dir().exists(), "a plan writes nothing");
    run.fit(&PLUGINS).succeeded();
    let planned: Vec<_> = plan["epochs"].as_array().unwrap().iter().map(told).collect();
    let done: Vec<_> = run.groups().iter().map(told).collect();
    assert_eq!(planned, done);
}

#[test]
fn thawing_and_a_schedule_of_epochs_go_as_planned() {
    assert_plan_is_kept(
        "[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[scheduler]\nid = \"step\"\nstep_size \
         = 1\ngamma = 0.7\n\
         [trainer]\nmax_epochs = 6\n[[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch \
         = 2\nlambda_func = 1.5\n",
        &["--steps-per-epoch", "4"],
    );
}

#[test]
fn layers_and_a_schedule_of_steps_go_as_planned() {
    assert_plan_is_kept(
        "[optimizer]\nid = \"adam\"\nlr = 0.01\nparameters = [\"head\"]\n[scheduler]\nid \
         = \"cosine\"\ninterval = \"step\"\n\
         [trainer]\nmax_epochs = 4\naccumulate_grad_batches = 2\n\
         [[callbacks]]\nid = \"layerwise-finetuning\"\nunfreeze_at_epoch = 1\nlayers_per_epoch = \
         2\nfrozen_bn = \"batch-stats\"\n",
        &["--steps-per-epoch", "2"],
    );
}

#[test]
fn accumulation_by_epochs_goes_as_planned() {
    // Four batches: 1, 2, 2, 4 and 4 steps, which the cycle spans.
    let config = "[optimizer]\nid = \"sgd\"\nlr = 0.1\n[scheduler]\nid = \"one-cycle\"\nmax_lr = 0.1\n\
                  [trainer]\nmax_epochs = 5\naccumulate_grad_batches = { 0 = 4, 1 = 2, 3 = 1 }\n";
    assert_plan_is_kept(config, &[]);
    let run = Run::new(&(case("bb_steplr") + config));
    let epochs = plan(&run, &[]);
    let told = |key: &str| -> Vec<Value> {
        epochs["epochs"].as_array().unwrap().iter().map(|epoch| epoch[key].clone()).collect()
    };
    assert_eq!(told("step"), [0, 1, 3, 5, 9]);
    assert_eq!(told("accumulate_grad_batches"), [4, 2, 2, 1, 1]);
    let lowest = run.fit(&[]).succeeded();
    let last = run.groups().last().unwrap()["groups"][0]["lr"].as_f64().unwrap();
    assert!(last > 1e-3, "four steps before the end of a cycle of 13: {last} {lowest}");
    let text = run.host(["plan", "run.toml"]).succeeded().stdout;
    for part in [
        "epochs 2 to 3\n",
        "  optimizer   sgd, a step after every 2 batches\n",
        "  optimizer   sgd, a step after each batch\n",
        "rates follow steps, with 1 in the first epoch",
    ] {
        assert!(text.contains(part), "expected\n{part}in\n{text}");
    }
}

#[test]
fn a_plan_needs_no_data() {
    let config = case("bb_steplr")
        + "[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 3\n\
         [[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 1\n";
    let run = Run::new(&config);
    let gone =
        ["--plugin", "backbone_finetuning", "plan", "run.toml", "--set", "data.path=nowhere.safetensors"];
    let text = run.host(gone).succeeded().stdout;
    // 32 x 4 + 4 parameters in the head; 16 x 32, 32 x 32 + 32 and two batch norms of 32 in the backbone.
    let head = "epoch 1\n  trains      head\n  parameters  132 train, 1.7 k frozen\n  batch norm  2 in \
                evaluation mode\n  optimizer   sgd\n  group head      132  lr 1.000e-1\n";
    let all = "epochs 2 to 3\n  trains      the whole model\n  parameters  1.8 k train, 0 frozen\n  batch \
               norm  2 in training\n";
    let groups = "  group head          132  lr 1.000e-1\n  group backbone    1.7 k  lr 1.000e-2, 2.000e-2\n";
    for part in [head, all, groups] {
        assert!(text.contains(part), "expected\n{part}in\n{text}");
    }
}

#[test]
fn phases_that_end_inside_an_epoch_go_as_planned() {
    assert_plan_is_kept(
        "[optimizer]\nid = \"adam\"\nlr = 0.01\n[scheduler]\nid = \"exponential\"\ngamma = 0.9\n\
         [trainer]\nmax_epochs = 5\naccumulate_grad_batches = 2\n\
         [[callbacks]]\nid = \"phased-finetuning\"\nfrozen_bn = \"batch-stats\"\n\
         phases = [\n\
           { name = \"head\", modules = [\"head\"], end = { step = 3 } },\n\
           { name = \"top\", modules = [\"backbone.4\"], scheduler = { id = \"cosine\", interval = \"step\" \
           }, end = { step = 7 } },\n\
           { name = \"all\", modules = [\"*\"], optimizer = { id = \"sgd\", momentum = 0.9 }, freeze = \
           [\"head\"], end = { epoch = 4 } },\n\
         ]\n",
        &["--steps-per-epoch", "2"],
    );
}

#[test]
fn a_phase_of_the_plan_says_what_trains_and_how() {
    let run = Run::new(
        &(case("bb_steplr")
            + "[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[scheduler]\nid \
               = \"step\"\nstep_size = 1\ngamma = 0.5\n\
               [trainer]\nmax_epochs = 3\n[[callbacks]]\nid \
               = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 1\nlambda_func = 1\n"),
    );
    let plan = plan(&run, &[]);
    let phases = plan["phases"].as_array().unwrap();
    let all: u64 = phases[1]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["parameters"].as_u64().unwrap())
        .sum();
    let head = phases[0]["groups"][0]["parameters"].as_u64().unwrap();
    assert_eq!(phases[0]["epochs"], json!([0]));
    assert_eq!(phases[0]["trainable_modules"], json!(["head"]));
    assert_eq!(phases[0]["parameters"], json!({ "trainable": head, "frozen": all - head }));
    assert_eq!(
        phases[0]["batch_norm"]["backbone.1"],
        json!({ "training": false, "track_running_stats": true })
    );
    assert_eq!(phases[1]["epochs"], json!([1, 2]));
    assert_eq!(phases[1]["parameters"], json!({ "trainable": all, "frozen": 0 }));
    assert_eq!(phases[1]["groups"][0]["lr"], json!([0.05, 0.025]));
    assert_eq!(phases[1]["batch_norm"]["backbone.1"]["training"], true);
}

#[test]
fn a_plan_says_where_a_metric_decides() {
    let run = Run::new(
        &(case("bb_steplr")
            + "[trainer]\nmax_epochs = 4\n[[callbacks]]\nid = \"phased-finetuning\"\nphases = [\n\
               { name = \"head\", modules = [\"head\"], end = { epoch = 3, monitor = { metric \
               = \"val_loss\", patience = 2 } } },\n\
               { name = \"all\", modules = [\"*\"] },\n]\n"),
    );
    let text = run.host(PLUGINS.iter().chain(&["plan", "run.toml"])).succeeded().stdout;
    let note = "phase `head` ends, and `all` begins, when `val_loss` has not fallen for 2 epochs";
    assert!(text.contains("epochs 1 to 3\n") && text.contains(note) && text.contains("epoch 4\n"), "{text}");
    assert!(plan(&run, &[])["phases"][0]["notes"][0].as_str().unwrap().contains(note));
}

#[test]
fn a_starting_schedule_loads_and_runs_unchanged() {
    let run = Run::new(
        &(case("bb_steplr")
            + "[optimizer]\nid = \"adamw\"\nlr = 3e-3\n[trainer]\nmax_epochs = 4\n\
               [[callbacks]]\nid = \"phased-finetuning\"\nschedule = \"phases.toml\"\n"),
    );
    let write = || run.host(PLUGINS.iter().chain(&["plan", "run.toml", "--write-schedule", "phases.toml"]));
    let written = write().succeeded();
    assert!(written.stdout.contains("schedule = \"phases.toml\""), "{written}");
    write().failed(1, &["phases.toml", "there is a file already"]);

    let planned: Vec<_> = plan(&run, &[])["epochs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|epoch| (epoch["groups"].clone(), epoch["trainable"].clone()))
        .collect();
    run.fit(&PLUGINS).succeeded();
    let done: Vec<_> =
        run.groups().iter().map(|epoch| (epoch["groups"].clone(), epoch["trainable"].clone())).collect();
    assert_eq!(planned, done);
    let rates: Vec<Vec<(Value, Value)>> = run
        .groups()
        .iter()
        .map(|record| {
            record["groups"]
                .as_array()
                .unwrap()
                .iter()
                .map(|group| (group["name"].clone(), group["lr"].clone()))
                .collect()
        })
        .collect();
    let (head, backbone) = ((json!("head"), json!(3e-3)), (json!("backbone"), json!(3e-4)));
    assert_eq!(
        rates,
        [vec![head.clone()], vec![head.clone()], vec![head.clone(), backbone.clone()], vec![head, backbone]]
    );
}

#[test]
fn a_starting_schedule_goes_from_the_head_down_through_the_stages() {
    let run = Run::new(
        "plugins = [\"vision\"]\n[model]\nid = \"resnet18\"\nnum_classes = 4\n[trainer]\nmax_epochs = 10\n",
    );
    run.host(["plan", "run.toml", "--write-schedule", "a/phases.toml"]).failed(1, &["a/phases.toml"]);
    run.host(["plan", "run.toml", "--write-schedule", "phases.toml"]).succeeded();
    let schedule = std::fs::read_to_string(run.folder().join("phases.toml")).unwrap();
    let names: Vec<&str> = schedule.lines().filter_map(|line| line.strip_prefix("name = ")).collect();
    assert_eq!(names, ["\"head\"", "\"layer4\"", "\"layer3\"", "\"layer2\"", "\"layer1\"", "\"stem\""]);
}

#[test]
fn the_example_of_a_schedule_goes_through_all_its_phases() {
    // Its paths start at the workspace; a plan writes nothing there.
    let mut plan = Command::new(thaw_tests::host());
    plan.args(["plan", "examples/phased-emoji.toml"])
        .current_dir(thaw_tests::workspace())
        .env("CUDA_VISIBLE_DEVICES", "");
    let plan = Finished::run(plan).succeeded();
    for text in [
        "epochs 1 to 4\n",
        "phase `head` ends, and `top` begins, when `val_loss`",
        "epochs 7 to 8\n  trains      the whole model",
    ] {
        assert!(plan.stdout.contains(text), "expected `{text}` in {plan}");
    }
    assert!(!plan.stdout.contains("  ! "), "{plan}");
}

#[test]
fn a_name_of_any_length_is_shortened_in_the_plan() {
    let phase = format!(
        "[[phases]]\nname = \"{}\"\nmodules = [\"head\"]\nlr = 1e-2\nend = {{ epoch = 2 }}\n",
        "x".repeat(66_000)
    );
    let run = Run::new(
        &(case("bb_steplr").replace("plugins = [", "plugins = [\"phased_finetuning\", ")
            + "[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = 1\n\
               [[callbacks]]\nid = \"phased-finetuning\"\nschedule = \"schedule.toml\"\n"),
    );
    run.write("schedule.toml", phase);
    let plan = run.host(["plan", "run.toml"]).succeeded().stdout;
    assert!(plan.lines().all(|line| line.len() < 1000), "{} characters", plan.len());
    let ended = run.host(["plan", "run.toml", "--set", "trainer.max_epochs=3"]).succeeded().stdout;
    assert!(ended.contains("the run ends here: "), "{ended}");
    assert!(ended.lines().all(|line| line.len() < 1000), "{} characters", ended.len());
    run.fit(&[]).succeeded();
}
