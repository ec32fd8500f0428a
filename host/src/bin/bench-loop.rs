//! Measures the training loop: `bench-loop bare|host|two STEPS` prints microseconds per step.
//!
//! Both train a 32→32→2 perceptron on batches of 2 with Adam, over the same kernels and the same data. `bare`
//! is the least that can be written by hand; `host` is the program's loop, with the model and a strategy
//! loaded as plugins, metrics written and progress kept. `two` is that in two processes, each of which has
//! batches of 2.

use std::error::Error;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tch::{Device, Kind, Reduction, Tensor};
use thaw_host::progress::Terminal;
use thaw_optim::optimizer::{Optimizer, OptimizerConfig, Parameters};
use thaw_plugins::{PluginSet, SearchPath};
use thaw_torch::distributed::Wire;
use thaw_train::config::RunConfig;
use thaw_train::fit::events::Observer;
use thaw_train::fit::{Fit, FitOptions};
use thaw_train::run_dir::Place;
use thaw_train::together;
use thaw_train::world::{Launch, Terms, World};
use thaw_weights::{WriteOptions, write_safetensors};

const SAMPLES: i64 = 4000;
const FEATURES: i64 = 32;
const CLASSES: i64 = 2;
const BATCH: i64 = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (variant, steps, port) = match arguments.as_slice() {
        [variant, steps] => (variant, steps, None),
        [variant, steps, port] => (variant, steps, Some(port.parse()?)),
        _ => return Err("usage: bench-loop bare|host|two STEPS".into()),
    };
    let steps: usize = steps.parse()?;
    thaw_torch::init()?;
    tch::set_num_threads(1);
    thaw_torch::manual_seed(0)?;
    let x = Tensor::f_randn([SAMPLES, FEATURES], (Kind::Float, Device::Cpu))?;
    let y = Tensor::f_randint(CLASSES, [SAMPLES], (Kind::Int64, Device::Cpu))?;
    let microseconds = match variant.as_str() {
        "bare" => bare(&x, &y, steps)?,
        "host" => host(x, y, steps, &World::single())?,
        "two" => two(x, y, steps)?,
        "second" => host(x, y, steps, &meet(1, port.ok_or("the second process needs a port")?)?)?,
        other => return Err(format!("unknown variant `{other}`").into()),
    };
    println!("{microseconds:.3}");
    Ok(())
}

/// A parameter of a linear layer, with PyTorch's initial values.
fn parameter(shape: &[i64]) -> Result<Tensor, tch::TchError> {
    let bound = 1.0 / (FEATURES as f64).sqrt();
    Tensor::f_empty(shape, (Kind::Float, Device::Cpu))?.f_uniform_(-bound, bound)?.f_set_requires_grad(true)
}

fn bare(x: &Tensor, y: &Tensor, steps: usize) -> Result<f64, Box<dyn Error>> {
    let names = ["backbone.0.weight", "backbone.0.bias", "head.weight", "head.bias"];
    let weights = [
        parameter(&[FEATURES, FEATURES])?,
        parameter(&[FEATURES])?,
        parameter(&[CLASSES, FEATURES])?,
        parameter(&[CLASSES])?,
    ];
    let named = names.iter().zip(&weights).map(|(name, tensor)| ((*name).to_owned(), tensor.shallow_clone()));
    let parameters = Parameters::new(named)?;
    let config: OptimizerConfig = serde_json::from_value(json!({ "id": "adam", "lr": 1e-3 }))?;
    let group = config.group("default", names.map(str::to_owned).to_vec());
    let mut optimizer = Optimizer::new(config, vec![group])?;
    let mut sum = 0.0;
    let start = Instant::now();
    for step in 0..steps as i64 {
        let first = step * BATCH % SAMPLES;
        let (x, y) = (x.f_narrow(0, first, BATCH)?, y.f_narrow(0, first, BATCH)?);
        optimizer.zero_grad(&parameters)?;
        let hidden = x.f_linear(&weights[0], Some(&weights[1]))?.f_relu()?;
        let logits = hidden.f_linear(&weights[2], Some(&weights[3]))?;
        let loss = logits.f_cross_entropy_loss(&y, None::<Tensor>, Reduction::Mean, -100, 0.0)?;
        loss.f_backward()?;
        optimizer.step(&parameters)?;
        sum += loss.f_double_value(&[])?;
    }
    let elapsed = start.elapsed();
    eprintln!("mean loss {:.4}", sum / steps as f64);
    Ok(elapsed.as_secs_f64() * 1e6 / steps as f64)
}

/// In this process and another one.
fn two(x: Tensor, y: Tensor, steps: usize) -> Result<f64, Box<dyn Error>> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut second = Command::new(std::env::current_exe()?);
    let mut second =
        second.args(["second", &steps.to_string(), &port.to_string()]).stdout(Stdio::null()).spawn()?;
    let result = meet(0, port).and_then(|world| host(x, y, steps, &world));
    if result.is_err() {
        second.kill()?;
    }
    second.wait()?;
    result
}

fn meet(rank: usize, master_port: u16) -> Result<World, Box<dyn Error>> {
    let launch = Launch {
        rank,
        world_size: 2,
        local_rank: rank,
        local_world_size: Some(2),
        master_addr: "127.0.0.1".to_owned(),
        master_port,
        has_agent_store: false,
        restarts: 0,
    };
    let (timeout, bucket_bytes, wire) = (Duration::from_secs(60), 25 << 20, Wire::Exact);
    Ok(World::join(launch, Terms { timeout, bucket_bytes, wire })?)
}

fn host(x: Tensor, y: Tensor, steps: usize, world: &World) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data.safetensors");
    write_safetensors(
        &data,
        &[("x".to_owned(), x), ("y".to_owned(), y)],
        &Default::default(),
        &WriteOptions::default(),
    )?;
    let case = folder.path().join("case.json");
    std::fs::write(&case, perceptron().to_string())?;
    let steps_per_epoch = (SAMPLES / BATCH) as usize / world.size();
    let table = json!({
        "plugins": ["case_model", "backbone_finetuning"],
        "model": { "id": "case-model", "case": case },
        "data": { "kind": "tensors", "path": data, "batch_size": BATCH },
        "optimizer": { "id": "adam", "lr": 1e-3 },
        "callbacks": [{ "id": "backbone-finetuning", "unfreeze_backbone_at_epoch": 0 }],
        "trainer": { "max_epochs": steps.div_ceil(steps_per_epoch), "max_steps": steps, "device": "cpu",
            "threads": 1 },
    });
    let config = RunConfig::from_table(Path::new("bench.toml"), table, &[])?;
    let search = SearchPath::of_process(&[]);
    let plugins =
        PluginSet::load(config.plugins.iter().map(|entry| entry.path.as_str()), &search, Path::new(""))?;
    let place = Place::Given(folder.path().join("run"));
    let observers: Vec<Box<dyn Observer>> =
        if world.is_first() { vec![Box::new(Terminal::new())] } else { Vec::new() };
    let options = FitOptions { observers, world: world.clone(), ..FitOptions::new(place) };
    Ok(together::run(world, || {
        let mut fit = Fit::build(config, plugins, Device::Cpu, options)?;
        let start = Instant::now();
        let outcome = fit.run()?;
        let elapsed = start.elapsed();
        Ok(elapsed.as_secs_f64() * 1e6 / outcome.global_step as f64)
    })?)
}

/// The perceptron, as the test model reads it.
fn perceptron() -> serde_json::Value {
    json!({
        "model": { "kind": "mlp_bn" },
        "modules": [
            { "name": "backbone", "type": "Sequential" },
            { "name": "backbone.0", "type": "Linear", "in_features": FEATURES, "out_features": FEATURES,
                "bias": true },
            { "name": "backbone.1", "type": "ReLU" },
            { "name": "head", "type": "Linear", "in_features": FEATURES, "out_features": CLASSES,
                "bias": true },
        ],
    })
}
