//! Layers of tch in a model: what a `VarStore` holds, under the names it has there.

use std::collections::HashMap;

use tch::Tensor;
use tch::nn::VarStore;

use super::Path;
use crate::error::Result;
use crate::module_tree::parent_of;

/// Names of a batch norm's buffers, as tch and PyTorch have them.
const RUNNING: [&str; 2] = ["running_mean", "running_var"];

impl Path {
    /// Registers what a [`VarStore`] of tch holds, below this place: a model that was written with
    /// [`tch::nn`] trains, freezes, is saved and loads weights like one of this library's layers.
    ///
    /// The store's paths are the module paths: `vs.root() / "backbone" / 0` is `backbone.0`. Variables keep
    /// the order in which they were made; those that are not trained (batch norm's running statistics) are
    /// buffers. A module with running statistics counts as batch norm, all others as plain modules: tch does
    /// not say what a layer is. Layers of tch take `train` with each call: give those with two modes what
    /// [`Path::mode`] says of their path. The store has to be on the CPU; the host moves the model.
    ///
    /// # Errors
    /// A module that is registered already, or a variable that cannot have gradients.
    ///
    /// ```no_run
    /// use thaw_plugin_api::prelude::*;
    /// use thaw_plugin_api::tch::{self, nn::{Module as _, ModuleT as _}};
    ///
    /// /// Its settings.
    /// #[derive(Config)]
    /// struct NetConfig {}
    ///
    /// struct Net {
    ///     norm: tch::nn::BatchNorm,
    ///     head: tch::nn::Linear,
    ///     mode: nn::Mode,
    /// }
    ///
    /// impl Model for Net {
    ///     const ID: &'static str = "net";
    ///     type Config = NetConfig;
    ///
    ///     fn new(_: NetConfig, root: &nn::Path) -> Result<Self> {
    ///         let vs = tch::nn::VarStore::new(tch::Device::Cpu);
    ///         let norm = tch::nn::batch_norm1d(vs.root() / "norm", 16, Default::default());
    ///         let head = tch::nn::linear(vs.root() / "head", 16, 4, Default::default());
    ///         root.var_store(&vs)?;
    ///         Ok(Self { norm, head, mode: (root / "norm").mode()? })
    ///     }
    ///
    ///     fn forward(&self, inputs: Tensors) -> Result<Tensors> {
    ///         inputs.map_first(|x| Ok(self.head.forward(&self.norm.forward_t(x, self.mode.is_training()))))
    ///     }
    /// }
    /// ```
    pub fn var_store(&self, store: &VarStore) -> Result<()> {
        let mut modules: Vec<(String, Vec<Variable>)> = Vec::new();
        for variable in in_order(store) {
            let module = parent_of(&variable.name).unwrap_or_default().to_owned();
            match modules.iter_mut().find(|(path, _)| *path == module) {
                Some((_, variables)) => variables.push(variable),
                None => modules.push((module, vec![variable])),
            }
        }
        for (path, variables) in modules {
            let normalises = RUNNING.iter().all(|name| variables.iter().any(|v| v.last_name() == *name));
            let place =
                path.split('.').filter(|part| !part.is_empty()).fold(self.clone(), |at, part| at / part);
            let module = place.module(if normalises { "BatchNorm" } else { "Module" })?;
            for variable in variables {
                let name = variable.last_name().to_owned();
                if variable.is_trained {
                    let _ = module.parameter(&name, variable.tensor)?;
                } else {
                    let _ = module.buffer(&name, variable.tensor);
                }
            }
        }
        Ok(())
    }
}

/// A variable of a store.
struct Variable {
    name: String,
    tensor: Tensor,
    is_trained: bool,
}

impl Variable {
    fn last_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

/// The variables as they were made, those that are not trained after them by name: the store has names in no
/// order, and an order without names.
fn in_order(store: &VarStore) -> Vec<Variable> {
    let trained = store.trainable_variables();
    let made: HashMap<usize, usize> =
        trained.iter().enumerate().map(|(index, tensor)| (tensor.data_ptr() as usize, index)).collect();
    let place = |tensor: &Tensor| made.get(&(tensor.data_ptr() as usize)).copied();
    let mut variables: Vec<(usize, Variable)> = store
        .variables()
        .into_iter()
        .map(|(name, tensor)| {
            let place = place(&tensor);
            (place.unwrap_or(usize::MAX), Variable { name, tensor, is_trained: place.is_some() })
        })
        .collect();
    variables.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.name.cmp(&other.name)));
    variables.into_iter().map(|(_, variable)| variable).collect()
}

#[cfg(test)]
mod tests {
    use tch::{Device, nn};

    use super::*;

    fn store() -> VarStore {
        let store = VarStore::new(Device::Cpu);
        let root = store.root();
        let _ = nn::linear(&root / "stem", 3, 5, Default::default());
        let _ = nn::batch_norm1d(&root / "backbone" / 0, 5, Default::default());
        let _ = nn::linear(&root / "head", 5, 2, Default::default());
        store
    }

    #[test]
    fn variables_of_tch_are_parameters_and_buffers_under_their_paths() {
        let root = Path::root();
        root.var_store(&store()).unwrap();
        let tree = root.into_registry().tree().unwrap();
        let modules: Vec<&str> = tree.modules().iter().map(|module| &*module.path).collect();
        assert_eq!(modules, ["", "stem", "backbone", "backbone.0", "head"]);
        let norm = tree.modules().iter().find(|module| module.path == "backbone.0").unwrap();
        assert!(norm.is_batch_norm());
        let buffers: Vec<&str> = norm.buffers.iter().map(|buffer| &*buffer.name).collect();
        assert_eq!(buffers, ["backbone.0.running_mean", "backbone.0.running_var"]);
        let names: Vec<&str> = tree.parameters().map(|parameter| &*parameter.name).collect();
        assert_eq!(names.len(), 6);
        assert!(names.contains(&"stem.weight") && names.contains(&"head.bias"));
    }

    #[test]
    fn the_model_and_the_store_share_their_values() {
        let (root, store) = (Path::root(), store());
        root.var_store(&store).unwrap();
        let tensors = root.into_registry().tensors();
        let (_, weight) = tensors.iter().find(|(name, _)| name == "head.weight").unwrap();
        let _ = tch::no_grad(|| weight.shallow_clone().fill_(7.0));
        assert_eq!(store.variables()["head.weight"].double_value(&[0, 0]), 7.0);
    }

    #[test]
    fn a_layer_of_tch_is_told_its_mode() {
        let root = Path::root();
        root.var_store(&store()).unwrap();
        let mode = (&root / "backbone" / 0).mode().unwrap();
        assert!(mode.is_training());
        assert!((&root / "neck").mode().unwrap_err().to_string().contains("`neck`"));
        root.into_registry().set_modes(&[0; 5]);
        assert!(!mode.is_training());
    }
}
