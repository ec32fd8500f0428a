//! Metrics against those of torchmetrics, recorded by `tests/fixtures/metrics/record.py`.

use serde_json::Value;
use thaw_metrics::{Labelled, Metric, Numbers, Of, Outcomes, Tagged};

fn recorded() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/metrics/recorded.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(value.clone()).unwrap()
}

fn indices(value: &Value) -> Vec<usize> {
    serde_json::from_value(value.clone()).unwrap()
}

fn largest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, index| if row[index] > row[best] { index } else { best })
}

fn labelled(case: &Value) -> Labelled {
    let probabilities = rows(&case["probabilities"]);
    let predicted: Vec<usize> = rows(&case["logits"]).iter().map(|row| largest(row)).collect();
    Labelled {
        classes: probabilities[0].len(),
        labels: indices(&case["target"]),
        ranks: indices(&case["ranks"]),
        confidences: probabilities.iter().zip(&predicted).map(|(row, class)| row[*class]).collect(),
        probabilities: probabilities.into_iter().flatten().collect(),
        predicted,
    }
}

fn tagged(case: &Value) -> Tagged {
    let (probabilities, target) = (rows(&case["probabilities"]), rows(&case["target"]));
    Tagged {
        labels: target[0].len(),
        probabilities: probabilities.into_iter().flatten().collect(),
        present: target.into_iter().flatten().map(|label| label == 1.0).collect(),
    }
}

fn numbers(case: &Value) -> Numbers {
    let predicted = rows(&case["predicted"]);
    Numbers {
        width: predicted[0].len(),
        predicted: predicted.into_iter().flatten().collect(),
        targets: rows(&case["target"]).into_iter().flatten().collect(),
    }
}

/// Every metric that was recorded; gives how many that were. torchmetrics counts in float32 by itself.
fn assert_all(case: &Value, outcomes: &Outcomes) -> usize {
    let metrics = case["metrics"].as_object().unwrap();
    for (name, expected) in metrics {
        let metric = Metric::of_name(name).unwrap_or_else(|| panic!("{name}"));
        let found = outcomes.value(metric).unwrap_or_else(|| panic!("{name} has no value"));
        let is_close = match expected.as_f64() {
            Some(expected) => (found - expected).abs() <= 2e-6 * expected.abs().max(1.0),
            // Where no label occurs at all, torchmetrics divides 0 by 0 in this one alone.
            None if name == "jaccard_weighted" => found == 0.0,
            None => found.is_nan(),
        };
        assert!(is_close, "{}, {name}: {found}, torchmetrics says {expected}", case["name"]);
    }
    metrics.len()
}

#[test]
fn metrics_of_several_labels_are_those_of_torchmetrics() {
    let recorded = recorded();
    let cases = recorded["labels"].as_array().unwrap();
    let seen: usize = cases.iter().map(|case| assert_all(case, &Outcomes::Tagged(tagged(case)))).sum();
    assert_eq!(seen, 8 * 20);
    for metric in Metric::all() {
        let is_recorded = cases[0]["metrics"].get(metric.to_string()).is_some();
        assert_eq!(metric.check(Of::Labels(Some(4))).is_ok(), is_recorded, "{metric}");
    }
}

#[test]
fn metrics_of_classes_are_those_of_torchmetrics() {
    let recorded = recorded();
    let cases = recorded["classes"].as_array().unwrap();
    let seen: usize = cases.iter().map(|case| assert_all(case, &Outcomes::Labelled(labelled(case)))).sum();
    assert!(cases.len() >= 13 && seen > 25 * cases.len(), "{seen} values of {} cases", cases.len());
}

#[test]
fn metrics_of_numbers_are_those_of_torchmetrics() {
    let recorded = recorded();
    let cases = recorded["numbers"].as_array().unwrap();
    let seen: usize = cases.iter().map(|case| assert_all(case, &Outcomes::Numbers(numbers(case)))).sum();
    assert!(cases.len() >= 9 && seen == 9 * cases.len(), "{seen} values of {} cases", cases.len());
}

#[test]
fn every_metric_was_recorded() {
    let recorded = recorded();
    let cases = ["classes", "numbers"].map(|kind| recorded[kind].as_array().unwrap().clone()).concat();
    // The matrix is held against torchmetrics' beside `Confusion`.
    for metric in Metric::all().into_iter().filter(|metric| metric.is_number()) {
        let name = metric.to_string();
        assert!(cases.iter().any(|case| case["metrics"].get(&name).is_some()), "{name}");
    }
}

#[test]
fn a_metric_that_does_not_fit_the_outputs_says_which_do() {
    let refused = |metric: Metric, outputs| metric.check(outputs).unwrap_err().0;
    let text = refused(Metric::R2, Of::Classes(Some(3)));
    assert!(text.contains("`r2` is of numbers") && text.contains("f1_macro"), "{text}");
    let text = refused(Metric::of_name("f1_macro").unwrap(), Of::Numbers);
    assert!(text.contains("`f1_macro` is of classes") && text.contains("pearson"), "{text}");
    let text = refused(Metric::Pearson, Of::ManyNumbers);
    assert!(text.contains("mae, mse, rmse") && !text.contains("r2,"), "{text}");
    let text = refused(Metric::Confusion, Of::Labels(Some(3)));
    assert!(text.contains("`confusion` is not of such"), "{text}");
    assert!(refused(Metric::Top(5), Of::Classes(Some(3))).contains("`top3`"));
    let text = refused(Metric::of_name("f1").unwrap(), Of::Classes(Some(3)));
    assert!(text.contains("`f1_macro`, `f1_weighted` or `f1_micro`"), "{text}");
    for (name, outputs) in
        [("top3", Of::Classes(Some(3))), ("f1", Of::Classes(Some(2))), ("mse", Of::ManyNumbers)]
    {
        assert_eq!(Metric::of_name(name).unwrap().check(outputs), Ok(()));
    }
}
