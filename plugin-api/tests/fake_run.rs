//! The fake run, as authors use it in their tests.

use serde_json::json;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

/// Thaws the backbone at an epoch, counts batches, and stops the run after some of them.
#[derive(Config)]
struct Counting {
    /// Epoch at which the backbone thaws.
    #[config(default = 1)]
    thaw_at: usize,
    /// Batches after which the run is to stop.
    #[config(default = 1000)]
    stop_after: usize,
    #[config(state)]
    batches: usize,
}

impl Strategy for Counting {
    const ID: &'static str = "counting";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.module("backbone")?.freeze(BatchNorm::Eval);
        Ok(())
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        if epoch == self.thaw_at {
            model.module("backbone")?.unfreeze_and_add_param_group(optimizer, 1e-4)?;
        }
        Ok(())
    }

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        context.log("batches_before", self.batches as f64)
    }

    fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
        self.batches += 1;
        let limit = self.stop_after;
        if self.batches == limit { context.stop(&format!("{limit} batches are enough")) } else { Ok(()) }
    }

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        context.log("batches_after", self.batches as f64)
    }
}

fn model() -> FakeModel {
    FakeModel::new()
        .sequential("backbone", |layers| layers.linear("0", 4, 4).batch_norm("1", 4))
        .linear("head", 4, 2)
}

/// Three epochs of four batches in windows of two.
fn run(config: Value) -> Result<FakeRun> {
    let mut run = FakeRun::new(model())
        .max_epochs(3)
        .batches(4)
        .accumulate(2)
        .metric("val_loss", |epoch| 1.0 - 0.1 * epoch as f64);
    run.add_strategy::<Counting>(config)?;
    Ok(run)
}

#[test]
fn a_run_is_driven_step_by_step() -> Result<()> {
    let mut run = run(json!({}))?;
    run.run_steps(1)?;
    let report = run.report();
    assert_eq!(report.epoch(0).steps.len(), 2, "a step is a window of two batches");
    assert!(!report.events.iter().any(|event| event.what == "on_train_epoch_end"));
    assert_eq!(run.groups()?.len(), 1);

    run.run_steps(2)?;
    run.report().assert_event(0, "on_train_epoch_end").assert_event(1, "on_train_batch_end");
    assert_eq!(run.groups()?.len(), 2, "the third step is in the epoch of the thaw");

    run.run_epochs(1)?;
    assert_eq!(run.report().epoch(1).steps.len(), 4, "an epoch that is under way is ended");
    assert_eq!(run.fit()?.epochs.len(), 3);
    Ok(())
}

#[test]
fn driven_in_pieces_a_run_is_the_same() -> Result<()> {
    let whole = run(json!({}))?.fit()?;
    let mut pieces = run(json!({}))?;
    for _ in 0..6 {
        pieces.run_steps(1)?;
    }
    let pieces = pieces.fit()?;
    assert_eq!(pieces.epochs, whole.epochs);
    assert_eq!(pieces.events, whole.events);
    Ok(())
}

#[test]
fn what_is_logged_in_an_epoch_is_in_its_record() -> Result<()> {
    let report = run(json!({}))?.fit()?;
    report.epoch(1).assert_logged("batches_before", 4.0).assert_logged("batches_after", 8.0);
    assert_eq!(report.epoch(1).logged.len(), 2);
    Ok(())
}

#[test]
fn a_run_is_saved_and_restored_inside_an_epoch() -> Result<()> {
    let whole = run(json!({}))?.fit()?;
    for steps in 1..6 {
        let mut first = run(json!({}))?;
        first.run_steps(steps)?;
        let rest = run(json!({}))?.resumed_from(&first.save()?).fit()?;
        let last = whole.epoch(2);
        assert_eq!(rest.epoch(2).logged, last.logged, "resumed after {steps} steps");
        assert_eq!(rest.epoch(2).groups, last.groups, "resumed after {steps} steps");
        let batches: usize = rest.epochs.iter().map(|record| record.steps.len()).sum();
        assert_eq!(batches, 12 - 2 * steps);
        let finetuned = rest.events.iter().filter(|event| event.what == "finetune").count();
        assert_eq!(finetuned, (6 - steps) / 2, "an epoch that has begun does not begin again");
    }
    assert_resumes_alike(|| run(json!({})))
}

#[test]
fn a_stop_inside_an_epoch_ends_its_window_and_resumes_with_the_next_batch() -> Result<()> {
    let mut stopped = run(json!({ "stop_after": 5 }))?;
    let report = stopped.fit()?;
    report.assert_stopped("5 batches").epoch(1).assert_logged("batches_after", 6.0);
    report.assert_event(1, "on_validation_end");
    let rest = run(json!({}))?.resumed_from(&stopped.save()?).fit()?;
    assert_eq!(rest.epoch(1).steps.len(), 2);
    rest.epoch(1).assert_logged("batches_after", 8.0);
    Ok(())
}

#[test]
fn a_validation_that_a_hook_asks_for_has_metrics() -> Result<()> {
    /// Asks once, and logs what it gave.
    #[derive(Config)]
    struct Asks {}

    impl Callback for Asks {
        const ID: &'static str = "asks";

        fn on_train_start(&mut self, context: &mut Context) -> Result<()> {
            ensure!(context.metric("val_loss")?.is_none(), "the sanity check gives no metric");
            Ok(())
        }

        fn on_train_batch_start(&mut self, context: &mut Context) -> Result<()> {
            if context.batch_index() == 1 { context.validate() } else { Ok(()) }
        }

        fn on_validation_end(&mut self, context: &mut Context) -> Result<()> {
            if context.batch_index() == 2 { context.stop("seen") } else { Ok(()) }
        }
    }
    let mut run = FakeRun::new(model()).max_epochs(1).metric("val_loss", |_| 0.5);
    run.add_callback::<Asks>(json!({}))?;
    let report = run.fit()?;
    report.assert_stopped("seen");
    assert_eq!(report.epoch(0).metrics.get("val_loss"), Some(&0.5));
    assert_eq!(report.epoch(0).steps.len(), 2);
    Ok(())
}

#[test]
fn a_trainable_parameter_in_no_group_ends_the_run() -> Result<()> {
    /// Makes the backbone trainable and forgets its group.
    #[derive(Config)]
    struct Forgets {}

    impl Strategy for Forgets {
        const ID: &'static str = "forgets";

        fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
            model.freeze("backbone", BatchNorm::Eval)
        }

        fn finetune(&mut self, _: usize, model: &mut ModuleTree, _: &mut Optimizer) -> Result<()> {
            model.make_trainable("backbone")
        }
    }
    let mut run = FakeRun::new(model());
    run.add_strategy::<Forgets>(json!({}))?;
    let error = run.fit().unwrap_err().to_string();
    assert!(error.contains("backbone.0.weight") && error.contains("in no group"), "{error}");
    run.report().assert_event(0, "on_exception");
    Ok(())
}

#[test]
fn a_model_is_built_of_a_tree_as_json() -> Result<()> {
    let tree = model().stage("head", ["head"]).tree()?;
    let again = FakeModel::from_json(&serde_json::to_string(&tree)?)?.tree()?;
    assert_eq!(again, tree);
    assert!(FakeModel::from_json("{}").is_err());
    Ok(())
}

/// Forgets in a resumed run what it chose before training.
#[derive(Config)]
struct Forgetting {
    #[config(skip)]
    rate: f64,
}

impl Strategy for Forgetting {
    const ID: &'static str = "forgetting";

    fn freeze_before_training(&mut self, _: &mut ModuleTree) -> Result<()> {
        self.rate = 0.5;
        Ok(())
    }

    fn finetune(&mut self, _: usize, _: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        optimizer.groups_mut()[0].lr = self.rate;
        Ok(())
    }
}

#[test]
#[should_panic(expected = "resumed after 1 epochs, epoch 1 differs: `groups[0].lr` is 0.0, expected 0.5")]
fn the_first_thing_that_a_resumed_run_does_otherwise_is_named() {
    let build = || {
        let mut run = FakeRun::new(model()).max_epochs(2);
        run.add_strategy::<Forgetting>(json!({}))?;
        Ok(run)
    };
    assert_resumes_alike(build).unwrap();
}

/// The least loss so far, which is infinite before the first one.
#[derive(Config)]
struct Least {
    #[config(state)]
    least: f64,
    #[config(state)]
    last: Option<f64>,
}

#[test]
fn state_that_is_infinite_comes_back() -> Result<()> {
    let mut least = thaw_plugin_api::config::parse::<Least>("{}")?;
    (least.least, least.last) = (f64::INFINITY, Some(f64::NEG_INFINITY));
    let mut state = Config::state(&least)?;
    let mut restored = thaw_plugin_api::config::parse::<Least>("{}")?;
    Config::load_state(&mut restored, &mut state)?;
    assert_eq!((restored.least, restored.last), (f64::INFINITY, Some(f64::NEG_INFINITY)));
    Ok(())
}
