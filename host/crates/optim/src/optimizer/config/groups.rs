//! What holds in one parameter group: the optimizer's settings with the group's own over them.

use std::collections::{BTreeMap, HashMap};

use super::{AdamConfig, Algorithm, NOT_NEGATIVE, OptimizerConfig, not_negative};
use crate::optimizer::{OptimizerError, ParamGroup, Result};
use thaw_torch::fused::{AdamOptions, SgdOptions};

/// Settings of a group's kernel call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::optimizer) enum Options {
    Sgd(SgdOptions),
    Adam(AdamOptions),
}

impl Options {
    /// How many of the algorithm's states a step needs: none for SGD without momentum, all with `amsgrad`.
    pub(in crate::optimizer) fn states(&self) -> usize {
        match self {
            Options::Sgd(options) => usize::from(options.momentum != 0.0),
            Options::Adam(options) => 3 + usize::from(options.amsgrad),
        }
    }
}

/// Options that a group may have, by algorithm.
fn option_names(algorithm: &Algorithm) -> &'static [&'static str] {
    match algorithm {
        Algorithm::Sgd { .. } => &["momentum", "dampening", "nesterov", "maximize"],
        _ => &["beta1", "beta2", "eps", "amsgrad", "maximize"],
    }
}

/// The optimizer with options of a group for its own settings.
pub(super) fn with_options(config: &OptimizerConfig, given: BTreeMap<String, f64>) -> Result<Algorithm> {
    let group = ParamGroup { options: given, ..config.group("of the optimizer", Vec::new()) };
    Ok(match options(config, &group)? {
        Options::Sgd(SgdOptions { momentum, dampening, nesterov, .. }) => {
            Algorithm::Sgd { momentum, dampening, nesterov }
        }
        Options::Adam(AdamOptions { beta1, beta2, eps, amsgrad, decoupled, .. }) => {
            let adam = AdamConfig { betas: [beta1, beta2], eps, amsgrad };
            if decoupled { Algorithm::AdamW(adam) } else { Algorithm::Adam(adam) }
        }
    })
}

/// The settings that hold in `group`, checked with PyTorch's limits.
pub(in crate::optimizer) fn options(config: &OptimizerConfig, group: &ParamGroup) -> Result<Options> {
    let own = Own(group);
    let known = option_names(&config.algorithm);
    if let Some(key) = group.options.keys().find(|key| !known.contains(&key.as_str())) {
        let hint = thaw_plugin_api::hint(key, known.iter().copied());
        let expected = format!("one of {} for {}{hint}", known.join(", "), config.algorithm.id());
        return Err(own.refuse(key, "an unknown option".to_owned(), &expected));
    }
    let settings = Settings {
        lr: own.limited("lr", group.lr)?,
        weight_decay: own.limited("weight_decay", group.weight_decay)?,
        maximize: own.flag("maximize", config.maximize)?,
    };
    Ok(match config.algorithm {
        Algorithm::Sgd { momentum, dampening, nesterov } => {
            Options::Sgd(own.sgd(settings, momentum, dampening, nesterov)?)
        }
        Algorithm::Adam(adam) => Options::Adam(own.adam(settings, adam, false)?),
        Algorithm::AdamW(adam) => Options::Adam(own.adam(settings, adam, true)?),
    })
}

/// Settings that every algorithm has.
struct Settings {
    lr: f64,
    weight_decay: f64,
    maximize: bool,
}

/// A group's own settings over the optimizer's.
struct Own<'g>(&'g ParamGroup);

impl Own<'_> {
    fn refuse(&self, key: &str, found: String, expected: &str) -> OptimizerError {
        OptimizerError::Group {
            group: self.0.name.clone(),
            key: key.to_owned(),
            found,
            expected: expected.to_owned(),
        }
    }

    fn number(&self, key: &str, default: f64) -> f64 {
        self.0.options.get(key).copied().unwrap_or(default)
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.0.options.get(key) {
            None => Ok(default),
            Some(value) if *value == 0.0 => Ok(false),
            Some(value) if *value == 1.0 => Ok(true),
            Some(value) => Err(self.refuse(key, value.to_string(), "0 (off) or 1 (on)")),
        }
    }

    fn limited(&self, key: &str, value: f64) -> Result<f64> {
        if not_negative(value) { Ok(value) } else { Err(self.refuse(key, value.to_string(), NOT_NEGATIVE)) }
    }

    fn beta(&self, key: &str, default: f64) -> Result<f64> {
        let value = self.number(key, default);
        if (0.0..1.0).contains(&value) {
            Ok(value)
        } else {
            Err(self.refuse(key, value.to_string(), "0 or more and below 1"))
        }
    }

    fn sgd(&self, settings: Settings, momentum: f64, dampening: f64, nesterov: bool) -> Result<SgdOptions> {
        let Settings { lr, weight_decay, maximize } = settings;
        let momentum = self.limited("momentum", self.number("momentum", momentum))?;
        let dampening = self.number("dampening", dampening);
        if !dampening.is_finite() {
            return Err(self.refuse("dampening", dampening.to_string(), "a number"));
        }
        let nesterov = self.flag("nesterov", nesterov)?;
        if nesterov && (momentum == 0.0 || dampening != 0.0) {
            let found = format!("true with momentum {momentum} and dampening {dampening}");
            return Err(self.refuse("nesterov", found, "momentum above 0 and dampening 0"));
        }
        Ok(SgdOptions { lr, weight_decay, momentum, dampening, nesterov, maximize, single_thread: false })
    }

    fn adam(&self, settings: Settings, adam: AdamConfig, decoupled: bool) -> Result<AdamOptions> {
        let Settings { lr, weight_decay, maximize } = settings;
        let AdamConfig { betas, eps, amsgrad } = adam;
        Ok(AdamOptions {
            lr,
            weight_decay,
            beta1: self.beta("beta1", betas[0])?,
            beta2: self.beta("beta2", betas[1])?,
            eps: self.limited("eps", self.number("eps", eps))?,
            amsgrad: self.flag("amsgrad", amsgrad)?,
            maximize,
            decoupled,
            single_thread: false,
        })
    }
}

/// Checks each group by itself, their names, and that no parameter is in two of them.
pub(in crate::optimizer) fn check_groups(config: &OptimizerConfig, groups: &[ParamGroup]) -> Result<()> {
    let mut names = HashMap::new();
    let mut homes: HashMap<&str, &str> = HashMap::new();
    for group in groups {
        options(config, group)?;
        if names.insert(group.name.as_str(), ()).is_some() {
            return Err(OptimizerError::DuplicateGroup(group.name.clone()));
        }
        for parameter in &group.parameters {
            if let Some(first) = homes.insert(parameter, &group.name) {
                return Err(OptimizerError::DuplicateParameter {
                    parameter: parameter.clone(),
                    first: first.to_owned(),
                    second: group.name.clone(),
                });
            }
        }
    }
    Ok(())
}
