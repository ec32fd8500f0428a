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
    if config.is_multi_label()
        && let Some(metric) = config.trainer.metrics.first()
    {
        let expected = "none with `kind = \"bce\"` in [loss]: of several labels per sample there are always \
                        `acc`, `exact_match`, `f1_micro` and `f1_macro`";
        let error = KeyError::value(KEY, format!("\"{metric}\""), expected.to_owned());
        return Err(ConfigError::Key { path: config.path.clone(), error });
    }
    let description = model.description();
    let outputs = match description.task {
        Task::Classification => {
            Of::Classes(description.num_classes.and_then(|classes| usize::try_from(classes).ok()))
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
