//! Metrics that the run config names, for its model.

use thaw_metrics::Of;
use thaw_plugin_api::config::ConfigError as KeyError;
use thaw_plugin_api::model::Task;

use crate::config::{ConfigError, RunConfig};
use crate::model::HostModel;

/// The key, in messages.
const KEY: &str = "trainer.metrics";

/// Whether the metrics that the run config names are metrics of what its model does.
///
/// # Errors
/// One is not.
pub fn check_metrics(config: &RunConfig, model: &HostModel) -> Result<(), ConfigError> {
    let description = model.description();
    let outputs = match description.task {
        Task::Classification => {
            let outputs = description.num_classes.and_then(|classes| usize::try_from(classes).ok());
            if config.is_multi_label() { Of::Labels(outputs) } else { Of::Classes(outputs) }
        }
        Task::Regression => Of::Numbers,
        Task::Reconstruction => Of::ManyNumbers,
    };
    for metric in &config.trainer.metrics {
        metric.check(outputs).map_err(|misfit| {
            let error = KeyError::value(KEY, format!("\"{metric}\""), format!("others: {}", misfit.0));
            ConfigError::Key { path: config.path.clone(), error }
        })?;
    }
    Ok(())
}
