//! Recorded training runs of Lightning replayed over this optimizer: which parameters train, which groups
//! there are and which rate each step uses come from the trace; losses, norms and the final state are
//! computed and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::*;
use serde_json::Value;

/// Largest deviation allowed in losses, norms and states.
const TOLERANCE: f64 = 1e-5;

struct Case {
    folder: PathBuf,
    case: Value,
    state: BTreeMap<String, Tensor>,
}

impl Case {
    fn open(name: &str) -> Case {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/parity").join(name);
        let case = json(&folder.join("case.json"));
        let state = tensors(&folder.join("init.safetensors"));
        let parameters = json(&folder.join("trace.json"))["epochs"].as_array().unwrap().iter().fold(
            BTreeSet::new(),
            |mut all: BTreeSet<String>, epoch| {
                all.extend(strings(&epoch["requires_grad"]));
                all
            },
        );
        let state = state.into_iter().map(|(name, t)| {
            let t = if parameters.contains(&name) { t.set_requires_grad(true) } else { t };
            (name, t)
        });
        Case { folder, case, state: state.collect() }
    }

    fn get(&self, name: &str) -> Option<&Tensor> {
        self.state.get(name)
    }

    /// The models of the cases: layers of a sequential backbone in order, then the head.
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = x.shallow_clone();
        for module in self.case["modules"].as_array().unwrap() {
            let name = module["name"].as_str().unwrap();
            let own = |suffix: &str| self.get(&format!("{name}.{suffix}"));
            x = match module["type"].as_str().unwrap() {
                "Sequential" => x,
                "ReLU" => x.relu(),
                "Linear" => {
                    if x.dim() == 4 {
                        x = x.mean_dim([2, 3].as_slice(), false, Kind::Float);
                    }
                    x.linear(own("weight").unwrap(), own("bias"))
                }
                "Conv2d" => {
                    let number = |key: &str| module[key].as_i64().unwrap();
                    let (stride, padding) = ([number("stride"); 2], [number("padding"); 2]);
                    x.conv2d(own("weight").unwrap(), own("bias"), stride, padding, [1, 1], 1)
                }
                "BatchNorm1d" | "BatchNorm2d" => {
                    let (mean, var) = (own("running_mean"), own("running_var"));
                    let (momentum, eps) =
                        (module["momentum"].as_f64().unwrap(), module["eps"].as_f64().unwrap());
                    let _ = own("num_batches_tracked").unwrap().shallow_clone().g_add_scalar_(1);
                    x.batch_norm(own("weight"), own("bias"), mean, var, true, momentum, eps, false)
                }
                other => panic!("no layer for {other}"),
            };
        }
        x
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .unwrap()
}

fn tensors(path: &Path) -> BTreeMap<String, Tensor> {
    Tensor::read_safetensors(path).unwrap().into_iter().collect()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn optimizer_config(spec: &Value) -> OptimizerConfig {
    let mut table = spec.as_object().unwrap().clone();
    table.remove("parameters");
    let id = table.remove("name").unwrap().as_str().unwrap().to_lowercase();
    table.insert("id".to_owned(), id.into());
    serde_json::from_value(table.into()).unwrap()
}

fn close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= TOLERANCE, "{what}: {found}, expected {expected}");
}

fn replay(name: &str) {
    let case = Case::open(name);
    let trace = json(&case.folder.join("trace.json"));
    let data = tensors(&case.folder.join("data.safetensors"));
    let config = optimizer_config(&case.case["optimizer"]);
    let parameters = case.state.iter().filter(|(_, t)| t.requires_grad());
    let parameters =
        Parameters::new(parameters.map(|(n, t)| (n.clone(), t.shallow_clone())).collect::<Vec<_>>()).unwrap();
    let mut optimizer = Optimizer::new(config.clone(), Vec::new()).unwrap();
    let number = |key: &str| case.case[key].as_i64().unwrap();
    let (size, window, samples) =
        (number("batch_size"), number("accumulate_grad_batches"), number("samples"));
    for epoch in trace["epochs"].as_array().unwrap() {
        let trains = strings(&epoch["requires_grad"]);
        for (name, parameter) in parameters.iter() {
            let _ = parameter.set_requires_grad(trains.iter().any(|t| t == name));
        }
        let groups = epoch["groups"].as_array().unwrap().iter().enumerate().map(|(i, group)| ParamGroup {
            lr: group["lr"].as_f64().unwrap(),
            weight_decay: group["weight_decay"].as_f64().unwrap(),
            ..config.group(format!("group-{i}"), strings(&group["params"]))
        });
        optimizer.set_groups(groups.collect()).unwrap();
        for (batch, step) in epoch["steps"].as_array().unwrap().iter().enumerate() {
            let start = batch as i64 * size;
            let length = size.min(samples - start);
            for (group, lr) in optimizer.groups_mut().iter_mut().zip(step["lr"].as_array().unwrap()) {
                group.lr = lr.as_f64().unwrap();
            }
            if batch as i64 % window == 0 {
                optimizer.zero_grad(&parameters).unwrap();
            }
            let x = data["x"].narrow(0, start, length);
            let loss = case.forward(&x).cross_entropy_for_logits(&data["y"].narrow(0, start, length));
            (&loss / window as f64).backward();
            let at = format!("{name}, epoch {}, batch {batch}", epoch["epoch"]);
            close(loss.double_value(&[]), &step["loss"], &format!("{at}: loss"));
            if step["stepped"] == true {
                if let Some(max_norm) = case.case["gradient_clip_val"].as_f64() {
                    let norm = optimizer.clip(&parameters, Clip::Norm(max_norm), Reads::AtOnce).unwrap();
                    close(norm.unwrap().read().unwrap(), &step["grad_norm"], &format!("{at}: norm"));
                }
                optimizer.step(&parameters).unwrap();
            }
        }
    }
    for (tensor, expected) in tensors(&case.folder.join("final.safetensors")) {
        let difference =
            (case.get(&tensor).unwrap().to_kind(Kind::Double) - expected.to_kind(Kind::Double)).abs().max();
        let difference = difference.double_value(&[]);
        assert!(difference <= TOLERANCE, "{name}: {tensor} is off by {difference:e}");
    }
}

#[test]
fn sgd_with_nesterov_and_weight_decay_trains_as_recorded() {
    replay("bb_sgd_nesterov");
}

#[test]
fn accumulation_with_clipping_trains_as_recorded() {
    replay("bb_accumulate2_clip");
}

#[test]
fn adam_with_a_group_that_joins_later_trains_as_recorded() {
    replay("bb_docs_lambda15");
}

#[test]
fn adamw_on_convolutions_trains_as_recorded() {
    replay("bb_adamw_conv");
}
