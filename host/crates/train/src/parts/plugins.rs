//! What the run config's strategies, callbacks and model are made by.

use thaw_plugin_api::config::ConfigError as KeyError;
use thaw_plugin_api::module_tree::ModuleTree;

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::config::{ChannelsLast, ConfigError, Family, RunConfig, Weighting};
use crate::model::HostModel;
use thaw_data::DataConfig;
use thaw_plugins::{Instance, PluginError, PluginSet};

/// Strategies and callbacks in the run config's order.
///
/// # Errors
/// An id that no plugin offers, or a configuration that does not fit.
pub fn create_callbacks(config: &RunConfig, plugins: &PluginSet) -> Result<Vec<Instance>, Error> {
    let callbacks = config.callbacks.iter().enumerate();
    let created = callbacks.map(|(index, table)| {
        plugins
            .create(&table.id, &table.config)
            .map_err(|error| of_table(config, &format!("callbacks[{index}]"), error.into()))
    });
    created.collect()
}

/// Errors of a plugin that lie in the run config name the file and the table.
pub(crate) fn of_table(config: &RunConfig, table: &str, error: Error) -> Error {
    let message = match &error {
        Error::Plugin(PluginError::Failed(failure)) if error.exit_code() == 2 => {
            format!("{} `{}` of plugin `{}`: {}", failure.kind, failure.id, failure.plugin, failure.error)
        }
        Error::Plugin(unknown @ PluginError::UnknownId { .. }) => unknown.to_string(),
        _ => return error,
    };
    ConfigError::Plugin { path: config.path.clone(), table: table.to_owned(), message }.into()
}

/// The model, with its initial weights.
///
/// # Errors
/// An unknown id, a configuration that does not fit, a precision that the model does not compute in.
pub fn create_model(config: &RunConfig, plugins: &PluginSet) -> Result<HostModel, Error> {
    if let Some(hub) = config.hub.as_ref().filter(|_| !plugins.offers_model(&config.model.id)) {
        let found = format!("{:?}, whose `model_type` is `{}`", hub.path, config.model.id);
        let expected = format!("one that a loaded plugin builds: {}", Family::remedy(&config.model.id));
        let error = KeyError::value("model.path", found, expected);
        return Err(ConfigError::Key { path: config.path.clone(), error }.into());
    }
    let model = HostModel::create(plugins, &config.model.id, &config.model.config)
        .map_err(|error| of_table(config, "[model]", error.into()))?;
    let (precision, declared) = (config.trainer.precision, &model.description().precisions);
    if !declared.contains(&precision) {
        let declared =
            declared.iter().map(|precision| format!("\"{precision}\"")).collect::<Vec<_>>().join(", ");
        let expected = format!("what model `{}` computes in: {declared}", model.id());
        let error = KeyError::value("trainer.precision", format!("\"{precision}\""), expected);
        return Err(ConfigError::Key { path: config.path.clone(), error }.into());
    }
    check_loss(config, &model)?;
    Ok(model)
}

/// Refuses a loss that the model's task does not have, or an accumulation that would not be its mean.
fn check_loss(config: &RunConfig, model: &HostModel) -> Result<(), ConfigError> {
    let Some(loss) = &config.loss else { return Ok(()) };
    let wrong = |error| ConfigError::Key { path: config.path.clone(), error };
    loss.check_task(model.task(), model.id()).map_err(wrong)?;
    let kind = config.data.as_ref().filter(|data| data.has_one_class_each()).map(DataConfig::kind);
    if let Some(kind) = kind.filter(|_| loss.is_multi_label()) {
        let expected = format!(
            "\"cross-entropy\": a sample of `kind = \"{kind}\"` in [data] has one class. Several labels \
             stand in a table of pictures: `kind = \"list\"` with `target = \"labels\"`"
        );
        return Err(wrong(KeyError::value("loss.kind", "\"bce\"", expected)));
    }
    if loss.class_weights.is_some() && config.trainer.weighting == Weighting::Samples {
        let expected = "\"batches\" beside `loss.class_weights`: a weighted mean does not add up by samples";
        return Err(wrong(KeyError::value("trainer.weighting", "\"samples\"", expected)));
    }
    Ok(())
}

/// The model on its device, for a checkpoint's weights.
///
/// # Errors
/// An unknown id, a device that is too small.
pub fn build_model(
    config: &RunConfig,
    plugins: &PluginSet,
    device: tch::Device,
    checkpoint: &Checkpoint,
) -> Result<HostModel, Error> {
    let mut model = create_model(config, plugins)?;
    // Versions that did not write it had them last on a GPU alone.
    let before = checkpoint.state.trained.channels_last.unwrap_or(device.is_cuda());
    place(config, &mut model, device, Some(before))?;
    Ok(model)
}

/// Brings the model to its device, in the layout of memory that `[trainer]` wants. Where that is left to the
/// program, a model of a checkpoint keeps what it had `before`.
pub(crate) fn place(
    config: &RunConfig,
    model: &mut HostModel,
    device: tch::Device,
    before: Option<bool>,
) -> Result<(), Error> {
    model.to_device(device)?;
    let is_last = match config.trainer.channels_last {
        ChannelsLast::On => true,
        ChannelsLast::Off => false,
        ChannelsLast::Auto => before.unwrap_or_else(|| model.gains_from_channels_last(device)),
    };
    if is_last {
        model.channels_last()?;
    }
    Ok(())
}

/// The model's parameters by name, tied ones once.
pub(crate) fn storages(model: &HostModel) -> Vec<(String, tch::Tensor)> {
    let tree: &ModuleTree = model.tree();
    let firsts = tree.parameters().filter(|parameter| parameter.tied_to.is_none());
    firsts
        .filter_map(|parameter| {
            Some((parameter.name.clone(), model.tensor(&parameter.name).ok()?.shallow_clone()))
        })
        .collect()
}
