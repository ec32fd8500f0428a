//! Trains a tch model on data of its own: first the head alone, then everything.

use thaw_backbone_finetuning::BackboneFinetuning;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::nn::{self as layers, Module as _, VarStore};
use thaw_plugin_api::{serde_json::json, tch::Device, this_program};
use thaw_train::trainer::Trainer;

/// Neither has settings.
#[derive(Config)]
struct Nothing {}
struct Net(layers::Sequential, layers::Linear);
impl Model for Net {
    const ID: &'static str = "net";
    type Config = Nothing;
    fn new(_: Nothing, root: &nn::Path) -> Result<Self> {
        let vs = VarStore::new(Device::Cpu);
        let first = layers::linear(vs.root() / "backbone" / 0, 2, 16, Default::default());
        let head = layers::linear(vs.root() / "head", 16, 2, Default::default());
        root.var_store(&vs)?;
        Ok(Self(layers::seq().add(first).add_fn(|x| x.tanh()), head))
    }
    fn forward(&self, inputs: Tensors) -> Result<Tensors> {
        inputs.map_first(|x| Ok(self.1.forward(&self.0.forward(x))))
    }
}
/// Points of a square, by whether they lie in a circle.
struct Circle;
impl Dataset for Circle {
    const ID: &'static str = "circle";
    type Config = Nothing;
    fn new(_: Nothing) -> Result<Self> {
        Ok(Self)
    }
    fn form(&self) -> Form {
        Form::array("x", Dtype::F32, [2])
    }
    fn class_names(&self) -> Vec<String> {
        ["outside", "inside"].map(String::from).to_vec()
    }
    fn len(&self, split: Split) -> Option<usize> {
        (split == Split::Train).then_some(1024)
    }
    fn get(&self, _: Split, index: usize) -> Result<Sample> {
        let point = [(index % 32) as f32 / 16.0 - 1.0, (index / 32) as f32 / 16.0 - 1.0];
        Ok(Sample::array("x", Array::new([2], &point)?).class(usize::from(point[0].hypot(point[1]) < 0.8)))
    }
}
fn main() -> std::result::Result<(), thaw_train::Error> {
    let config = json!({
        "model": { "id": "net" }, "trainer": { "max_epochs": 12 },
        "data": { "kind": "plugin", "id": "circle", "val_split": 0.2 },
        "optimizer": { "id": "adam", "lr": 0.03, "parameters": ["head"] },
        "callbacks": [{ "id": "backbone-finetuning", "unfreeze_backbone_at_epoch": 2 }],
    });
    let program = this_program!(models: [Net], datasets: [Circle], strategies: [BackboneFinetuning]);
    let outcome = Trainer::new(program, config)?.fit()?;
    println!("{} steps; the best checkpoint is {:?}", outcome.global_step, outcome.best);
    Ok(())
}
