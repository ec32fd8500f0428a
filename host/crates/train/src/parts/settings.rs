//! What strategies say of optimizer and scheduler, checked and carried out.

use std::collections::BTreeMap;

use serde_json::Value;
use thaw_plugin_api::optimizer::no_optimizer;
use thaw_plugin_api::{Error, Result};

use super::optimizer_config;
use crate::config::RunConfig;
use crate::model::HostModel;
use thaw_optim::optimizer::{Optimizer, ParamGroup};
use thaw_optim::scheduler::{Restart, Scheduler};

/// Checks settings that a strategy is to use later.
pub(crate) fn check_settings(
    config: &RunConfig,
    model: &HostModel,
    scheduler: Option<Value>,
    options: Option<BTreeMap<String, f64>>,
    replacement: Option<String>,
) -> Result<()> {
    let optimizer = optimizer_config(config, model).map_err(Error::new)?;
    if let Some(id) = replacement {
        optimizer.replaced_by(&id, options.unwrap_or_default())?;
        return Ok(());
    }
    if let Some(settings) = scheduler {
        Restart::read(Some(settings), None, None)?.check(&optimizer)?;
    }
    if let Some(options) = options {
        let group = ParamGroup { options, ..optimizer.group("of the phase", Vec::new()) };
        Optimizer::new(optimizer, vec![group])?;
    }
    Ok(())
}

/// Puts another optimizer in the place of a run's.
pub(crate) fn replace_optimizer(
    optimizer: Option<&mut Optimizer>,
    scheduler: Option<&mut Scheduler>,
    id: &str,
    options: BTreeMap<String, f64>,
) -> Result<()> {
    let optimizer = optimizer.ok_or_else(no_optimizer)?;
    optimizer.replace(optimizer.config().replaced_by(id, options)?)?;
    if let Some(scheduler) = scheduler {
        scheduler.follow(optimizer);
    }
    Ok(())
}
