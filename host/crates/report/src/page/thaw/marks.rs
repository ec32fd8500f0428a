//! Moments in the thaw chart: something else trains, passes start from what frozen stages gave, a strategy
//! takes over, the run goes on.

use std::collections::BTreeSet;

use super::cells::Columns;
use crate::run::{GroupsRecord, HistoryRecord, Run, What};

/// What happened at the start of an epoch.
#[derive(Debug, PartialEq)]
pub(super) struct Mark {
    /// The epoch, from 0.
    pub(super) epoch: usize,
    /// What, in words.
    pub(super) text: String,
}

/// The moments of a run in their order.
pub(super) fn of(run: &Run, columns: &Columns<'_>) -> Vec<Mark> {
    let mut marks = changes(columns);
    marks.extend(starts(&run.history));
    for swap in &run.swaps {
        let text = format!("swap: {} replaces {}", swap.id, swap.replaced);
        marks.push(Mark { epoch: swap.epoch, text });
    }
    for resume in &run.resumes {
        let text = format!("the run goes on from checkpoint {}", resume.checkpoint);
        marks.push(Mark { epoch: resume.epoch, text });
    }
    let shown = 0..columns.len();
    marks.retain(|mark| shown.clone().any(|column| columns.epoch(column) == mark.epoch));
    marks.sort_by_key(|mark| mark.epoch);
    marks
}

/// Epochs from which on passes start elsewhere. What a resume took back does not count, and what it computed
/// anew is no other start.
fn starts(history: &[HistoryRecord]) -> Vec<Mark> {
    let mut marks: Vec<(&str, Mark)> = Vec::new();
    for record in history {
        match &record.what {
            What::Resumed { .. } => marks.retain(|(_, mark)| mark.epoch < record.epoch),
            What::FrozenCache { split, after, cut, stages } => {
                let passes = if split == "train" { "training" } else { "validation" };
                let start = match after {
                    Some(stage) => format!("after `{stage}` ({cut} of {stages} stages computed once)"),
                    None => "from the samples".to_owned(),
                };
                let text = format!("{passes} starts {start}");
                let before = marks.iter().rev().find(|(of, _)| of == split);
                let is_new = before.map_or(after.is_some(), |(_, mark)| mark.text != text);
                if is_new {
                    marks.push((split, Mark { epoch: record.epoch, text }));
                }
            }
            _ => {}
        }
    }
    marks.into_iter().map(|(_, mark)| mark).collect()
}

/// Epochs in which something else trains than in the one before.
fn changes(columns: &Columns<'_>) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut before: Option<&GroupsRecord> = None;
    for (epoch, record) in columns.records() {
        if let Some(before) = before.filter(|before| !std::ptr::eq(*before, record)) {
            let text = change(before, record);
            if !text.is_empty() {
                marks.push(Mark { epoch, text });
            }
        }
        before = Some(record);
    }
    marks
}

/// What trains, or does not, and did otherwise before.
fn change(before: &GroupsRecord, now: &GroupsRecord) -> String {
    let names = |record: &GroupsRecord| -> BTreeSet<String> {
        record.groups.iter().map(|group| group.name.clone()).collect()
    };
    let (had, has) = (names(before), names(now));
    let trained: BTreeSet<&String> = before.trainable.iter().collect();
    let trains: BTreeSet<&String> = now.trainable.iter().collect();
    let listed = |names: Vec<&String>| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let count = |number: usize, verb: &str| match number {
        0 => String::new(),
        1 => format!("1 tensor {verb}s"),
        number => format!("{number} tensors {verb}"),
    };
    let mut parts = vec![
        count(trains.difference(&trained).count(), "thaw"),
        count(trained.difference(&trains).count(), "freeze"),
    ];
    let (new, gone) = (has.difference(&had).collect::<Vec<_>>(), had.difference(&has).collect::<Vec<_>>());
    let group = |names: &[&String]| if names.len() == 1 { "group" } else { "groups" };
    if !new.is_empty() {
        parts.push(format!("{} {} joins", group(&new), listed(new.clone())));
    }
    if !gone.is_empty() {
        parts.push(format!("{} {} leaves", group(&gone), listed(gone.clone())));
    }
    if parts.iter().all(String::is_empty) && before.batch_norm != now.batch_norm {
        parts.push("batch norms change their mode".to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::cells::tests::record;
    use super::*;

    #[test]
    fn what_thaws_and_freezes_is_marked_and_a_rate_alone_is_not() {
        let records = [
            record(0, 0.1, &["a"]),
            record(1, 0.2, &["a"]),
            record(2, 0.2, &["a", "b", "c"]),
            record(3, 0.2, &["b", "c"]),
        ];
        let marks = changes(&Columns::of(&records));
        let expected = [(2, "2 tensors thaw"), (3, "1 tensor freezes")];
        let expected = expected.map(|(epoch, text)| Mark { epoch, text: text.to_owned() });
        assert_eq!(marks, expected);
    }

    #[test]
    fn where_passes_start_is_marked_once_and_not_what_a_resume_took_back() {
        let record = |epoch: usize, event: &str, values: serde_json::Value| -> HistoryRecord {
            let mut record = serde_json::json!({ "epoch": epoch, "step": 0, "event": event });
            record.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
            serde_json::from_value(record).unwrap()
        };
        let cache = |epoch, split: &str, after: &str, cut: usize| {
            let values = serde_json::json!({ "split": split, "after": after, "cut": cut, "stages": 7 });
            record(epoch, "frozen_cache", values)
        };
        let samples = |epoch, split: &str| {
            let values = serde_json::json!({ "split": split, "reason": "`layer4` trains" });
            record(epoch, "frozen_cache", values)
        };
        let history = [
            cache(0, "train", "pool", 6),
            samples(0, "val"),
            cache(2, "train", "layer3", 4),
            record(1, "resumed", serde_json::json!({ "checkpoint": "last" })),
            cache(1, "train", "pool", 6),
            samples(3, "train"),
        ];
        let found: Vec<_> = starts(&history).into_iter().map(|mark| (mark.epoch, mark.text)).collect();
        let expected = [
            (0, "training starts after `pool` (6 of 7 stages computed once)"),
            (3, "training starts from the samples"),
        ];
        assert_eq!(found, expected.map(|(epoch, text)| (epoch, text.to_owned())));
    }
}
