//! The update rules as published, one number at a time in `f64`: SGD with PyTorch's momentum (Sutskever et
//! al. 2013 as in its documentation), Adam (Kingma and Ba 2015, algorithm 1), AMSGrad (Reddi et al. 2018),
//! AdamW (Loshchilov and Hutter 2019).

use super::*;

/// One number under a rule.
#[derive(Clone, Default)]
struct Cell {
    value: f64,
    buffer: Option<f64>,
    m: f64,
    v: f64,
    v_max: f64,
    t: i32,
}

#[derive(Clone, Copy)]
enum Rule {
    Sgd { momentum: f64, dampening: f64, nesterov: bool },
    Adam { betas: [f64; 2], eps: f64, amsgrad: bool, decoupled: bool },
}

struct Setting {
    rule: Rule,
    lr: f64,
    weight_decay: f64,
    maximize: bool,
}

impl Setting {
    fn update(&self, cell: &mut Cell, grad: f64) {
        let mut g = if self.maximize { -grad } else { grad };
        match self.rule {
            Rule::Sgd { momentum, dampening, nesterov } => {
                g += self.weight_decay * cell.value;
                if momentum != 0.0 {
                    let buffer = cell.buffer.map_or(g, |b| momentum * b + (1.0 - dampening) * g);
                    cell.buffer = Some(buffer);
                    g = if nesterov { g + momentum * buffer } else { buffer };
                }
                cell.value -= self.lr * g;
            }
            Rule::Adam { betas, eps, amsgrad, decoupled } => {
                if decoupled {
                    cell.value -= self.lr * self.weight_decay * cell.value;
                } else {
                    g += self.weight_decay * cell.value;
                }
                cell.t += 1;
                cell.m = betas[0] * cell.m + (1.0 - betas[0]) * g;
                cell.v = betas[1] * cell.v + (1.0 - betas[1]) * g * g;
                cell.v_max = cell.v_max.max(cell.v);
                let m = cell.m / (1.0 - betas[0].powi(cell.t));
                let v = if amsgrad { cell.v_max } else { cell.v } / (1.0 - betas[1].powi(cell.t));
                cell.value -= self.lr * m / (v.sqrt() + eps);
            }
        }
    }
}

/// Gradients that change sign and size.
fn gradient(step: usize, index: usize) -> f64 {
    ((step * 7 + index * 3) as f64 * 0.9).sin() * (1.0 + index as f64 * 0.3)
}

/// 20 steps of two parameters, the second of which gets its first gradient at step 6 and none at every fifth;
/// the rate is halved at step 10. Compared with the rule on each number.
fn agrees(toml: &str, setting: impl Fn(f64) -> Setting) {
    let config = config(toml);
    let lr = config.lr;
    let start = [0.5, -1.0, 2.0, 0.25, -0.75];
    let parameters =
        Parameters::new([("a".to_owned(), parameter(&start[..3])), ("b".to_owned(), parameter(&start[3..]))])
            .unwrap();
    let group = config.group("all", names(&["a", "b"]));
    let mut optimizer = Optimizer::new(config, vec![group]).unwrap();
    let mut cells: Vec<Cell> = start.iter().map(|&value| Cell { value, ..Cell::default() }).collect();
    for step in 0..20 {
        let rate = if step < 10 { lr } else { lr / 2.0 };
        optimizer.groups_mut()[0].lr = rate;
        optimizer.zero_grad(&parameters).unwrap();
        let count = if step < 6 || step % 5 == 0 { 3 } else { 5 };
        let grads: Vec<f64> = (0..count).map(|i| gradient(step, i)).collect();
        set_grad(parameters.get("a").unwrap(), &grads[..3]);
        if count == 5 {
            set_grad(parameters.get("b").unwrap(), &grads[3..]);
        }
        optimizer.step(&parameters).unwrap();
        for (cell, &grad) in cells.iter_mut().zip(&grads) {
            setting(rate).update(cell, grad);
        }
        let found = [values(parameters.get("a").unwrap()), values(parameters.get("b").unwrap())].concat();
        for (i, (found, cell)) in found.iter().zip(&cells).enumerate() {
            let error = (found - cell.value).abs();
            assert!(
                error < 1e-6,
                "{toml}: step {step}, number {i}: {found}, expected {} ({error:e})",
                cell.value
            );
        }
    }
}

#[test]
fn sgd_follows_its_rule() {
    for (toml, momentum, dampening, nesterov, weight_decay, maximize) in [
        ("", 0.0, 0.0, false, 0.0, false),
        ("weight_decay = 0.1", 0.0, 0.0, false, 0.1, false),
        ("momentum = 0.9", 0.9, 0.0, false, 0.0, false),
        ("momentum = 0.9\ndampening = 0.5\nweight_decay = 0.01", 0.9, 0.5, false, 0.01, false),
        ("momentum = 0.8\nnesterov = true\nweight_decay = 0.01", 0.8, 0.0, true, 0.01, false),
        ("momentum = 0.8\nmaximize = true", 0.8, 0.0, false, 0.0, true),
    ] {
        agrees(&format!("id = 'sgd'\nlr = 0.05\n{toml}"), |lr| Setting {
            rule: Rule::Sgd { momentum, dampening, nesterov },
            lr,
            weight_decay,
            maximize,
        });
    }
}

#[test]
fn adam_and_adamw_follow_their_rules() {
    for (toml, betas, eps, amsgrad, weight_decay, maximize) in [
        ("weight_decay = 0.0", [0.9, 0.999], 1e-8, false, 0.0, false),
        ("weight_decay = 0.1", [0.9, 0.999], 1e-8, false, 0.1, false),
        ("weight_decay = 0.05\nbetas = [0.7, 0.9]\neps = 1e-3", [0.7, 0.9], 1e-3, false, 0.05, false),
        ("weight_decay = 0.05\namsgrad = true\nbetas = [0.5, 0.6]", [0.5, 0.6], 1e-8, true, 0.05, false),
        ("weight_decay = 0.0\nmaximize = true", [0.9, 0.999], 1e-8, false, 0.0, true),
    ] {
        for (id, decoupled) in [("adam", false), ("adamw", true)] {
            agrees(&format!("id = '{id}'\nlr = 0.01\n{toml}"), |lr| Setting {
                rule: Rule::Adam { betas, eps, amsgrad, decoupled },
                lr,
                weight_decay,
                maximize,
            });
        }
    }
}

#[test]
fn options_of_a_group_win_over_the_optimizers() {
    let config = config("id = 'sgd'\nlr = 0.1\nmomentum = 0.9");
    let parameters = two_parameters();
    let mut plain = config.group("plain", names(&["a"]));
    plain.options.insert("momentum".to_owned(), 0.0);
    let mut optimizer =
        Optimizer::new(config.clone(), vec![plain, config.group("heavy", names(&["b"]))]).unwrap();
    for _ in 0..2 {
        set_grad(parameters.get("a").unwrap(), &[1.0, 1.0]);
        set_grad(parameters.get("b").unwrap(), &[1.0]);
        optimizer.step(&parameters).unwrap();
    }
    // Without momentum 2 * 0.1, with it 0.1 * (1 + 1.9).
    assert!((values(parameters.get("a").unwrap())[0] - 0.8).abs() < 1e-6);
    assert!((values(parameters.get("b").unwrap())[0] - 2.71).abs() < 1e-6);
    assert_eq!(
        optimizer.state_dict().iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(),
        ["b/momentum_buffer"]
    );
}

#[test]
fn amsgrad_turned_on_later_starts_from_nothing() {
    let config = config("id = 'adam'\nlr = 0.1");
    let parameters = two_parameters();
    let group = config.group("all", names(&["a", "b"]));
    let mut optimizer = Optimizer::new(config, vec![group]).unwrap();
    set_grad(parameters.get("a").unwrap(), &[1.0, 1.0]);
    set_grad(parameters.get("b").unwrap(), &[1.0]);
    optimizer.step(&parameters).unwrap();
    optimizer.zero_grad(&parameters).unwrap();
    set_grad(parameters.get("a").unwrap(), &[1.0, 1.0]);
    optimizer.groups_mut()[0].options.insert("amsgrad".to_owned(), 1.0);
    optimizer.step(&parameters).unwrap();
    assert!(optimizer.state_dict().iter().any(|(name, _)| name == "a/max_exp_avg_sq"));
}

/// A 2x3x2x2 weight in two memory layouts, with a gradient in a third, gives the same numbers.
#[test]
fn memory_layout_does_not_matter() {
    let count = 2 * 3 * 2 * 2;
    let start = Tensor::arange(count, (Kind::Float, Device::Cpu)).view([2, 3, 2, 2]) / 10.0;
    let factors = (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.7).sin().view([2, 3, 2, 2]);
    let channels_last = |t: &Tensor| thaw_torch::layout::channels_last(t).unwrap();
    let with_gaps = |t: &Tensor| {
        let wide = Tensor::zeros([2, 3, 2, 4], (Kind::Float, Device::Cpu));
        let mut narrow = wide.narrow(3, 1, 2);
        narrow.copy_(t);
        narrow
    };
    for toml in ["id='sgd'\nlr=0.1\nmomentum=0.9", "id='adamw'\nlr=0.1\namsgrad=true"] {
        let run = |weight: Tensor, convert_later: bool| {
            let weight = weight.set_requires_grad(true);
            let parameters = Parameters::new([("w".to_owned(), weight.shallow_clone())]).unwrap();
            let config = config(toml);
            let group = config.group("all", names(&["w"]));
            let mut optimizer = Optimizer::new(config, vec![group]).unwrap();
            for step in 0..4 {
                if convert_later && step == 2 {
                    thaw_torch::layout::make_channels_last(&mut weight.shallow_clone()).unwrap();
                }
                optimizer.zero_grad(&parameters).unwrap();
                (&weight * &factors).sum(Kind::Float).backward();
                optimizer.step(&parameters).unwrap();
            }
            values(&weight)
        };
        let expected = run(start.copy(), false);
        assert_eq!(run(channels_last(&start), false), expected, "channels last under {toml}");
        assert_eq!(run(with_gaps(&start), false), expected, "memory with gaps under {toml}");
        assert_eq!(run(start.copy(), true), expected, "converted between two steps under {toml}");
    }
}
