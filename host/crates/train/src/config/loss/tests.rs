//! `[loss]`: its keys, what goes together, and what fits which model.

use serde_json::json;
use thaw_plugin_api::config::Key;

use super::*;

fn read(table: serde_json::Value) -> Result<LossConfig, String> {
    LossConfig::from_value(&table, &Key::root().child("loss")).map_err(|error| error.to_string())
}

#[test]
fn weights_of_classes_are_a_word_a_list_or_a_table() {
    let weights = |value| read(json!({ "class_weights": value })).map(|loss| loss.class_weights.unwrap());
    assert_eq!(weights(json!("balanced")).unwrap(), ClassWeights::Balanced);
    assert_eq!(weights(json!([1, 0.5])).unwrap(), ClassWeights::Each(vec![1.0, 0.5]));
    let ClassWeights::Named(named) = weights(json!({ "rare": 4 })).unwrap() else { panic!() };
    assert_eq!(named["rare"], 4.0);
    for (value, parts) in [
        (json!("balance"), ["`loss.class_weights` is \"balance\"", "did you mean `balanced`?"]),
        (json!(2), ["`loss.class_weights` is 2", "a list of one number per class"]),
        (json!([1, -1]), ["`loss.class_weights[1]` is -1", "a number of at least 0"]),
        (json!({ "rare": "4" }), ["`loss.class_weights.rare` is \"4\"", "a number of at least 0"]),
    ] {
        let error = weights(value).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn a_key_of_another_loss_is_refused() {
    for (table, key) in [
        (json!({ "kind": "mse", "label_smoothing": 0.1 }), "`loss.label_smoothing`"),
        (json!({ "kind": "l1", "class_weights": [1] }), "`loss.class_weights`"),
        (json!({ "kind": "huber", "beta": 1 }), "`loss.beta`"),
        (json!({ "delta": 1 }), "`loss.delta`"),
    ] {
        let error = read(table).unwrap_err();
        assert!(error.contains(key) && error.contains("beside `kind = "), "{error}");
    }
    let error = read(json!({ "label_smooth": 0.1 })).unwrap_err();
    assert!(error.contains("did you mean `label_smoothing`?"), "{error}");
    let error = read(json!({ "kind": "huber", "delta": 0 })).unwrap_err();
    assert!(error.contains("`loss.delta` is 0"), "{error}");
}

#[test]
fn a_loss_that_the_model_cannot_have_is_refused() {
    let refused = |table, task| read(table).unwrap().check_task(task, "net").unwrap_err().to_string();
    let error = refused(json!({ "kind": "l1" }), Task::Classification);
    assert!(error.contains("`loss.kind` is \"l1\"") && error.contains("cross-entropy"), "{error}");
    let error = refused(json!({ "kind": "cross-entropy" }), Task::Regression);
    assert!(error.contains("`loss.kind`") && error.contains("huber"), "{error}");
    let error = refused(json!({ "class_weights": "balanced" }), Task::Reconstruction);
    assert!(error.contains("`loss.class_weights`"), "{error}");
}

#[test]
fn what_is_left_out_is_pytorchs_default() {
    let settled = read(json!({ "kind": "huber" })).unwrap().settled(Task::Regression);
    assert_eq!(settled, read(json!({ "kind": "huber", "delta": 1.0 })).unwrap());
    assert_eq!(LossConfig::default().settled(Task::Regression).kind, Some(LossKind::Mse));
}
