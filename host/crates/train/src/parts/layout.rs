//! A model's tensors under the names of another of its layouts.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use tch::Tensor;

use crate::config::ModelTable;
use crate::model::{HostModel, ModelError};
use thaw_plugins::PluginSet;
use thaw_weights::PretrainedNames;

/// Gives the tensors of a trained model the names that the same model has with `layout`, such as
/// torchvision's with `original`. The model's own aliases say what becomes what; nothing may be left over on
/// either side.
///
/// # Errors
/// The model has no such layout, or the layout holds other tensors.
pub fn in_layout(
    plugins: &PluginSet,
    model: &ModelTable,
    layout: &str,
    tensors: Vec<(String, Tensor)>,
) -> Result<Vec<(String, Tensor)>, crate::Error> {
    let own = HostModel::create(plugins, &model.id, &model.config)?;
    let other = HostModel::create(plugins, &model.id, &with_layout(&model.config, layout))?;
    let own_names: HashSet<&str> = own.state_dict().iter().map(|(name, _)| name.as_str()).collect();
    let aliases = PretrainedNames::from(own.description());
    let misfit = |reason: String| ModelError::Data { model: model.id.clone(), reason };
    let mut left: HashMap<String, Tensor> = tensors.into_iter().collect();
    let mut renamed = Vec::with_capacity(left.len());
    for (name, like) in other.state_dict() {
        let tensor = aliases.apply(name.clone(), &own_names).and_then(|own| left.remove(&own));
        match tensor {
            Some(tensor) if tensor.size() == like.size() => renamed.push((name.clone(), tensor)),
            _ => {
                let reason = format!(
                    "layout `{layout}` has `{name}`, which this model does not: it cannot be written so"
                );
                return Err(misfit(reason).into());
            }
        }
    }
    let mut left: Vec<String> = left.into_keys().collect();
    left.sort_unstable();
    match left.first() {
        None => Ok(renamed),
        Some(name) => {
            let count = left.len();
            let reason = format!("`{name}` ({count} tensors in all) has no place in layout `{layout}`");
            Err(misfit(reason).into())
        }
    }
}

/// The configuration with another layout; what is of use in training alone is left out, as not every layout
/// has it.
fn with_layout(config: &Value, layout: &str) -> Value {
    let mut config = config.clone();
    if let Some(table) = config.as_object_mut() {
        table.remove("freeze_features");
        table.insert("layout".to_owned(), json!(layout));
    }
    config
}
