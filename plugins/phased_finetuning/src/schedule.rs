//! A schedule: its phases, read from the run config or a file of its own, and what must hold among them.

use std::path::{Path, PathBuf};

use thaw_plugin_api::config::ConfigError;
use thaw_plugin_api::context::CheckpointName;
use thaw_plugin_api::nearest;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

use crate::phase::Phase;

/// Phases, one after the other.
#[derive(Clone, Config, Debug, Default)]
#[config(check = Schedule::check)]
pub struct Schedule {
    /// The phases in order.
    #[config(default = Phases::default())]
    pub phases: Phases,
    /// What batch norms of frozen parts do; without it `eval`.
    pub frozen_bn: Option<BatchNorm>,
}

/// Where a schedule stands: in a file, or, as a checkpoint keeps it, here.
#[derive(Clone, Debug)]
pub enum Source {
    /// A TOML file.
    File(PathBuf),
    /// The schedule itself.
    Table(Schedule),
}

impl Config for Source {
    fn schema() -> Value {
        json!({ "type": ["string", "object"], "format": "path" })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        match value {
            Value::String(path) => Ok(Self::File(path.into())),
            Value::Object(_) => Schedule::from_value(value, key).map(Self::Table),
            other => {
                let expected = "a path, or a table with `phases`".to_owned();
                Err(ConfigError::Value { key: key.clone(), found: other.to_string(), expected })
            }
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::File(path) => json!(path),
            Self::Table(schedule) => schedule.to_value(),
        }
    }
}

/// The phases of a schedule.
#[derive(Clone, Debug, Default)]
pub struct Phases(pub Vec<Phase>);

/// As a list; errors name the phase.
impl Config for Phases {
    fn schema() -> Value {
        Vec::<Phase>::schema()
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let tables = Vec::<Value>::from_value(value, key)?;
        let phases = tables.iter().enumerate().map(|(index, table)| {
            Phase::from_value(table, &key.element(index)).map_err(|error| match table["name"].as_str() {
                Some(name) => {
                    ConfigError::Invalid { key: Key::root(), reason: format!("phase `{name}`: {error}") }
                }
                None => error,
            })
        });
        Ok(Self(phases.collect::<Result<_, _>>()?))
    }

    fn to_value(&self) -> Value {
        self.0.to_value()
    }
}

impl Schedule {
    /// Reads a schedule's file.
    ///
    /// # Errors
    /// The file cannot be read, or does not hold a schedule.
    pub fn read(path: &Path) -> Result<Self> {
        let named = |error: Error| Error::of(ErrorKind::Config, format_args!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| named(error.into()))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| named(error.into()))?;
        let schedule = Self::from_value(&thaw_plugin_api::serde_json::to_value(table)?, &Key::root())
            .map_err(|error| named(error.into()))?;
        ensure!(
            !schedule.phases.0.is_empty(),
            "{}: there is no phase, expected at least one table [[phases]]",
            path.display()
        );
        Ok(schedule)
    }

    fn check(&mut self) -> Result<()> {
        let phases = &self.phases.0;
        let mut last_end = (0, 0);
        for (index, phase) in phases.iter().enumerate() {
            check_phase(phase, &phases[..index], index + 1 == phases.len()).map_err(|error| {
                Error::new(format_args!("phase `{}`: `phases[{index}]`: {error}", phase.name))
            })?;
            let Some(end) = &phase.end else { continue };
            for (key, end, last) in
                [("epoch", end.epoch, &mut last_end.0), ("step", end.step, &mut last_end.1)]
            {
                let Some(end) = end else { continue };
                ensure!(
                    end > *last,
                    "phase `{}`: `phases[{index}].end.{key}` is {end}, expected more than {last}, where an \
                     earlier phase ends",
                    phase.name
                );
                *last = end;
            }
        }
        Ok(())
    }
}

fn check_phase(phase: &Phase, earlier: &[Phase], is_last: bool) -> Result<()> {
    let Phase { name, .. } = phase;
    let is_name = !name.is_empty() && CheckpointName::new(&phase.checkpoint()).is_ok();
    ensure!(is_name, "`name` is {name:?}, expected letters, digits, -, _, = and .");
    ensure!(
        earlier.iter().all(|earlier| earlier.name != *name),
        "`name` is taken by an earlier phase, expected another one"
    );
    ensure!(
        !earlier.is_empty() || !phase.modules.is_empty(),
        "`modules` is empty, expected what trains in the first phase"
    );
    ensure!(
        !phase.modules.is_empty() || !phase.has_group_settings(),
        "`modules` is empty, so that `lr`, `weight_decay` and `optimizer` act on nothing; `group_lr` changes \
         rates of earlier groups"
    );
    ensure!(is_last || phase.end.is_some(), "`end` is missing, expected in every phase but the last");
    if phase.restore_best {
        ensure!(
            !is_last,
            "`restore_best` is for what comes after: the last phase's best weights are in the run's \
             checkpoints"
        );
        let monitors = phase.end.as_ref().is_some_and(|end| end.monitor.is_some());
        ensure!(monitors, "`restore_best` needs `end.monitor`, which says what is best");
    }
    if let Some(crate::Rate::Ratio { of: Some(group), .. }) = &phase.lr {
        known_group("lr.of", group, earlier)?;
    }
    for (group, lr) in &phase.group_lr {
        known_group("group_lr", group, earlier)?;
        ensure!(*lr >= 0.0 && lr.is_finite(), "`group_lr.{group}` is {lr}, expected a number of at least 0");
    }
    Ok(())
}

fn known_group(key: &str, group: &str, earlier: &[Phase]) -> Result<()> {
    let names = || earlier.iter().map(|phase| phase.name.as_str());
    if names().any(|name| name == group) {
        return Ok(());
    }
    let hint = match nearest(group, names()) {
        Some(nearest) => format!(", did you mean `{nearest}`?"),
        None => format!("; there are: {}", names().collect::<Vec<_>>().join(", ")),
    };
    bail!("`{key}` names `{group}`, expected an earlier phase{hint}")
}
