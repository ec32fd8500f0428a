//! The line of an epoch: while it is under way, and when it is over.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use thaw_plugin_api::context::Progress;

use super::table;
use thaw_train::fit::events::StepDone;

/// Time between two refreshes of the line.
const REFRESH: Duration = Duration::from_millis(100);

/// Metrics that are shown at the end of an epoch.
const SHOWN: [&str; 4] = ["train_loss", "train_acc", "val_loss", "val_acc"];

/// An epoch that is under way. Dropped, it leaves nothing on the terminal.
pub struct Line {
    bar: ProgressBar,
    /// Samples and batches of the epoch so far, as this process has trained them.
    samples: usize,
    batches: usize,
    started: Instant,
    shown: Instant,
}

impl Line {
    /// An epoch that begins, or goes on.
    pub fn new(progress: &Progress) -> Self {
        let bar = ProgressBar::with_draw_target(
            Some(progress.num_training_batches as u64),
            ProgressDrawTarget::stderr_with_hz(10),
        );
        let style = ProgressStyle::with_template("epoch {prefix} {bar:24} {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_prefix(format!("{}/{}", progress.epoch + 1, progress.max_epochs));
        let now = Instant::now();
        Self { bar, samples: 0, batches: 0, started: now, shown: now }
    }

    /// Lets something else write to the terminal.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// A batch was trained. Between two refreshes nothing is asked of the run.
    pub fn step(&mut self, progress: &Progress, step: &StepDone<'_>) {
        self.samples += step.samples;
        self.batches += 1;
        if self.shown.elapsed() < REFRESH {
            return;
        }
        self.shown = Instant::now();
        let seconds = self.started.elapsed().as_secs_f64();
        let done = progress.batch_index + 1;
        let left_in_epoch = progress.num_training_batches.saturating_sub(done) as f64;
        let epochs_left = progress.max_epochs.saturating_sub(progress.epoch + 1) as f64;
        let per_batch = seconds / self.batches as f64;
        let left = per_batch * (left_in_epoch + epochs_left * progress.num_training_batches as f64);
        let accuracy = step.latest_mean("train_acc").map(|mean| format!(" acc {mean:.3}"));
        self.bar.set_message(format!(
            "step {} loss {:.4}{} {:.0}/s, {} left",
            progress.global_step,
            step.latest_loss().unwrap_or(f64::NAN),
            accuracy.unwrap_or_default(),
            self.rate(seconds),
            table::duration(left)
        ));
        self.bar.set_position(done as u64);
    }

    /// What is written of the epoch when it is over.
    pub fn end(self, progress: &Progress, metrics: &BTreeMap<String, f64>) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let shown = metrics.iter().filter(|(name, _)| SHOWN.contains(&name.as_str()));
        let values: Vec<String> = shown.map(|(name, value)| format!("{name} {value:.4}")).collect();
        let epochs_left = progress.max_epochs.saturating_sub(progress.epoch + 1) as f64;
        format!(
            "epoch {:>3}/{}  step {:>5}  {}  {:.0} samples/s  {}, {} left",
            progress.epoch + 1,
            progress.max_epochs,
            progress.global_step,
            values.join("  "),
            self.rate(seconds),
            table::duration(seconds),
            // The last epoch is the best guide: what thaws makes the next ones slower.
            table::duration(seconds * epochs_left)
        )
    }

    fn rate(&self, seconds: f64) -> f64 {
        self.samples as f64 / seconds.max(1e-9)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
