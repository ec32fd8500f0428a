//! Whether a run trains, or how it ended.

use std::path::Path;

use thaw_train::run_dir::{Holder, holder};

use super::{HistoryRecord, MetricsRecord, What};

/// Whether a run trains, or how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// A process trains.
    Running,
    /// It is done; with why it was before its last epoch, if so.
    Done(Option<String>),
    /// The user stopped it.
    Interrupted,
    /// An error ended it.
    Failed(String),
    /// Its process is gone and has not said how it ended.
    Gone,
}

impl RunState {
    /// `running`, `done`, `interrupted`, `failed`, `gone`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done(_) => "done",
            Self::Interrupted => "interrupted",
            Self::Failed(_) => "failed",
            Self::Gone => "gone",
        }
    }

    /// As the last record of starts and ends says; else, of a run that did not write them, as far as its
    /// lock and its epochs tell.
    pub(super) fn of(
        run_dir: &Path,
        history: &[HistoryRecord],
        metrics: &[MetricsRecord],
        config: &toml::Table,
    ) -> Self {
        let is_border =
            |what: &&What| matches!(what, What::Started(_) | What::Resumed { .. } | What::Ended { .. });
        let last = history.iter().rev().map(|record| &record.what).find(is_border);
        if let Some(What::Ended { ending, reason }) = last {
            return match ending.as_str() {
                "interrupted" => Self::Interrupted,
                "failed" => Self::Failed(reason.clone().unwrap_or_default()),
                _ => Self::Done(reason.clone()),
            };
        }
        if matches!(holder(run_dir), Ok(Holder::Live { .. })) {
            return Self::Running;
        }
        let all = config.get("trainer").and_then(|trainer| trainer.get("max_epochs")?.as_integer());
        let done = metrics.iter().rev().find(|record| record.batch.is_none()).map(|last| last.epoch + 1);
        let done = done.and_then(|done| i64::try_from(done).ok());
        match (history.is_empty(), done, all) {
            (true, Some(done), Some(all)) if done >= all => Self::Done(None),
            _ => Self::Gone,
        }
    }
}
