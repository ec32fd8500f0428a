//! What a run did, as lines that can be compared, within a process and between two.

use thaw_plugin_api::testing::Report;

use super::{Job, Outcome};

const FILE: &str = "trace.txt";
/// Characters shown around the first difference.
const SHOWN: usize = 60;

/// A label and what it was, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(Vec<String>);

impl Trace {
    /// One without lines.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// What a fake run did in its epochs, and in which order.
    pub fn of(report: &Report) -> Self {
        let mut trace = Self::of_epochs(report);
        trace.push("stopped because", &format!("{:?}", report.stopped));
        for event in &report.events {
            trace.push(&format!("epoch {}, step {}", event.epoch, event.global_step), &event.what);
        }
        trace
    }

    /// What a fake run did in its epochs alone: what has to be the same after a resumption.
    pub fn of_epochs(report: &Report) -> Self {
        let mut trace = Self::new();
        for record in &report.epochs {
            let mut add =
                |what: &str, value: String| trace.push(&format!("epoch {}, {what}", record.epoch), &value);
            add("groups", format!("{:?}", record.groups));
            add("trainable", format!("{:?}", record.trainable()));
            add(
                "modes",
                format!(
                    "{:?}",
                    record
                        .tree
                        .modules()
                        .iter()
                        .map(|m| (&m.path, m.training, m.track_running_stats))
                        .collect::<Vec<_>>()
                ),
            );
            add(
                "state",
                format!(
                    "{:?}",
                    record.states.iter().map(|(id, state)| format!("{id}: {state}")).collect::<Vec<_>>()
                ),
            );
            add("steps", format!("{:?}", record.steps));
            add("logged", format!("{:?}", record.logged));
            add("values", format!("{:?}", record.values));
            add("metrics", format!("{:?}", record.metrics));
        }
        trace
    }

    /// Adds a line.
    pub fn push(&mut self, label: &str, value: &str) {
        self.0.push(format!("{label}: {}", value.replace('\n', " ")));
    }

    /// Adds the lines of another one.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The lines of an epoch and of those after it, in a trace of epochs.
    pub fn since_epoch(&self, epoch: usize) -> Self {
        let start = format!("epoch {epoch}, ");
        Self(self.0.iter().skip_while(|line| !line.starts_with(&start)).cloned().collect())
    }

    /// The first line that differs, here and there.
    pub fn difference(&self, expected: &Self) -> Option<(String, String)> {
        let none = "nothing".to_owned();
        let length = self.0.len().max(expected.0.len());
        let (found, expected) = (0..length)
            .map(|index| (self.0.get(index).unwrap_or(&none), expected.0.get(index).unwrap_or(&none)))
            .find(|(found, expected)| found != expected)?;
        let at = found.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
        Some((excerpt(found, at), excerpt(expected, at)))
    }

    /// In the first of two processes leaves the trace, in the second compares with what the first one left.
    ///
    /// # Errors
    /// [`Outcome::Failed`] where they differ.
    pub fn compare_across_processes(&self, job: &Job, hint: &str) -> Result<(), Outcome> {
        let Some(first) = job.left_behind(FILE) else { return job.leave_behind(FILE, &self.0.join("\n")) };
        let first = Self(first.lines().map(str::to_owned).collect());
        match self.difference(&first) {
            None => Ok(()),
            Some((found, expected)) => Err(Outcome::failed(
                format!("in a second process {found}"),
                format!("as in the first one {expected}"),
                hint,
            )),
        }
    }
}

/// The label, and the text around the place of the difference.
fn excerpt(line: &str, at: usize) -> String {
    let (label, value) = line.split_once(": ").unwrap_or(("", line));
    let start = at.saturating_sub(label.chars().count() + 2).saturating_sub(SHOWN / 2);
    let shown: String = value.chars().skip(start).take(SHOWN).collect();
    let more = if value.chars().count() > start + SHOWN { " …" } else { "" };
    let before = if start > 0 { "… " } else { "" };
    if label.is_empty() {
        format!("{before}{shown}{more}")
    } else {
        format!("{label}: {before}{shown}{more}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown_with_what_is_around_it() {
        let long = "x".repeat(200);
        let (mut a, mut b) = (Trace::new(), Trace::new());
        a.push("epoch 1, groups", &format!("{long}1{long}"));
        b.push("epoch 1, groups", &format!("{long}2{long}"));
        let (found, expected) = a.difference(&b).unwrap();
        assert!(
            found.starts_with("epoch 1, groups: … xxx") && found.contains('1') && found.ends_with('…'),
            "{found}"
        );
        assert!(expected.contains('2') && expected.len() < 120, "{expected}");
        assert_eq!(a.difference(&a.clone()), None);
    }

    #[test]
    fn a_line_more_is_a_difference() {
        let (a, mut b) = (Trace::new(), Trace::new());
        b.push("stopped because", "None");
        assert_eq!(a.difference(&b), Some(("nothing".to_owned(), "stopped because: None".to_owned())));
    }
}
