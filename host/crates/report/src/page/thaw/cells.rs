//! What trains at which rate, by epoch.

use std::collections::HashMap;

use crate::run::{BatchNormMode, GroupsRecord};

/// At most so many columns: of more epochs, one in every so many is shown.
const COLUMNS: usize = 1000;

/// A part of the model in an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell {
    /// Nothing of it trains.
    Frozen,
    /// All of it trains at this rate.
    Trains(f64),
    /// Some of it trains, or not all at one rate.
    Partly {
        /// The highest rate.
        highest: f64,
    },
}

impl Cell {
    /// Of several parts together.
    pub(super) fn of(parts: impl Iterator<Item = Cell>) -> Cell {
        let together = |one: Cell, other: Cell| match (one, other) {
            (one, other) if one == other => one,
            (one, other) => {
                Cell::Partly { highest: one.rate().unwrap_or(0.0).max(other.rate().unwrap_or(0.0)) }
            }
        };
        parts.reduce(together).unwrap_or(Cell::Frozen)
    }

    /// The rate, or the highest; none where nothing trains.
    pub(super) fn rate(self) -> Option<f64> {
        match self {
            Cell::Frozen => None,
            Cell::Trains(rate) | Cell::Partly { highest: rate } => Some(rate),
        }
    }
}

/// How a batch norm normalises in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Norm {
    /// By the batch, and it updates its statistics.
    Train,
    /// By the batch; its statistics stay.
    BatchStats,
    /// By its statistics.
    Eval,
    /// Several that differ.
    Mixed,
}

impl Norm {
    fn of(mode: BatchNormMode) -> Norm {
        match (mode.training, mode.track_running_stats) {
            (false, _) => Norm::Eval,
            (true, Some(false)) => Norm::BatchStats,
            (true, _) => Norm::Train,
        }
    }
}

/// A record of an epoch, to look parameters up in.
struct Column<'r> {
    epoch: usize,
    record: &'r GroupsRecord,
    rates: HashMap<&'r str, f64>,
}

/// Epochs, one beside the other.
pub(super) struct Columns<'r>(Vec<Column<'r>>);

impl<'r> Columns<'r> {
    /// Each epoch as it began: by its first record, or where it has none, as a resumed one, the last record
    /// before it.
    pub(super) fn of(records: &'r [GroupsRecord]) -> Self {
        let mut epochs: Vec<(usize, &GroupsRecord)> = Vec::new();
        let mut before: Option<&GroupsRecord> = None;
        for record in records {
            while let (Some(earlier), Some((last, _))) = (before, epochs.last())
                && last + 1 < record.epoch
                && record.epoch - last < COLUMNS
            {
                epochs.push((last + 1, earlier));
            }
            if epochs.last().is_none_or(|(last, _)| *last < record.epoch) {
                epochs.push((record.epoch, record));
            }
            before = Some(record);
        }
        let every = epochs.len().div_ceil(COLUMNS).max(1);
        Self(epochs.into_iter().step_by(every).map(|(epoch, record)| Column::new(epoch, record)).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The epoch of a column, from 0.
    pub(super) fn epoch(&self, column: usize) -> usize {
        self.0[column].epoch
    }

    /// Records, column by column.
    pub(super) fn records(&self) -> impl Iterator<Item = (usize, &'r GroupsRecord)> {
        self.0.iter().map(|column| (column.epoch, column.record))
    }

    /// These parameters in each epoch.
    pub(super) fn parameters(&self, names: &[String]) -> Vec<Cell> {
        let cell = |column: &Column<'r>| {
            Cell::of(names.iter().map(|name| match column.rates.get(name.as_str()) {
                Some(rate) => Cell::Trains(*rate),
                None => Cell::Frozen,
            }))
        };
        self.0.iter().map(cell).collect()
    }

    /// A batch norm in each epoch; none where the module is no batch norm.
    pub(super) fn norm(&self, path: &str) -> Option<Vec<Norm>> {
        let mode = |column: &Column<'r>| column.record.batch_norm.get(path).map(|mode| Norm::of(*mode));
        self.0.iter().map(mode).collect()
    }
}

impl<'r> Column<'r> {
    fn new(epoch: usize, record: &'r GroupsRecord) -> Self {
        let mut rates: HashMap<&str, f64> =
            record.trainable.iter().map(|name| (name.as_str(), 0.0)).collect();
        for group in &record.groups {
            for name in &group.parameters {
                if let Some(rate) = rates.get_mut(name.as_str()) {
                    *rate = group.lr.unwrap_or(0.0);
                }
            }
        }
        Self { epoch, record, rates }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A record of one group `head`, and of a batch norm `bn` in evaluation mode.
    pub(crate) fn record(epoch: usize, lr: f64, trainable: &[&str]) -> GroupsRecord {
        serde_json::from_value(json!({
            "epoch": epoch, "step": 0, "trainable": trainable,
            "groups": [{ "name": "head", "lr": lr, "parameters": trainable }],
            "batch_norm": { "bn": { "training": false, "track_running_stats": true } },
        }))
        .unwrap()
    }

    #[test]
    fn an_epoch_is_as_it_began_and_one_without_record_as_the_last_before() {
        let records = [record(0, 0.1, &["a"]), record(0, 0.2, &["a", "b"]), record(3, 0.3, &["a", "b"])];
        let columns = Columns::of(&records);
        let cells = columns.parameters(&["a".to_owned()]);
        assert_eq!(cells, [0.1, 0.2, 0.2, 0.3].map(Cell::Trains));
        assert_eq!(columns.parameters(&["b".to_owned()])[0], Cell::Frozen);
        let both = columns.parameters(&["a".to_owned(), "b".to_owned()]);
        assert_eq!(both[..2], [Cell::Partly { highest: 0.1 }, Cell::Trains(0.2)]);
        assert_eq!(columns.norm("bn"), Some(vec![Norm::Eval; 4]));
        assert_eq!(columns.norm("a"), None);
    }
}
