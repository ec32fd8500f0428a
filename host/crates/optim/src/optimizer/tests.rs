//! Held against the published update rules in `f64`, and against Lightning's recorded runs (`replay`).

use super::*;
use tch::{Device, Kind, Tensor};
use thaw_torch::reading::Reads;

mod replay;
mod rules;

/// A leaf that trains.
pub(super) fn parameter(values: &[f64]) -> Tensor {
    Tensor::from_slice(values).to_kind(Kind::Float).set_requires_grad(true)
}

/// Gives a parameter this gradient and no other.
pub(super) fn set_grad(parameter: &Tensor, grad: &[f64]) {
    let grad = Tensor::from_slice(grad).to_kind(parameter.kind()).view_as(parameter);
    let mut old = parameter.grad();
    if old.defined() {
        let _ = old.zero_();
    }
    (parameter * grad).sum(parameter.kind()).backward();
}

pub(super) fn values(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.detach().to_kind(Kind::Double).contiguous().view([-1])).unwrap()
}

fn config(toml: &str) -> OptimizerConfig {
    toml::from_str(toml).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn two_parameters() -> Parameters {
    Parameters::new([("a".to_owned(), parameter(&[1.0, 2.0])), ("b".to_owned(), parameter(&[3.0]))]).unwrap()
}

fn adam_over(members: &[&str]) -> Optimizer {
    let config = config("id = 'adam'\nlr = 0.1");
    let group = config.group("all", names(members));
    Optimizer::new(config, vec![group]).unwrap()
}

#[test]
fn another_optimizer_in_its_place_starts_without_state_and_without_options_of_groups() {
    let run =
        OptimizerConfig { lr: 0.3, weight_decay: 0.2, ..OptimizerConfig::default_for("adamw").unwrap() };
    let settings = [("momentum".to_owned(), 0.5), ("nesterov".to_owned(), 1.0)].into();
    let config = run.replaced_by("sgd", settings).unwrap();
    let Algorithm::Sgd { momentum, nesterov, .. } = config.algorithm else { panic!("{config:?}") };
    assert_eq!((momentum, nesterov, config.lr, config.weight_decay), (0.5, true, 0.3, 0.2));
    let error = |id: &str, option: &str| {
        run.replaced_by(id, [(option.to_owned(), 0.5)].into()).unwrap_err().to_string()
    };
    assert!(error("sdg", "momentum").contains("did you mean `sgd`?"));
    assert!(error("sgd", "beta1").contains("beta1"));

    let group =
        ParamGroup { options: [("eps".to_owned(), 1e-3)].into(), ..run.group("all", vec!["w".to_owned()]) };
    let mut optimizer = Optimizer::new(run, vec![group]).unwrap();
    let moment = |name: &str| (format!("w/{name}"), Tensor::from_slice(&[0.5_f32]));
    optimizer.load_state_dict(["step", "exp_avg", "exp_avg_sq"].map(moment)).unwrap();
    optimizer.replace(config).unwrap();
    assert!(optimizer.state_dict().is_empty());
    assert!(optimizer.groups()[0].options.is_empty() && optimizer.groups()[0].lr == 0.3);
}

#[test]
fn parameters_without_a_gradient_are_left_out_of_everything() {
    for toml in ["id='sgd'\nlr=0.1\nmomentum=0.9\nweight_decay=0.5", "id='adamw'\nlr=0.1\nweight_decay=0.5"] {
        let parameters = two_parameters();
        let config = config(toml);
        let group = config.group("all", names(&["a", "b"]));
        let mut optimizer = Optimizer::new(config, vec![group]).unwrap();
        set_grad(parameters.get("a").unwrap(), &[1.0, 1.0]);
        optimizer.step(&parameters).unwrap();
        assert_ne!(values(parameters.get("a").unwrap()), [1.0, 2.0]);
        assert_eq!(values(parameters.get("b").unwrap()), [3.0], "no weight decay without a gradient");
        assert!(
            optimizer.state_dict().iter().all(|(name, _)| name.starts_with("a/")),
            "no state without a gradient"
        );
    }
}

#[test]
fn zeroed_gradients_keep_parameters_still() {
    let parameters = two_parameters();
    let mut optimizer = adam_over(&["a", "b"]);
    set_grad(parameters.get("a").unwrap(), &[1.0, 1.0]);
    optimizer.zero_grad(&parameters).unwrap();
    optimizer.step(&parameters).unwrap();
    assert_eq!(values(parameters.get("a").unwrap()), [1.0, 2.0]);
}

#[test]
fn state_stays_with_a_parameter_that_changes_group() {
    let parameters = two_parameters();
    let mut optimizer = adam_over(&["a", "b"]);
    let step = |optimizer: &mut Optimizer| {
        set_grad(parameters.get("a").unwrap(), &[1.0, 2.0]);
        set_grad(parameters.get("b").unwrap(), &[1.0]);
        optimizer.step(&parameters).unwrap();
    };
    step(&mut optimizer);
    let config = optimizer.config().clone();
    optimizer.set_groups(vec![config.group("b", names(&["b"])), config.group("a", names(&["a"]))]).unwrap();
    step(&mut optimizer);
    optimizer.groups_mut()[0].parameters.clear();
    step(&mut optimizer);
    let count = |name: &str| {
        let state = optimizer.state_dict();
        values(&state.iter().find(|(n, _)| n == name).unwrap().1)[0]
    };
    assert_eq!((count("a/step"), count("b/step")), (3.0, 2.0));
}

#[test]
fn a_loaded_state_continues_bit_for_bit() {
    for toml in [
        "id='sgd'\nlr=0.1\nmomentum=0.9\ndampening=0.1",
        "id='adam'\nlr=0.1\namsgrad=true",
        "id='adamw'\nlr=0.1",
    ] {
        let config = config(toml);
        let start = two_parameters();
        let run = |parameters: &Parameters, optimizer: &mut Optimizer, from: usize, to: usize| {
            for i in from..to {
                set_grad(parameters.get("a").unwrap(), &[(i as f64).sin(), 0.5]);
                set_grad(parameters.get("b").unwrap(), &[(i as f64).cos()]);
                optimizer.step(parameters).unwrap();
            }
        };
        let group = || vec![config.group("all", names(&["a", "b"]))];
        let mut straight = Optimizer::new(config.clone(), group()).unwrap();
        run(&start, &mut straight, 0, 3);
        let saved: Vec<_> = straight.state_dict().into_iter().map(|(n, t)| (n, t.copy())).collect();
        let copies = start.iter().map(|(n, t)| (n.to_owned(), t.detach().copy().set_requires_grad(true)));
        let resumed_parameters = Parameters::new(copies.collect::<Vec<_>>()).unwrap();
        let mut resumed = Optimizer::new(config.clone(), group()).unwrap();
        resumed.load_state_dict(saved).unwrap();
        run(&start, &mut straight, 3, 6);
        run(&resumed_parameters, &mut resumed, 3, 6);
        for ((name, a), (_, b)) in start.iter().zip(resumed_parameters.iter()) {
            assert_eq!(values(a), values(b), "{name} under {toml}");
        }
        for ((name, a), (other, b)) in straight.state_dict().iter().zip(&resumed.state_dict()) {
            assert_eq!((name, values(a)), (other, values(b)));
        }
    }
}

#[test]
fn state_names_and_types_are_those_of_pytorch() {
    let parameters = two_parameters();
    let mut optimizer = adam_over(&["a"]);
    set_grad(parameters.get("a").unwrap(), &[1.0, 1.0]);
    optimizer.step(&parameters).unwrap();
    let state = optimizer.state_dict();
    assert_eq!(
        state.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(),
        ["a/exp_avg", "a/exp_avg_sq", "a/step"]
    );
    assert_eq!((state[2].1.size(), state[2].1.kind()), (vec![], Kind::Float));
}

#[test]
fn states_that_do_not_belong_are_refused_by_name() {
    let mut optimizer = adam_over(&["a", "b"]);
    let one = |name: &str, shape: &[i64]| (name.to_owned(), Tensor::zeros(shape, (Kind::Float, Device::Cpu)));
    for (state, expected) in [
        (
            vec![one("a/momentum_buffer", &[2])],
            "optimizer state \"a/momentum_buffer\": adam has no such state",
        ),
        (vec![one("exp_avg", &[2])], "optimizer state \"exp_avg\": adam has no such state"),
        (vec![one("a/exp_avg", &[2])], "optimizer state \"a/step\": it is missing"),
        (vec![one("a/step", &[2])], "optimizer state \"a/step\": its shape is [2], expected a single number"),
    ] {
        let error = optimizer.load_state_dict(state).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let wrong = vec![one("a/step", &[1]), one("a/exp_avg", &[3]), one("a/exp_avg_sq", &[2])];
    optimizer.load_state_dict(wrong).unwrap();
    let error = optimizer.step(&two_parameters()).unwrap_err().to_string();
    assert!(error.contains("\"a/exp_avg\": its shape is [3], the parameter asks for [2]"), "{error}");
}

#[test]
fn groups_are_checked() {
    let config = config("id = 'adam'");
    let group = |name: &str, members: &[&str]| config.group(name, names(members));
    let refused = |groups: Vec<ParamGroup>| Optimizer::new(config.clone(), groups).unwrap_err().to_string();
    assert!(refused(vec![group("a", &[]), group("a", &[])]).contains("two parameter groups are named \"a\""));
    let twice = refused(vec![group("x", &["a"]), group("y", &["a"])]);
    assert!(twice.contains("parameter \"a\" is in group \"x\" and again in group \"y\""), "{twice}");
    let option = |key: &str, value: f64| {
        let mut group = group("head", &["a"]);
        group.options.insert(key.to_owned(), value);
        refused(vec![group])
    };
    assert!(
        option("beta", 0.5)
            .contains("parameter group \"head\", beta: found an unknown option, expected one of beta1")
    );
    assert!(option("beta1", 1.0).contains("\"head\", beta1: found 1, expected 0 or more and below 1"));
    assert!(option("amsgrad", 0.5).contains("expected 0 (off) or 1 (on)"));
    assert!(refused(vec![ParamGroup { lr: f64::NAN, ..group("g", &[]) }]).contains("\"g\", lr: found NaN"));
}

#[test]
fn a_name_the_model_does_not_have_is_an_error_with_the_nearest() {
    let error = adam_over(&["a", "bb"]).step(&two_parameters()).unwrap_err().to_string();
    assert!(
        error.contains("group \"all\" names \"bb\", which the model does not have; did you mean `b`?"),
        "{error}"
    );
}

#[test]
fn a_rate_changed_between_steps_holds_from_the_next_one() {
    let parameters = two_parameters();
    let config = config("id = 'sgd'\nlr = 1.0");
    let group = config.group("all", names(&["b"]));
    let mut optimizer = Optimizer::new(config, vec![group]).unwrap();
    for (lr, expected) in [(1.0, 2.0), (0.5, 1.5), (0.0, 1.5)] {
        optimizer.groups_mut()[0].lr = lr;
        set_grad(parameters.get("b").unwrap(), &[1.0]);
        optimizer.step(&parameters).unwrap();
        assert_eq!(values(parameters.get("b").unwrap()), [expected]);
    }
    optimizer.groups_mut()[0].lr = f64::INFINITY;
    assert!(optimizer.step(&parameters).is_err());
}

#[test]
fn clipping_covers_the_groups_parameters_only() {
    let parameters = two_parameters();
    set_grad(parameters.get("a").unwrap(), &[3.0, 4.0]);
    set_grad(parameters.get("b").unwrap(), &[100.0]);
    let mut optimizer = adam_over(&["a"]);
    let norm = optimizer.clip(&parameters, Clip::Norm(1.0), Reads::AtOnce).unwrap();
    assert!((norm.unwrap().read().unwrap() - 5.0).abs() < 1e-6);
    let clipped = values(&parameters.get("a").unwrap().grad());
    assert!((clipped[0] - 0.6).abs() < 1e-5 && (clipped[1] - 0.8).abs() < 1e-5, "{clipped:?}");
    assert_eq!(values(&parameters.get("b").unwrap().grad()), [100.0]);
    assert!(optimizer.clip(&parameters, Clip::Value(0.25), Reads::AtOnce).unwrap().is_none());
    assert_eq!(values(&parameters.get("a").unwrap().grad()), [0.25, 0.25]);
}

#[test]
fn loss_scaling_is_undone_before_a_step() {
    let parameters = two_parameters();
    set_grad(parameters.get("a").unwrap(), &[8.0, 16.0]);
    let mut optimizer = adam_over(&["a", "b"]);
    let found_inf = Tensor::zeros([0; 0], (Kind::Float, Device::Cpu));
    optimizer.unscale(&parameters, 8.0, None, &found_inf).unwrap();
    assert_eq!(found_inf.double_value(&[]), 0.0);
    assert_eq!(values(&parameters.get("a").unwrap().grad()), [1.0, 2.0]);
    set_grad(parameters.get("b").unwrap(), &[f64::INFINITY]);
    optimizer.unscale(&parameters, 8.0, None, &found_inf).unwrap();
    assert_eq!(found_inf.double_value(&[]), 1.0);
    let before = values(parameters.get("a").unwrap());
    optimizer.step_unless(&parameters, Some(&found_inf)).unwrap();
    assert_eq!(values(parameters.get("a").unwrap()), before, "the step is left out");
}
