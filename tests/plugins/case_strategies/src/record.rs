//! Callbacks that record.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use thaw_plugin_api::prelude::*;

/// Logs the norm of the optimizer's gradients before they are clipped, group 0's momentum, and each group's
/// rate at the end of an epoch, which the next step would use; says when an epoch begins.
#[derive(Config)]
pub struct CaseRecorder {
    /// Whether to log `total_norm` at each step.
    #[config(default = false)]
    norm: bool,
    /// Whether to log `momentum` at each batch.
    #[config(default = false)]
    momentum: bool,
}

impl Callback for CaseRecorder {
    const ID: &'static str = "case-recorder";

    /// Parts the log into epochs.
    fn on_train_epoch_start(&mut self, _: &mut Context) -> Result<()> {
        debug!("case-recorder: the epoch begins");
        Ok(())
    }

    fn on_train_batch_start(&mut self, context: &mut Context) -> Result<()> {
        if !self.momentum {
            return Ok(());
        }
        let options = &context.optimizer()?.group(0)?.options;
        match options.get("momentum").or(options.get("beta1")).copied() {
            Some(momentum) => context.log("momentum", momentum),
            None => Ok(()),
        }
    }

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        let groups = context.optimizer()?.groups().iter();
        let rates: Vec<_> = groups.map(|group| (format!("rate_at_end-{}", group.name), group.lr)).collect();
        rates.into_iter().try_for_each(|(name, lr)| context.log(&name, lr))
    }

    fn on_before_optimizer_step(&mut self, context: &mut Context) -> Result<()> {
        if !self.norm {
            return Ok(());
        }
        let names: Vec<String> =
            context.optimizer()?.groups().iter().flat_map(|group| group.parameters.clone()).collect();
        let mut sum = 0.0;
        for name in names {
            let gradient = context.tensor(&name)?.grad();
            if gradient.defined() {
                sum += gradient.f_norm()?.f_double_value(&[])?.powi(2);
            }
        }
        context.log("total_norm", sum.sqrt())
    }
}

/// Logs `metric` at the end of each epoch.
#[derive(Config)]
pub struct CaseMetric {
    /// Its value by epoch.
    values: Vec<f64>,
}

impl Callback for CaseMetric {
    const ID: &'static str = "case-metric";

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        match self.values.get(context.epoch()).copied() {
            Some(value) => context.log("metric", value),
            None => Ok(()),
        }
    }
}

/// Appends a line for every hook that is called.
#[derive(Config)]
pub struct CaseHooks {
    /// The file.
    file: PathBuf,
}

impl CaseHooks {
    fn note(&self, hook: &str) -> Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.file)?;
        Ok(writeln!(file, "{hook}")?)
    }
}

macro_rules! note_hooks {
    ($($hook:ident)*) => {
        impl Callback for CaseHooks {
            const ID: &'static str = "case-hooks";

            fn state(&self) -> Result<Map<String, Value>> {
                self.note("state")?;
                Ok(Map::new())
            }

            fn load_state(&mut self, _: Map<String, Value>) -> Result<()> {
                self.note("load_state")
            }

            $(fn $hook(&mut self, _: &mut Context) -> Result<()> {
                self.note(stringify!($hook))
            })*
        }
    };
}
note_hooks! {
    setup on_fit_start on_sanity_check_start on_sanity_check_end on_train_start on_train_epoch_start
    on_train_batch_start on_before_zero_grad on_before_backward on_after_backward on_before_optimizer_step
    on_after_optimizer_step on_train_batch_end on_validation_start on_validation_epoch_start
    on_validation_batch_start on_validation_batch_end on_validation_epoch_end on_validation_end
    on_train_epoch_end on_save_checkpoint on_load_checkpoint on_train_end on_fit_end on_exception teardown
    on_predict_start on_predict_epoch_start on_predict_batch_start on_predict_batch_end on_predict_epoch_end
    on_predict_end
}
