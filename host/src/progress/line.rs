//! An epoch: while it is under way, and when it is over.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use thaw_plugin_api::context::Progress;

use super::foot::Foot;
use super::screen::{Colours, View};
use super::{Shown, duration};
use crate::width;
use thaw_terminal::number;
use thaw_train::fit::events::StepDone;

/// Time between two refreshes of the lines.
const REFRESH: Duration = Duration::from_millis(100);

/// Metrics that are shown at the end of an epoch.
const SHOWN: [&str; 4] = ["train_loss", "train_acc", "val_loss", "val_acc"];

/// Columns of a foot on a terminal that is none any more.
const COLUMNS: usize = 79;

/// An epoch that is under way.
pub struct Line {
    view: View,
    colours: Colours,
    /// Samples and batches of the epoch so far, as this process has trained them.
    samples: usize,
    batches: usize,
    started: Instant,
    refreshed: Instant,
    /// Seconds that something took which comes once: computing what frozen stages give.
    once: f64,
    /// Seconds of validations in this epoch, and when the present one began.
    validation: f64,
    validating: Option<Instant>,
}

impl Line {
    /// An epoch that begins, or goes on.
    pub fn new(progress: &Progress, shown: &Shown) -> Self {
        let now = Instant::now();
        let view = View {
            epoch: progress.epoch + 1,
            max_epochs: progress.max_epochs,
            batch: progress.batch_index,
            batches: progress.num_training_batches,
            step: progress.global_step,
            validated: shown.validated.clone(),
            ..View::default()
        };
        Self {
            view,
            colours: Colours::of_environment(),
            samples: 0,
            batches: 0,
            started: now,
            refreshed: now,
            once: 0.0,
            validation: 0.0,
            validating: None,
        }
    }

    /// Something took so many seconds that will not come again: no measure for what is left.
    pub fn took_once(&mut self, seconds: f64) {
        self.once += seconds;
        // Neither is it of the validation that it came with.
        if let (Some(began), Ok(took)) = (&mut self.validating, Duration::try_from_secs_f64(seconds)) {
            *began += took;
        }
    }

    /// A batch was trained. Between two refreshes nothing is asked of the run.
    pub fn step(&mut self, foot: &Foot, progress: &Progress, step: &StepDone<'_>, shown: &mut Shown) {
        self.samples += step.samples;
        self.batches += 1;
        let done = progress.batch_index + 1;
        (self.view.batch, self.view.step) = (done, progress.global_step);
        if foot.is_hidden() || self.refreshed.elapsed() < REFRESH {
            return;
        }
        self.refreshed = Instant::now();
        if let Some(loss) = step.latest_loss() {
            shown.losses.push(loss);
        }
        self.view.accuracy = step.latest_mean("train_acc");
        let (in_epoch, left) = self.left(progress, done, shown);
        (self.view.left_in_epoch, self.view.left) = (Some(in_epoch), Some(left));
        self.refresh(foot, shown);
    }

    /// A validation begins, of so many batches.
    pub fn validates(&mut self, foot: &Foot, batches: usize, shown: &mut Shown) {
        self.validating = Some(Instant::now());
        self.view.validation = Some((0, batches));
        self.refresh(foot, shown);
    }

    /// So many batches of a validation are done.
    pub fn validated_batches(&mut self, foot: &Foot, done: usize, shown: &mut Shown) {
        if let Some((_, all)) = self.view.validation
            && !foot.is_hidden()
            && self.refreshed.elapsed() >= REFRESH
        {
            self.refreshed = Instant::now();
            self.view.validation = Some((done, all));
            self.refresh(foot, shown);
        }
    }

    /// A validation is over.
    pub fn validated(&mut self, foot: &Foot, shown: &mut Shown) {
        self.validation += self.validating.take().map_or(0.0, |began| began.elapsed().as_secs_f64());
        self.view.validation = None;
        self.view.validated.clone_from(&shown.validated);
        self.refresh(foot, shown);
    }

    /// Shows how the epoch stands.
    pub fn refresh(&mut self, foot: &Foot, shown: &mut Shown) {
        if foot.is_hidden() {
            return;
        }
        self.view.samples_per_second = self.rate();
        self.view.trains.clone_from(&shown.trains);
        self.view.memory = shown.memory.as_mut().map(|memory| memory.text().to_owned()).unwrap_or_default();
        (self.view.warnings, self.view.last_warning) = (shown.warnings, shown.last_warning.clone());
        let columns = width::of_stderr().unwrap_or(COLUMNS);
        foot.show(&self.view.lines(&shown.losses, columns, self.colours));
    }

    /// Seconds to the epoch's end and to the run's, as the last epoch, or else this one, lets expect.
    fn left(&self, progress: &Progress, done: usize, shown: &Shown) -> (f64, f64) {
        let per_batch = self.training() / self.batches.max(1) as f64;
        let batches = progress.num_training_batches as f64;
        let validation = shown.last_validation.unwrap_or(0.0);
        let in_epoch = per_batch * (batches - done as f64).max(0.0) + (validation - self.validation).max(0.0);
        let epochs = progress.max_epochs.saturating_sub(progress.epoch + 1) as f64;
        (in_epoch, in_epoch + epochs * (per_batch * batches + validation))
    }

    /// Seconds of training so far.
    fn training(&self) -> f64 {
        (self.started.elapsed().as_secs_f64() - self.once - self.validation).max(0.0)
    }

    /// What is written of the epoch when it is over, in parts; the next one starts from what it took.
    pub fn end(
        &self,
        progress: &Progress,
        metrics: &BTreeMap<String, f64>,
        state: &mut Shown,
    ) -> Vec<String> {
        let seconds = self.started.elapsed().as_secs_f64();
        let shown = metrics.iter().filter(|(name, _)| SHOWN.contains(&name.as_str()));
        // As wide as most are, so that epochs stand in columns.
        let values = shown.map(|(name, value)| format!("{name} {:<6}", number(*value)));
        let epochs_left = progress.max_epochs.saturating_sub(progress.epoch + 1) as f64;
        if self.validation > 0.0 {
            state.last_validation = Some(self.validation);
        }
        // The last epoch is the best guide: what thaws makes the next ones slower. What it did once, they
        // will not.
        let left = (seconds - self.once).max(0.0) * epochs_left;
        let left = if left > 0.0 { format!(", {} left", duration(left)) } else { String::new() };
        let head = [
            format!("epoch {:>3}/{}", progress.epoch + 1, progress.max_epochs),
            format!("step {:>5}", progress.global_step),
        ];
        let speed = format!("{:.0} samples/s", self.samples as f64 / seconds.max(1e-9));
        let tail = [speed, format!("{}{left}", duration(seconds))];
        head.into_iter().chain(values).chain(tail).collect()
    }

    fn rate(&self) -> f64 {
        self.samples as f64 / self.training().max(1e-9)
    }
}
