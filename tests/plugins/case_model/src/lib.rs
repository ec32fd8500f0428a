//! Builds the models of reference cases from the module list in their `case.json`.

mod layer;

use std::path::{Path, PathBuf};

use layer::{Layer, ModuleEntry, Weights};
use serde::Deserialize;
use thaw_plugin_api::nn::Module as _;
use thaw_plugin_api::prelude::*;

/// A model of a reference case.
#[derive(Config)]
struct CaseConfig {
    /// The case's `case.json`.
    case: PathBuf,
    /// What it is trained for.
    #[config(default = CaseTask::Classification)]
    task: CaseTask,
}

/// A task, by its name.
#[derive(Clone, Copy, Config)]
enum CaseTask {
    /// Classes.
    Classification,
    /// Numbers.
    Regression,
}

#[derive(Deserialize)]
struct Case {
    model: Spec,
    modules: Vec<ModuleEntry>,
}

#[derive(Deserialize)]
struct Spec {
    kind: String,
}

fn read_case(path: &Path) -> Result<Case> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::from(error).context(path.display()))?;
    serde_json::from_str(&text).map_err(|error| Error::from(error).context(path.display()))
}

struct CaseModel {
    kind: String,
    task: CaseTask,
    /// Leaf modules by path, in registration order.
    layers: Vec<(String, Layer)>,
}

impl CaseModel {
    /// Runs the leaves below a module one after the other.
    fn run(
        &self,
        module: &str,
        input: &thaw_plugin_api::tch::Tensor,
    ) -> Result<thaw_plugin_api::tch::Tensor> {
        let is_within = |path: &str| {
            path == module || path.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'))
        };
        let layers = self.layers.iter().filter(|(path, _)| is_within(path));
        layers.map(|(_, layer)| layer).try_fold(input.shallow_clone(), |input, layer| layer.forward(&input))
    }
}

impl Model for CaseModel {
    const ID: &'static str = "case-model";
    type Config = CaseConfig;

    fn new(config: CaseConfig, root: &nn::Path) -> Result<Self> {
        let case: Case = read_case(&config.case)?;
        let kind = case.model.kind.as_str();
        ensure!(
            ["mlp_bn", "conv_bn", "layers", "nested"].contains(&kind),
            "there is no forward for models of kind `{kind}`"
        );
        let (mut layers, mut weights) = (Vec::new(), Weights::new());
        for entry in &case.modules {
            let path = entry.name.split('.').fold(root.clone(), |path, name| path / name);
            if let Some(layer) = entry.build(&path, &mut weights)? {
                layers.push((entry.name.clone(), layer));
            }
        }
        Ok(Self { kind: case.model.kind, task: config.task, layers })
    }

    fn task(&self) -> Task {
        match self.task {
            CaseTask::Classification => Task::Classification,
            CaseTask::Regression => Task::Regression,
        }
    }

    fn stages(&self) -> Vec<Stage> {
        match self.kind.as_str() {
            "layers" => vec![Stage::new("layer", ["layer"])],
            _ => vec![Stage::new("backbone", ["backbone"]), Stage::new("head", ["head"])],
        }
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        inputs.map_first(|x| match (stage, self.kind.as_str()) {
            ("head", "conv_bn") => self.run("head", &x.f_mean_dim([2_i64, 3].as_slice(), false, x.kind())?),
            _ => self.run(stage, x),
        })
    }
}

export_plugin!(models: [CaseModel]);
