//! Weights that two layers share are one parameter: in one group, once, stepped once.

use serde_json::{Value, json};
use thaw_tests::{Run, Values, read_tensors, write_tensors};

use crate::model::{grouped, names};

const RATE: f64 = 0.5;
const SAMPLES: [(f32, i64); 3] = [(1.0, 0), (-0.5, 1), (2.0, 1)];
/// Fixed weights of the last layer: what class 0 and class 1 make of the product.
const OUT: [f32; 2] = [1.0, -0.25];

/// `logits = OUT * w * w * x`: two layers of one weight, then a fixed one.
fn run(more: &str) -> Run {
    let run = Run::new(&format!(
        "seed = 1\nplugins = [\"case_model\", \"backbone_finetuning\"]\n[model]\nid = \"case-model\"\ncase \
         = \"case.json\"\n\
         weights = \"weights.safetensors\"\n[data]\nkind = \"tensors\"\npath \
         = \"data.safetensors\"\nbatch_size = 3\nshuffle = false\n{more}"
    ));
    let linear = |name: &str, to: usize| {
        json!({ "name": name, "type": "Linear", "in_features": 1,
        "out_features": to, "bias": false })
    };
    let mut second = linear("backbone.1", 1);
    second["tied_to"] = json!("backbone.0");
    let modules = [
        json!({ "name": "backbone", "type": "Sequential" }),
        linear("backbone.0", 1),
        second,
        linear("head", 2),
    ];
    run.write("case.json", json!({ "model": { "kind": "mlp_bn" }, "modules": modules }).to_string());
    let (x, y): (Vec<f32>, Vec<i64>) = SAMPLES.iter().copied().unzip();
    write_tensors(
        &run.folder().join("data.safetensors"),
        &[("x", &[3, 1], Values::F32(&x)), ("y", &[3], Values::I64(&y))],
    )
    .unwrap();
    let start = Values::F32(&[0.75]);
    let weights = [
        ("backbone.0.weight", [1, 1], start),
        ("backbone.1.weight", [1, 1], start),
        ("head.weight", [2, 1], Values::F32(&OUT)),
    ];
    let weights = weights.each_ref().map(|(name, shape, values)| (*name, shape.as_slice(), *values));
    write_tensors(&run.folder().join("weights.safetensors"), &weights).unwrap();
    run
}

/// The weight after steps of gradient descent on the mean cross entropy, by hand.
fn by_hand(steps: usize) -> f64 {
    let mut weight = 0.75_f64;
    for _ in 0..steps {
        let mut gradient = 0.0;
        for (x, label) in SAMPLES {
            let x = f64::from(x);
            let logits = OUT.map(|out| f64::from(out) * weight * weight * x);
            let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
            for (class, out) in OUT.iter().enumerate() {
                let is_label = if class as i64 == label { 1.0 } else { 0.0 };
                gradient += (logits[class].exp() / sum - is_label) * f64::from(*out) * 2.0 * weight * x
                    / SAMPLES.len() as f64;
            }
        }
        weight -= RATE * gradient;
    }
    weight
}

fn assert_once(record: &Value) {
    assert_eq!(
        grouped(record).iter().filter(|name| name.starts_with("backbone")).collect::<Vec<_>>(),
        [&"backbone.0.weight"],
        "{record}"
    );
    assert_eq!(
        names(&record["trainable"]).iter().filter(|name| name.starts_with("backbone")).count(),
        1,
        "{record}"
    );
}

#[track_caller]
fn assert_stepped_once(run: &Run, steps: usize) {
    let last = read_tensors(&run.run_dir().join("checkpoints/last/model.safetensors")).unwrap();
    assert_eq!(last["backbone.0.weight"], last["backbone.1.weight"], "both names are in the checkpoint");
    let (found, expected) = (last["backbone.0.weight"][0], by_hand(steps));
    assert!((found - expected).abs() < 1e-6, "found {found}, expected {expected}");
}

#[test]
fn a_tied_weight_is_trained_once_under_its_first_name() {
    // Named by both names, and by a glob that fits both.
    for parameters in ["\"backbone.1\", \"backbone.0\"", "\"backbone.*.weight\""] {
        let run = run(&format!(
            "[optimizer]\nid = \"sgd\"\nlr = {RATE}\nparameters = [{parameters}]\n[trainer]\nmax_epochs = \
             4\naudit = \"warn\"\n"
        ));
        run.fit(&[]).succeeded();
        run.groups().iter().for_each(assert_once);
        assert_stepped_once(&run, 4);
    }
}

#[test]
fn a_tied_weight_joins_a_group_once_when_both_layers_thaw() {
    let run = run(&format!(
        "[optimizer]\nid = \"sgd\"\nlr = {RATE}\nweight_decay = 0.0\nparameters = \
         [\"head\"]\n[trainer]\nmax_epochs = 3\n\
         [[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 0\nbackbone_initial_lr = \
         {RATE}\n"
    ));
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    assert_once(&run.groups()[0]);
    assert_stepped_once(&run, 1);
    // And after a restart.
    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    run.groups().iter().for_each(assert_once);
    let state = read_tensors(&run.run_dir().join("checkpoints/last/model.safetensors")).unwrap();
    assert_eq!(state["backbone.0.weight"], state["backbone.1.weight"]);
}
