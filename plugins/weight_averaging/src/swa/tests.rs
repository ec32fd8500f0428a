use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{FakeModel, FakeRun, assert_resumes_alike};

use super::{Anneal, Start, Swa};

fn run(config: Value) -> Result<FakeRun> {
    let mut run = FakeRun::new(FakeModel::new().linear("head", 4, 2)).optimizer("sgd", 0.1).max_epochs(6);
    run.add_callback::<Swa>(config)?;
    Ok(run)
}

#[test]
fn rates_go_to_the_constant_and_stay() -> Result<()> {
    let report = run(json!({ "swa_lrs": 0.02, "swa_epoch_start": 2, "annealing_epochs": 2,
        "annealing_strategy": "linear" }))?
    .fit()?;
    for (epoch, lr) in [0.1, 0.1, 0.06, 0.02, 0.02, 0.02].into_iter().enumerate() {
        report.epoch(epoch).assert_lr("default", lr);
    }
    Ok(())
}

#[test]
fn a_resumed_run_anneals_from_the_rate_that_it_began_with() -> Result<()> {
    assert_resumes_alike(|| run(json!({ "swa_lrs": 0.02, "swa_epoch_start": 0.5, "annealing_epochs": 3 })))
}

#[test]
fn a_start_is_a_share_or_a_number() {
    let first = |start: f64| Start(start).first_epoch(10);
    assert_eq!([0.0, 0.05, 0.5, 0.8, 1.0, 4.0].map(first), [0, 0, 4, 7, 0, 3]);
    assert!((Anneal::Cos.share(0.5) - 0.5).abs() < 1e-12);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (config, words) in [
        (json!({ "swa_lrs": 0.0 }), "`swa_lrs` is 0"),
        (json!({ "swa_lrs": [] }), "above 0"),
        (json!({ "swa_lrs": 0.1, "swa_epoch_start": 1.5 }), "a whole number"),
        (json!({ "swa_lrs": [0.1, 0.2], "swa_epoch_start": 1 }), "2 rates"),
    ] {
        let error = run(config).and_then(|mut run| run.fit()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
