//! What somebody asks of the run while it trains: a stop after the epoch, a checkpoint, a validation.

use std::path::Path;
use std::time::Instant;

use thaw_plugin_api::context::CheckpointName;
use thaw_plugin_api::monitor::is_of_validation;

use super::Fit;
use super::events::EventKind;
use super::swap::LOOK_EVERY;
use crate::ask::{Ask, AskAnswer, AskRequest, Asks};
use crate::mailbox::Mailbox;
use crate::world::World;

/// Requests, and what is under way of them.
pub struct Asking {
    mailbox: Mailbox<Asks>,
    /// Why the run is to end after its epoch.
    stop: Option<String>,
    /// Taken by the first of several processes, which has not told the others yet.
    untold: Option<AskRequest>,
    /// Taken, and not done yet.
    doing: Vec<Doing>,
    /// When the mailbox was looked into.
    looked: Instant,
}

/// A request that was taken.
struct Doing {
    request: AskRequest,
    what: Work,
}

/// What the loop does next for a request.
enum Work {
    Checkpoint(CheckpointName),
    Validation {
        /// Optimizer steps that were done when it was asked for.
        from_step: usize,
    },
}

impl Asking {
    /// Nothing asked yet.
    pub(super) fn new(run_dir: &Path, world: &World) -> Self {
        let is_first = world.is_first();
        let mailbox = if is_first { Mailbox::open(run_dir) } else { Mailbox::of_another(run_dir) };
        Self { mailbox, stop: None, untold: None, doing: Vec::new(), looked: Instant::now() }
    }
}

impl Fit {
    /// Answers what is done, and looks for a request where it is time to: after a batch.
    pub(super) fn look_for_asks(&mut self) {
        self.answer_asks();
        if self.state.world.is_first() && self.asking.looked.elapsed() >= LOOK_EVERY {
            self.read_ask();
            self.asking.looked = Instant::now();
        }
    }

    /// An epoch ends: a stop that waited for it is due.
    pub(super) fn stop_as_asked(&mut self) {
        self.answer_asks();
        if self.state.world.is_single() {
            self.read_ask();
        }
        if let Some(reason) = self.asking.stop.take() {
            self.state.ask_to_stop(reason);
        }
    }

    /// The run ends: who waits is told so.
    pub(super) fn close_asks(&mut self) {
        self.answer_asks();
        let ended = || AskAnswer::Refused { reason: "it ends".to_owned() };
        let doing = std::mem::take(&mut self.asking.doing).into_iter().map(|doing| doing.request);
        for request in doing.chain(self.asking.untold.take()) {
            self.asking.mailbox.answer(&request, &ended());
        }
        if self.state.world.is_first()
            && let Some(request) = self.asking.mailbox.read()
            && self.asking.mailbox.take(&request)
        {
            self.asking.mailbox.answer(&request, &ended());
        }
    }

    fn read_ask(&mut self) {
        if self.asking.untold.is_some() {
            return;
        }
        let Some(mut request) = self.asking.mailbox.read() else { return };
        if !self.asking.mailbox.take(&request) {
            return;
        }
        if let Err(reason) = self.settle_ask(&mut request.ask) {
            let word = request.ask.word();
            self.state.warnings.warn(format_args!("a {word} that was asked for is refused: {reason}"));
            self.asking.mailbox.answer(&request, &AskAnswer::Refused { reason });
        } else if self.state.world.is_single() {
            self.begin_ask(request);
        } else {
            self.asking.untold = Some(request);
        }
    }

    /// What the first of several processes was asked for since the last batch: all of them do it.
    pub(super) fn untold_ask(&self) -> Option<Ask> {
        self.asking.untold.as_ref().map(|request| request.ask.clone())
    }

    /// Does what the first of several processes was asked for.
    pub(super) fn begin_told_ask(&mut self, ask: &Ask) {
        match self.asking.untold.take() {
            Some(request) => self.begin_ask(request),
            None => drop(self.begin_work(ask)),
        }
    }

    fn begin_ask(&mut self, request: AskRequest) {
        let what = self.begin_work(&request.ask);
        // An observer that ends the run says so at the next event.
        if let Err(error) = self.tell(EventKind::AskedFor(&request.ask)) {
            tracing::error!("{error}");
        }
        match what {
            Some(what) => self.asking.doing.push(Doing { request, what }),
            None => {
                let epoch = self.state.progress().epoch;
                self.asking.mailbox.answer(&request, &AskAnswer::Stops { epoch });
            }
        }
    }

    /// Whether it can be done; a checkpoint without a name gets one.
    ///
    /// # Errors
    /// Why it cannot be done.
    fn settle_ask(&self, ask: &mut Ask) -> Result<(), String> {
        let progress = self.state.progress();
        match ask {
            Ask::Stop { .. } => Ok(()),
            Ask::Checkpoint { name } => {
                let default = || format!("asked-epoch={}-step={}", progress.epoch, progress.global_step);
                let name = name.get_or_insert_with(default);
                CheckpointName::new(name).map_err(|error| error.to_string())?;
                if !self.state.config.checkpoint.enabled {
                    return Err("checkpoint.enabled = false writes none".to_owned());
                }
                if self.state.kept.store.folder().join(&*name).exists() {
                    return Err(format!("there is a checkpoint `{name}` already; take another name"));
                }
                Ok(())
            }
            Ask::Validate if progress.num_validation_batches == 0 => {
                Err("the run has no validation data".to_owned())
            }
            Ask::Validate => Ok(()),
        }
    }

    /// Gives the loop what it is to do; nothing for a stop, which waits for the end of the epoch.
    fn begin_work(&mut self, ask: &Ask) -> Option<Work> {
        let progress = self.state.progress();
        match ask {
            Ask::Stop { reason } => {
                tracing::info!("the run ends after epoch {}: {reason}", progress.epoch + 1);
                self.asking.stop.get_or_insert_with(|| reason.clone());
                None
            }
            Ask::Checkpoint { name } => {
                let name = CheckpointName::new(name.as_deref().unwrap_or_default()).ok()?;
                self.state.requests.checkpoints.push(name.clone());
                Some(Work::Checkpoint(name))
            }
            Ask::Validate => {
                self.state.requests.validate = true;
                Some(Work::Validation { from_step: progress.global_step })
            }
        }
    }

    fn answer_asks(&mut self) {
        for doing in std::mem::take(&mut self.asking.doing) {
            match self.came_of(&doing.what) {
                Some(answer) => self.asking.mailbox.answer(&doing.request, &answer),
                None => self.asking.doing.push(doing),
            }
        }
    }

    /// What came of it; none while the loop has not done it.
    fn came_of(&self, what: &Work) -> Option<AskAnswer> {
        match what {
            Work::Checkpoint(name) if self.state.requests.checkpoints.contains(name) => None,
            Work::Checkpoint(name) => {
                let is_there = self.state.kept.store.folder().join(&**name).is_dir();
                let lost = self.state.kept.lost.get(&**name);
                Some(match lost {
                    None if is_there => AskAnswer::Written { name: (**name).to_owned() },
                    reason => AskAnswer::Refused {
                        reason: reason
                            .map_or("it ends".to_owned(), |reason| format!("not written: {reason}")),
                    },
                })
            }
            Work::Validation { .. } if self.state.requests.validate => None,
            Work::Validation { from_step } => {
                if self.state.measured.validated_at.is_none_or(|step| step < *from_step) {
                    return Some(AskAnswer::Refused { reason: "the validation did not end".to_owned() });
                }
                let metrics = self.state.measured.metrics.iter();
                let metrics = metrics.filter(|(name, _)| is_of_validation(name));
                let finite = |value: f64| value.is_finite().then_some(value);
                let metrics = metrics.map(|(name, value)| (name.clone(), finite(*value))).collect();
                Some(AskAnswer::Validated { metrics })
            }
        }
    }
}
