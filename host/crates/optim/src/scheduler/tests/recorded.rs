//! Rates that Lightning recorded, for every scheduler, and again with a group that joins at epoch 4.

use std::path::Path;

use super::*;

pub(super) fn recorded() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/parity/schedulers.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A `[scheduler]` table from PyTorch's class name and arguments.
fn table(spec: &Value) -> Value {
    let mut table = spec.as_object().unwrap().clone();
    let id = match table.remove("name").unwrap().as_str().unwrap() {
        "StepLR" => "step",
        "ExponentialLR" => "exponential",
        "CosineAnnealingLR" => "cosine",
        "LinearLR" => "linear",
        "SequentialLR" => "sequential",
        "OneCycleLR" => "one-cycle",
        "ReduceLROnPlateau" => "reduce-on-plateau",
        "LambdaLR" => "lambda",
        other => panic!("no schedule for {other}"),
    };
    if let Some(inner) = table.get_mut("schedulers") {
        *inner = inner.as_array().unwrap().iter().map(self::table).collect();
    }
    if let Some(function) = table.remove("lr_lambda") {
        let count = spec["interval"].as_str().unwrap();
        let expression = match function["kind"].as_str().unwrap() {
            "power" => format!("{} ^ {count}", function["base"]),
            "inverse" => format!("1 / (1 + {count} / {})", function["scale"]),
            other => panic!("no expression for {other}"),
        };
        table.insert("lambda".to_owned(), expression.into());
    }
    table.insert("id".to_owned(), id.into());
    table.into()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().map(|number| number.as_f64().unwrap()).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn check(found: impl Iterator<Item = f64>, expected: &Value, at: &str) {
    let (found, expected): (Vec<_>, _) = (found.collect(), numbers(expected));
    assert_eq!(found.len(), expected.len(), "{at}: groups");
    for (f, e) in found.iter().zip(&expected) {
        assert!(
            (f - e).abs() <= 1e-12 * e.abs() + if *e == 0.0 { 1e-15 } else { 0.0 },
            "{at}: {f}, expected {e}"
        );
    }
}

/// Runs the ten epochs; a second group joins at `join`. Compares from there on, as far as the record goes.
fn run(case: &Value, epochs: &Value, join: Option<usize>) {
    let name = case["name"].as_str().unwrap();
    let id = case["optimizer"]["name"].as_str().unwrap().to_lowercase();
    let optimizer = OptimizerConfig::default_for(&id).unwrap();
    let (batches, window) = (5_usize, case["accumulate_grad_batches"].as_u64().unwrap() as usize);
    let length = RunLength::even(10, batches.div_ceil(window));
    let config: SchedulerConfig = serde_json::from_value(table(&case["scheduler"])).unwrap();
    let mut scheduler = Scheduler::new(config, length, &optimizer).unwrap();
    let mut groups = vec![group("first", case["optimizer"]["lr"].as_f64().unwrap())];
    scheduler.start(&mut groups).unwrap();
    for epoch in 0..10 {
        if join == Some(epoch) {
            let lr = groups[0].lr / 10.0;
            groups.push(group("second", lr));
        }
        let expected = epoch.checked_sub(join.unwrap_or(0)).and_then(|row| epochs.get(row));
        for batch in 0..batches {
            let at = format!("{name}, join {join:?}, epoch {epoch}, batch {batch}");
            if let Some(expected) = expected.and_then(|row| row.get(batch)) {
                check(groups.iter().map(|group| group.lr), expected, &at);
            }
            if join.is_none() && case.get("momentum").is_some() {
                let momentum = groups[0].options[optimizer.momentum_option()];
                check([momentum].into_iter(), &case["momentum"][epoch][batch], &format!("{at}: momentum"));
            }
            if (batch + 1) % window == 0 || batch + 1 == batches {
                scheduler.on_step(&mut groups, batch).unwrap();
            }
        }
        scheduler.on_epoch_end(&mut groups, epoch).unwrap();
        let at_end = &case["lr_at_epoch_end"][epoch];
        if join.is_none() && !at_end.is_null() {
            check([groups[0].lr].into_iter(), at_end, &format!("{name}, end of epoch {epoch}"));
        }
        if let Some(metric) = case["metric_per_epoch"].get(epoch) {
            scheduler.on_metric(metric.as_f64().unwrap(), &mut groups, epoch).unwrap();
        }
    }
}

#[test]
fn rates_are_lightnings() {
    let recorded = recorded();
    let cases = recorded["schedulers"].as_array().unwrap();
    assert!(cases.len() >= 18, "{} schedulers", cases.len());
    for case in cases {
        run(case, &case["lr"], None);
    }
}

#[test]
fn rates_of_a_group_that_joins_are_lightnings() {
    for case in recorded()["schedulers"].as_array().unwrap() {
        run(case, &case["added_group"]["lr"], Some(4));
    }
}
