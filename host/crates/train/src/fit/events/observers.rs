//! Those who are told, and what becomes of one that fails.

use std::collections::BTreeMap;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use thaw_plugin_api::context::Progress;
use time::OffsetDateTime;

use super::{Clock, Event, EventKind, Observer, ObserverError, Warnings};
use crate::checkpoint::SavedObserved;
use crate::fit::FitError;

/// The observers of a run, in the order in which they are told.
pub struct Observers {
    subscribed: Vec<Subscribed>,
    warnings: Warnings,
    clock: Clock,
    /// What they took so far, of events.
    observed: Duration,
    /// What observers said first of what they lost.
    lost: Vec<String>,
}

struct Subscribed {
    observer: Box<dyn Observer>,
    /// Whether it was said that something of it is lost.
    is_loss_told: bool,
    is_out: bool,
}

impl Observers {
    /// Observers of a run whose parts warn through `warnings`.
    pub fn new(observers: Vec<Box<dyn Observer>>, warnings: Warnings) -> Self {
        let subscribed = |observer| Subscribed { observer, is_loss_told: false, is_out: false };
        let subscribed = observers.into_iter().map(subscribed).collect();
        Self { subscribed, warnings, clock: Clock::start(), observed: Duration::ZERO, lost: Vec::new() }
    }

    /// Seconds since the run was started, those of earlier processes included.
    pub fn seconds(&self) -> f64 {
        self.clock.seconds_at(Instant::now())
    }

    /// Tells everybody, first of what was warned of meanwhile.
    ///
    /// # Errors
    /// An observer failed without which the run means nothing.
    pub fn tell(&mut self, progress: &Progress, kind: EventKind<'_>) -> Result<(), FitError> {
        if let EventKind::RunEnded(ending) = &kind {
            let time = OffsetDateTime::now_utc();
            self.each(|observer| observer.before_end(*ending, time))?;
            self.gather_warnings();
        }
        self.tell_warnings(progress)?;
        let began = Instant::now();
        let event = Event {
            time: OffsetDateTime::now_utc(),
            seconds: self.clock.seconds_at(began),
            observing: self.observed.as_secs_f64(),
            progress: *progress,
            kind,
        };
        let told = self.each(|observer| observer.on_event(&event));
        self.observed += began.elapsed();
        self.gather_warnings();
        told
    }

    /// What observers warn of goes into the log, and waits for the next event.
    fn gather_warnings(&mut self) {
        let texts = self.subscribed.iter_mut().flat_map(|subscribed| subscribed.observer.warnings());
        texts.for_each(|text| self.warnings.warn(text));
    }

    /// Lets everybody write what waits.
    ///
    /// # Errors
    /// As [`Observers::tell`].
    pub fn flush(&mut self, progress: &Progress) -> Result<(), FitError> {
        self.tell_warnings(progress)?;
        self.each(|observer| observer.flush())
    }

    /// What a checkpoint is to keep.
    ///
    /// # Errors
    /// As [`Observers::tell`].
    pub fn save(&mut self, progress: &Progress) -> Result<SavedObserved, FitError> {
        self.tell_warnings(progress)?;
        let mut records = BTreeMap::new();
        self.each(|observer| {
            let kept = observer.save()?;
            if !kept.is_null() {
                records.insert(observer.name().to_owned(), kept);
            }
            Ok(())
        })?;
        Ok(SavedObserved { seconds: self.clock.seconds_at(Instant::now()), records })
    }

    /// Asks whether the run can go on from a checkpoint, which changes nothing yet.
    ///
    /// # Errors
    /// It cannot.
    pub fn resume(&mut self, saved: &SavedObserved) -> Result<(), FitError> {
        self.clock.go_on_from(saved.seconds);
        self.each(|observer| match saved.records.get(observer.name()) {
            Some(kept) => observer.resume(kept),
            None => Ok(()),
        })
    }

    /// What observers lost, such as records on a full disk: the first of it that each said.
    pub fn lost(&self) -> &[String] {
        &self.lost
    }

    fn tell_warnings(&mut self, progress: &Progress) -> Result<(), FitError> {
        // An observer that fails at being told gives a warning of its own; it is out by then.
        loop {
            let warnings = self.warnings.take();
            if warnings.is_empty() {
                return Ok(());
            }
            for warning in warnings {
                let event = Event {
                    time: warning.time,
                    seconds: self.clock.seconds_at(warning.at),
                    observing: self.observed.as_secs_f64(),
                    progress: *progress,
                    kind: EventKind::Warned(&warning.text),
                };
                self.each(|observer| observer.on_event(&event))?;
            }
        }
    }

    /// Calls every observer, whichever fails. Those that cannot go on are taken out.
    fn each(
        &mut self,
        mut call: impl FnMut(&mut dyn Observer) -> Result<(), ObserverError>,
    ) -> Result<(), FitError> {
        let mut fatal = None;
        for subscribed in &mut self.subscribed {
            let error = match guarded(|| call(&mut *subscribed.observer)) {
                Ok(()) => continue,
                Err(error) => error,
            };
            if let Some(error) = subscribed.failed(error, &self.warnings, &mut self.lost) {
                fatal.get_or_insert(error);
            }
        }
        self.subscribed.retain(|subscribed| !subscribed.is_out);
        match fatal {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Subscribed {
    /// Says what became of an observer that failed; gives what ends the run.
    fn failed(
        &mut self,
        error: ObserverError,
        warnings: &Warnings,
        lost: &mut Vec<String>,
    ) -> Option<FitError> {
        let name = self.observer.name();
        match error {
            ObserverError::Failed(error) => {
                warnings.warn(format_args!("observer `{name}` failed, the run goes on without it: {error}"));
                self.is_out = true;
                None
            }
            ObserverError::Lost(error) => {
                if !std::mem::replace(&mut self.is_loss_told, true) {
                    tracing::error!("{error}; the run goes on without these records");
                    warnings.told(error.to_string());
                    lost.push(error.to_string());
                }
                None
            }
            ObserverError::EndsRun(error) => Some(ends_run(name, error)),
        }
    }
}

/// What ended a run in an observer. Errors of the run itself, such as those of its device, stay what they
/// are.
fn ends_run(name: &str, error: Box<dyn Error + Send + Sync>) -> FitError {
    match error.downcast::<FitError>() {
        Ok(error) => *error,
        Err(source) => FitError::Observer { name: name.to_owned(), source },
    }
}

/// A panic of an observer's is a failure of it, like any other.
fn guarded(call: impl FnOnce() -> Result<(), ObserverError>) -> Result<(), ObserverError> {
    // What it leaves half done is its own, and it is not called again.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result,
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(ObserverError::Failed(format!("it panicked: {text}").into()))
        }
    }
}
