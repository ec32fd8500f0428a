//! What a terminal shows of an epoch that is under way: some lines at its foot.

use std::fmt::Write as _;

use super::curve::Curve;
use super::duration;
use thaw_terminal::{aligned, number, sparkline};

/// Everything that the lines say.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Epochs and batches, from 1 and as they are done.
    pub(super) epoch: usize,
    pub(super) max_epochs: usize,
    pub(super) batch: usize,
    pub(super) batches: usize,
    /// Batches of a validation that is under way, done and in all.
    pub(super) validation: Option<(usize, usize)>,
    pub(super) step: usize,
    pub(super) accuracy: Option<f64>,
    /// What the last validation gave, by name.
    pub(super) validated: Vec<(String, f64)>,
    /// What trains, in words, with its rates.
    pub(super) trains: String,
    pub(super) samples_per_second: f64,
    pub(super) memory: String,
    /// Seconds until the epoch's, and the run's, end.
    pub(super) left_in_epoch: Option<f64>,
    pub(super) left: Option<f64>,
    pub(super) warnings: usize,
    pub(super) last_warning: String,
}

/// Whether bars have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    Yes,
    No,
}

impl Colours {
    /// None where `NO_COLOR` is set to something.
    pub(super) fn of_environment() -> Self {
        match std::env::var_os("NO_COLOR") {
            Some(set) if !set.is_empty() => Self::No,
            _ => Self::Yes,
        }
    }

    fn paint(self, text: &str) -> String {
        match self {
            Self::Yes if !text.is_empty() => format!("\u{1b}[36m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }
}

impl View {
    /// The lines, none wider than so many columns, with the curve of these losses.
    pub(super) fn lines(&self, losses: &Curve, columns: usize, colours: Colours) -> Vec<String> {
        let columns = columns.max(10);
        let mut lines = vec![self.epoch_line(columns, colours)];
        if self.max_epochs > 1 {
            lines.push(self.run_line(columns, colours));
        }
        lines.extend(Some(self.metrics_line(losses, columns)).filter(|line| !line.is_empty()));
        let speed = match self.samples_per_second {
            speed if speed > 0.0 => format!("{speed:.0} samples/s"),
            _ => String::new(),
        };
        let parts = [speed, self.memory.clone(), self.trains.clone()];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        lines.extend(Some(aligned::fit(&parts.join("  "), columns)).filter(|line| !line.is_empty()));
        if self.warnings > 0 {
            let noun = if self.warnings == 1 { "warning" } else { "warnings" };
            lines.push(aligned::fit(&format!("{} {noun}: {}", self.warnings, self.last_warning), columns));
        }
        lines
    }

    fn epoch_line(&self, columns: usize, colours: Colours) -> String {
        let (done, all, what) = match self.validation {
            Some((done, all)) => (done, all, "  validates"),
            None => (self.batch, self.batches, ""),
        };
        let head = format!("epoch {}/{}", self.epoch, self.max_epochs);
        let left = self.left_in_epoch.filter(|_| self.validation.is_none());
        let left = left.map(|left| format!("  {} left", duration(left))).unwrap_or_default();
        barred(&head, (done, all), &format!("{done}/{all}{what}{left}"), columns, colours)
    }

    fn run_line(&self, columns: usize, colours: Colours) -> String {
        let head = aligned::left("run", format!("epoch {}/{}", self.epoch, self.max_epochs).len());
        let done = (self.epoch.saturating_sub(1)) * self.batches + self.batch;
        let left = self.left.map(|left| format!("  {} left", duration(left))).unwrap_or_default();
        let tail = format!("step {}{left}", self.step);
        barred(&head, (done, self.max_epochs * self.batches), &tail, columns, colours)
    }

    fn metrics_line(&self, losses: &Curve, columns: usize) -> String {
        let mut text = losses.last().map(|loss| format!("loss {}", number(loss))).unwrap_or_default();
        if let Some(accuracy) = self.accuracy {
            let _ = write!(text, "  acc {}", number(accuracy));
        }
        for (name, value) in &self.validated {
            let _ = write!(text, "  {name} {}", number(*value));
        }
        let text = aligned::fit(text.trim_start(), columns);
        // What is left over is the curve's.
        let room = columns.saturating_sub(aligned::width(&text) + 2).min(30);
        match room {
            0..4 => text,
            room => format!("{text}  {}", sparkline(losses.values(), room)),
        }
    }
}

/// A line with a bar between its head and its tail, as wide as there is room: none where there is little.
fn barred(head: &str, (done, all): (usize, usize), tail: &str, columns: usize, colours: Colours) -> String {
    let room = columns.saturating_sub(aligned::width(head) + aligned::width(tail) + 2).min(30);
    if room < 6 {
        return aligned::fit(&format!("{head} {tail}"), columns);
    }
    let full = (room * done.min(all)) / all.max(1);
    let bar = format!("{}{}", colours.paint(&"━".repeat(full)), "╌".repeat(room - full));
    format!("{head} {bar} {tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        View {
            epoch: 3,
            max_epochs: 20,
            batch: 12,
            batches: 40,
            step: 92,
            accuracy: Some(0.9123),
            validated: vec![("val_loss".to_owned(), 0.25)],
            trains: "trains 2 of 161 tensors: head 1.000e-3".to_owned(),
            samples_per_second: 123.4,
            memory: "1.2 GiB".to_owned(),
            left_in_epoch: Some(2.0),
            left: Some(80.0),
            ..View::default()
        }
    }

    fn lines(view: &View, columns: usize, colours: Colours) -> Vec<String> {
        let mut losses = Curve::default();
        [1.0, 0.8, 0.5, 0.4].into_iter().for_each(|loss| losses.push(loss));
        view.lines(&losses, columns, colours)
    }

    #[test]
    fn everything_is_said_at_80_columns() {
        assert_eq!(
            lines(&view(), 79, Colours::No),
            [
                "epoch 3/20 ━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 12/40  2.0 s left",
                "run        ━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ step 92  1 min 20 s left",
                "loss 0.4000  acc 0.9123  val_loss 0.2500  █▆▂▁",
                "123 samples/s  1.2 GiB  trains 2 of 161 tensors: head 1.000e-3",
            ]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut view = view();
        view.warnings = 2;
        view.last_warning =
            "a warning that is longer than a line of a narrow terminal, 日本語 in it".to_owned();
        view.validation = Some((3, 10));
        for columns in [1, 10, 20, 40, 60, 80, 200] {
            for line in lines(&view, columns, Colours::No) {
                assert!(aligned::width(&line) <= columns.max(10), "{columns}: {line}");
            }
        }
        let narrow = lines(&view, 39, Colours::No);
        assert_eq!(narrow[0], "epoch 3/20 ━━━╌╌╌╌╌╌╌╌╌ 3/10  validates");
        assert_eq!(narrow[4], "2 warnings: a warning that is longer t…");
    }

    #[test]
    fn colours_are_those_of_bars_alone() {
        let coloured = lines(&view(), 80, Colours::Yes);
        assert!(coloured[0].contains("\u{1b}[36m━") && !coloured[2].contains('\u{1b}'), "{coloured:?}");
    }
}
