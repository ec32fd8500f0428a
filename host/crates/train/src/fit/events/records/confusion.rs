//! `confusion.jsonl`.

use std::path::Path;

use serde_json::json;

use super::of_events::{EventRecords, Record};
use super::{RecordsError, stamped};
use crate::fit::events::{Asked, Event, EventKind};
use crate::run_dir::CONFUSION;

impl EventRecords {
    /// A record for every validation of a classification, those of the sanity check left out: `classes`, how
    /// many there are, `counts` of every pair that there is: class, predicted class, samples; and
    /// `calibration` by bins of the prediction's probability: samples, how many of them are right, their mean
    /// probability.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn confusion(run_dir: &Path) -> Result<Self, RecordsError> {
        Self::open("confusion", run_dir, CONFUSION, record)
    }
}

fn record(event: &Event<'_>) -> Record {
    let EventKind::Validated(validated) = &event.kind else { return Ok(None) };
    if validated.asked == Asked::BySanityCheck || validated.confusion.classes == 0 {
        return Ok(None);
    }
    let mut record = stamped(event);
    let counts: Vec<_> = validated.confusion.counts().collect();
    record.insert("classes".to_owned(), json!(validated.confusion.classes));
    record.insert("counts".to_owned(), json!(counts));
    let bins = validated.calibration.bins.iter();
    let bins: Vec<_> = bins.map(|bin| (bin.samples, bin.hits, bin.mean_confidence())).collect();
    record.insert("calibration".to_owned(), json!(bins));
    Ok(Some(record))
}
