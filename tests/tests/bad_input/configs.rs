//! Run configs: exit code 2, with the file, the key, what was found and what was expected.

use thaw_tests::{Run, case};

/// What `--set` makes wrong, and what the message has to hold.
type Wrong = (&'static str, &'static [&'static str]);

#[track_caller]
fn each_is_refused(wrongs: &[Wrong]) {
    let run = Run::new(
        &(case("bb_steplr") + "[optimizer]\nid = \"sgd\"\nlr = 0.1\n[[callbacks]]\nid = \"faulty\"\n"),
    );
    for (set, texts) in wrongs {
        let finished = run.fit(&["--plugin", "faulty", "--set", set]);
        finished.failed(2, &[&["run.toml"], *texts].concat());
        assert!(!run.run_dir().exists(), "{set} left a run directory");
    }
}

#[test]
fn unknown_keys_of_the_hosts_tables_name_the_nearest_one() {
    each_is_refused(&[
        ("optimiser.lr=1", &["`optimiser`", "`optimizer`"]),
        ("trainer.max_epoch=1", &["`trainer.max_epoch`", "`max_epochs`"]),
        ("checkpoint.save_top=1", &["`checkpoint.save_top`", "`save_top_k`"]),
        ("data.batch_sise=1", &["unknown key `data.batch_sise`, did you mean `batch_size`?"]),
        ("optimizer.momentun=0.5", &["`optimizer.momentun`", "did you mean `momentum`?"]),
        (
            "scheduler={ id = \"step\", step_sise = 1 }",
            &["`scheduler.step_sise`", "did you mean `step_size`?"],
        ),
        (
            "model.weights={ path = \"w.pt\", ignor = [\"head\"] }",
            &["unknown key `model.weights.ignor`, did you mean `ignore`?"],
        ),
    ]);
}

#[test]
fn wrong_types_in_the_hosts_tables_say_what_was_expected() {
    each_is_refused(&[
        ("seed=many", &["`seed`", "\"many\"", "a whole number"]),
        ("trainer.max_epochs=1.5", &["`trainer.max_epochs`", "1.5", "a whole number"]),
        ("data.batch_size=many", &["`data.batch_size` is \"many\", expected a whole number of at least 1"]),
        ("data.shuffle=1", &["`data.shuffle` is 1, expected true or false"]),
        ("optimizer.lr=fast", &["optimizer.lr", "\"fast\"", "a number"]),
        ("trainer.gradient_clip_val=nan", &["`trainer.gradient_clip_val` is \"NaN\"", "a number"]),
        (
            "scheduler={ id = \"step\", step_size = \"one\" }",
            &["scheduler.step_size", "\"one\"", "a whole number"],
        ),
        ("callbacks=1", &["`callbacks`", "is 1"]),
        ("callbacks={ id = \"faulty\" }", &["`callbacks` is one table", "write `[[callbacks]]`"]),
        ("model=1", &["`model` is 1, expected a table with `id`"]),
    ]);
}

#[test]
fn values_out_of_range_in_the_hosts_tables_name_the_range() {
    each_is_refused(&[
        ("trainer.accumulate_grad_batches=0", &["`trainer.accumulate_grad_batches` is 0", "at least 1"]),
        ("data.batch_size=0", &["`data.batch_size` is 0, expected a number of at least 1"]),
        ("optimizer.lr=-1", &["`optimizer.lr` is -1.0", "at least 0"]),
        ("scheduler={ id = \"step\", step_size = 0 }", &["`scheduler.step_size` is 0", "at least 1"]),
        ("trainer.precision=fp64", &["`trainer.precision`", "\"fp64\"", "fp32, bf16-mixed"]),
    ]);
}

#[test]
fn unknown_ids_of_the_hosts_tables_name_the_nearest_one() {
    each_is_refused(&[
        ("data.kind=tensor", &["`data.kind`", "\"tensor\"", "`tensors`"]),
        ("optimizer.id=sgdd", &["`optimizer.id` is \"sgdd\"", "did you mean `sgd`?"]),
        ("scheduler={ id = \"steep\" }", &["`scheduler.id` is \"steep\"", "did you mean `step`?"]),
    ]);
}

#[test]
fn keys_of_plugins_tables_are_checked_as_well() {
    each_is_refused(&[
        ("callbacks.0.epochs=1", &["callbacks[0]", "strategy `faulty`", "unknown key `epochs`", "`epoch`"]),
        ("callbacks.0.epoch=soon", &["callbacks[0]", "`epoch` is \"soon\"", "a whole number"]),
        ("callbacks.0.epoch=100", &["callbacks[0]", "`epoch` is 100", "less than 100"]),
        ("callbacks.0.how=explode", &["callbacks[0]", "`how` is \"explode\"", "error, panic"]),
        ("model.cas=here", &["[model]", "model `case-model`", "unknown key `cas`", "`case`"]),
        ("model.case=1", &["[model]", "`case` is 1", "a path"]),
    ]);
}

#[test]
fn a_plan_refuses_a_table_in_the_same_words_as_a_run() {
    let run = Run::new(&(case("bb_steplr") + "[optimizer]\nid = \"sgd\"\n[[callbacks]]\nid = \"faulty\"\n"));
    for set in [
        "model.cas=here",
        "model.id=case-modell",
        "callbacks.0.epochs=1",
        "optimizer.lr=-1",
        "data.batch_size=0",
    ] {
        let of_fit = run.fit(&["--plugin", "faulty", "--set", set]).failed(2, &["run.toml"]);
        let of_plan = run.host(["--plugin", "faulty", "plan", "run.toml", "--set", set]).failed(2, &[]);
        assert_eq!(of_plan.error(), of_fit.error());
    }
    for only in [&["--tree"][..], &["--write-schedule", "schedule.toml"]] {
        let plan = [&["--plugin", "faulty", "plan", "run.toml", "--set", "model.cas=here"], only].concat();
        run.host(plan).failed(2, &["run.toml", "[model]", "`cas`", "`case`"]);
    }
}

#[test]
fn a_missing_key_is_named() {
    let run = Run::new(
        "plugins = [\"case_model\"]\n[model]\nid = \"case-model\"\n[data]\nkind = \"tensors\"\npath \
         = \"x.npz\"\n",
    );
    run.fit(&[]).failed(2, &["run.toml", "missing key `case`"]);
    Run::new("seed = 1\n").fit(&[]).failed(2, &["run.toml", "missing key `model`"]);
}

#[test]
fn text_that_is_no_toml_is_shown_with_its_line() {
    Run::new("seed = 1\nmodel = [\n").fit(&[]).failed(2, &["run.toml", "line"]);
}

#[test]
fn a_missing_run_config_is_named() {
    let run = Run::new("");
    run.host(["fit", "other.toml"]).failed(2, &["other.toml", "cannot read the run config"]);
}

#[test]
fn devices_that_are_not_there_are_a_matter_of_the_config() {
    let run = Run::new(&case("bb_steplr"));
    run.fit(&["--set", "trainer.device=gpu"]).failed(2, &["device \"gpu\"", "auto, cpu, cuda or cuda:N"]);
    run.fit(&["--set", "trainer.device=cuda"]).failed(2, &["device \"cuda\"", "Use device = \"cpu\""]);
}

#[test]
fn parameters_that_the_model_does_not_have_name_the_nearest_module() {
    let run =
        Run::new(&(case("bb_steplr") + "[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"haed\"]\n"));
    run.fit(&[]).failed(2, &["[optimizer] parameters", "`haed`", "did you mean `head`?"]);
}
