//! How a run is shown: a line of progress, a table whenever something else trains, the end.

mod table;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
pub use table::{batch_norms, count};
use thaw_plugin_api::context::Progress;
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use crate::fit::RunState;
use thaw_terminal::stdout::print;

/// One batch, as the line of progress shows it.
pub struct BatchLine<'b> {
    /// Where the run stands.
    pub progress: &'b Progress,
    /// The latest loss that is known.
    pub loss: Option<f64>,
    /// Accuracy over the epoch so far.
    pub accuracy: Option<f64>,
    /// Samples in the batch.
    pub samples: usize,
}

/// Shows a run on the terminal, or writes a line per epoch where there is none.
pub struct Reporter {
    bar: Option<ProgressBar>,
    quiet: bool,
    /// Samples and batches of the epoch so far, as this process has trained them.
    samples: usize,
    batches: usize,
    epoch_started: std::time::Instant,
    last_table: Option<String>,
    last_rates: String,
    shown: std::time::Instant,
    /// Whether it was told that lines are lost.
    told: bool,
}

/// Time between two refreshes of the line.
const REFRESH: Duration = Duration::from_millis(100);

impl Reporter {
    /// A reporter; a quiet one shows nothing.
    pub fn new(quiet: bool) -> Self {
        let now = std::time::Instant::now();
        let last_rates = String::new();
        Self {
            bar: None,
            quiet,
            samples: 0,
            batches: 0,
            epoch_started: now,
            last_table: None,
            last_rates,
            shown: now,
            told: false,
        }
    }

    /// The head of a run.
    pub fn start<'p>(&mut self, state: &RunState, plugins: impl Iterator<Item = &'p str>) {
        if self.quiet {
            return;
        }
        let tree = state.trained.model.tree();
        let total: u64 = tree
            .parameters()
            .filter(|parameter| parameter.tied_to.is_none())
            .map(|parameter| parameter.numel())
            .sum();
        let device = device_name(state.trained.model.device());
        self.show(format_args!(
            "model      {} ({} parameters) on {device}",
            state.trained.model.id(),
            table::count(total)
        ));
        self.show(format_args!("data       {}", state.data.summary()));
        self.show(format_args!("plugins    {}", plugins.collect::<Vec<_>>().join(", ")));
        self.show(format_args!("run        {}", state.kept.run_dir.shown().display()));
        if !state.is_fresh() {
            let Progress { epoch, batch_index, global_step, .. } = state.progress();
            self.show(format_args!("resumed at epoch {epoch}, batch {batch_index}, step {global_step}"));
        }
    }

    /// An epoch starts.
    pub fn start_epoch(&mut self, progress: &Progress) {
        (self.samples, self.batches) = (0, 0);
        self.epoch_started = std::time::Instant::now();
        if self.quiet {
            return;
        }
        let bar = ProgressBar::with_draw_target(
            Some(progress.num_training_batches as u64),
            ProgressDrawTarget::stderr_with_hz(10),
        );
        let style = ProgressStyle::with_template("epoch {prefix} {bar:24} {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_prefix(format!("{}/{}", progress.epoch + 1, progress.max_epochs));
        self.bar = Some(bar);
    }

    /// Whether the line of progress is shown anew with the next batch.
    pub fn is_due(&self) -> bool {
        self.bar.is_some() && self.shown.elapsed() >= REFRESH
    }

    /// A batch was trained.
    pub fn batch(&mut self, line: &BatchLine<'_>) {
        self.samples += line.samples;
        self.batches += 1;
        let due = self.is_due();
        let Some(bar) = &self.bar else { return };
        if !due {
            return;
        }
        self.shown = std::time::Instant::now();
        let seconds = self.epoch_started.elapsed().as_secs_f64();
        let rate = self.samples as f64 / seconds.max(1e-9);
        let done = line.progress.batch_index + 1;
        let left_in_epoch = line.progress.num_training_batches.saturating_sub(done) as f64;
        let epochs_left = line.progress.max_epochs.saturating_sub(line.progress.epoch + 1) as f64;
        let per_batch = seconds / self.batches as f64;
        let left = per_batch * (left_in_epoch + epochs_left * line.progress.num_training_batches as f64);
        let accuracy = line.accuracy.map(|accuracy| format!(" acc {accuracy:.3}")).unwrap_or_default();
        bar.set_message(format!(
            "step {} loss {:.4}{accuracy} {rate:.0}/s, {} left",
            line.progress.global_step,
            line.loss.unwrap_or(f64::NAN),
            table::duration(left)
        ));
        bar.set_position(done as u64);
    }

    /// An epoch is complete.
    pub fn end_epoch(&mut self, progress: &Progress, metrics: &BTreeMap<String, f64>) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let seconds = self.epoch_started.elapsed().as_secs_f64();
        if self.quiet {
            return;
        }
        let known = ["train_loss", "train_acc", "val_loss", "val_acc"];
        let shown = metrics.iter().filter(|(name, _)| known.contains(&name.as_str()));
        let values: Vec<String> = shown.map(|(name, value)| format!("{name} {value:.4}")).collect();
        let rate = self.samples as f64 / seconds.max(1e-9);
        let epochs_left = progress.max_epochs.saturating_sub(progress.epoch + 1) as f64;
        // The last epoch is the best guide: what thaws makes the next ones slower.
        let left = table::duration(seconds * epochs_left);
        self.show(format_args!(
            "epoch {:>3}/{}  step {:>5}  {}  {rate:.0} samples/s  {}, {left} left",
            progress.epoch + 1,
            progress.max_epochs,
            progress.global_step,
            values.join("  "),
            table::duration(seconds),
        ));
    }

    /// What trains at which rate: a table where something else trains than before, a line where only rates
    /// have changed.
    pub fn groups(&mut self, progress: &Progress, tree: &ModuleTree, groups: &[ParamGroup]) {
        if self.quiet {
            return;
        }
        let rates = table::rates(groups);
        let (what, table) = table::groups(tree, groups);
        let text = if self.last_table.as_ref() != Some(&what) {
            format!("\nepoch {}: what trains\n{table}", progress.epoch + 1)
        } else if self.last_rates != rates {
            format!("epoch {:>3}: rates  {rates}", progress.epoch + 1)
        } else {
            return;
        };
        (self.last_table, self.last_rates) = (Some(what), rates);
        match self.bar.clone() {
            Some(bar) => bar.suspend(|| self.show(text)),
            None => self.show(text),
        }
    }

    /// Writes lines to standard output. Where they are lost, the log says so once, and the run goes on.
    fn show(&mut self, text: impl Display) {
        if let Err(error) = print(text)
            && !std::mem::replace(&mut self.told, true)
        {
            tracing::error!("{error}; the run goes on without these lines");
        }
    }

    /// The run is over.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn device_name(device: tch::Device) -> String {
    match device {
        tch::Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}
