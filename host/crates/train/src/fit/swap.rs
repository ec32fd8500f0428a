//! Replacing a strategy of the run: as an asker wants it, or as the journal of a resumed run says.

mod journal;
mod request;

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use thaw_plugin_api::hook::Hook;

use super::Fit;
use super::events::EventKind;
use crate::Error;
use crate::audit;
use crate::config::CallbackTable;
use crate::mailbox::{Mailbox, Unanswered};
use crate::run_dir::PrivateCopy;
use crate::swap::{Swap, SwapAnswer, SwapError, SwapRequest, Swaps};
use crate::world::World;
use thaw_plugins::{Instance, LoadedPlugin};

/// Swaps that a run was asked for, and those that it repeats.
pub struct Swapping {
    mailbox: Mailbox<Swaps>,
    /// Made, and waiting for the next epoch.
    prepared: Option<Incoming>,
    /// Takes over in the epoch that starts.
    entering: Option<Incoming>,
    /// Of the journal, still to come.
    replay: Vec<Swap>,
    /// When the mailbox was looked into.
    looked: Instant,
}

/// How often a run looks for a request inside an epoch: opening a file after each batch costs a small model
/// some of its speed.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A strategy that is to take over.
pub(super) struct Incoming {
    swap: Swap,
    instance: Instance,
    plugin: Rc<LoadedPlugin>,
    /// Who asked, and the copy made for it; nobody did where the journal is repeated.
    asked: Option<(SwapRequest, PrivateCopy)>,
}

/// What came of a strategy that somebody asked for.
enum Tried {
    /// It is in charge; this is the one before it.
    TookOver(Instance),
    /// It failed to, and the run is as it was.
    PutBack(Error),
}

impl Incoming {
    /// Place of the strategy that it replaces.
    pub(super) fn index(&self) -> usize {
        self.swap.index
    }
}

impl Swapping {
    /// Nothing asked yet.
    pub(super) fn new(run_dir: &Path, world: &World) -> Self {
        let is_first = world.is_first();
        Self {
            mailbox: if is_first { Mailbox::open(run_dir) } else { Mailbox::of_another(run_dir) },
            prepared: None,
            entering: None,
            replay: Vec::new(),
            looked: Instant::now(),
        }
    }
}

impl Fit {
    /// Looks for a request after a batch, where it is time to.
    pub(super) fn look_for_swap_request(&mut self) {
        if self.swapping.looked.elapsed() >= LOOK_EVERY {
            self.read_swap_request();
            self.swapping.looked = Instant::now();
        }
    }

    /// Looks for a request and makes its strategy, or refuses it.
    fn read_swap_request(&mut self) {
        // The first process answers for all.
        if self.swapping.prepared.is_some() || !self.state.world.is_first() {
            return;
        }
        let Some(request) = self.swapping.mailbox.read() else { return };
        if !self.state.world.is_single() {
            if self.swapping.mailbox.take(&request) {
                self.refuse(&request, &SwapError::Processes(self.state.world.size()).into());
            }
            return;
        }
        match self.prepare_swap(&request) {
            Ok(incoming) => {
                tracing::info!(
                    "at the next epoch `{}` replaces `{}`",
                    incoming.swap.id,
                    incoming.swap.replaced
                );
                self.swapping.prepared = Some(incoming);
            }
            Err(error) if self.swapping.mailbox.take(&request) => self.refuse(&request, &error),
            Err(_) => {}
        }
    }

    /// The strategy that takes over in the epoch that starts.
    ///
    /// # Errors
    /// The journal of a resumed run cannot be repeated.
    fn incoming(&mut self) -> Result<Option<Incoming>, Error> {
        let epoch = self.state.progress().epoch;
        if self.swapping.replay.first().is_some_and(|swap| swap.epoch == epoch) {
            let swap = self.swapping.replay.remove(0);
            return self.repeated(swap).map(Some);
        }
        let waiting = self.swapping.mailbox.read();
        let is_withdrawn =
            |incoming: &mut Incoming| incoming.asked.as_ref().map(|(request, _)| request) != waiting.as_ref();
        if let Some(withdrawn) = self.swapping.prepared.take_if(is_withdrawn) {
            tracing::info!(
                "`{}` does not replace `{}`: the request was withdrawn",
                withdrawn.swap.id,
                withdrawn.swap.replaced
            );
            withdrawn.asked.into_iter().for_each(|(_, copy)| copy.discard());
        }
        self.read_swap_request();
        let Some(incoming) = self.swapping.prepared.take() else { return Ok(None) };
        match incoming.asked {
            Some((request, copy)) if !self.swapping.mailbox.take(&request) => {
                copy.discard();
                Ok(None)
            }
            asked => Ok(Some(Incoming { asked, ..incoming })),
        }
    }

    /// Decides which strategy, if any, takes over in the epoch that starts.
    ///
    /// # Errors
    /// As [`Self::incoming`].
    pub(super) fn await_entrance(&mut self) -> Result<(), Error> {
        self.swapping.entering = self.incoming()?;
        Ok(())
    }

    /// Lets it take over and start the epoch, if it replaces this strategy; false where it does not.
    ///
    /// # Errors
    /// As [`Self::take_over`].
    pub(super) fn enter_in_place_of(&mut self, index: usize) -> Result<bool, Error> {
        match self.swapping.entering.take_if(|incoming| incoming.index() == index) {
            Some(incoming) => self.take_over(incoming),
            None => Ok(false),
        }
    }

    /// Lets a strategy take over and start this epoch; false where it failed to, and the run is as it was.
    ///
    /// # Errors
    /// The journal of a resumed run cannot be repeated.
    fn take_over(&mut self, incoming: Incoming) -> Result<bool, Error> {
        let Incoming { mut swap, mut instance, plugin, asked } = incoming;
        swap.epoch = self.state.progress().epoch;
        let Some((request, copy)) = asked else {
            self.enter(&mut instance, &swap)?;
            let old = self.install(swap.clone(), instance, plugin)?;
            self.retire(old, &swap)?;
            return Ok(true);
        };
        match self.try_out(&swap, instance, plugin)? {
            Tried::TookOver(old) => {
                self.retire(old, &swap)?;
                self.swapping.mailbox.answer(&request, &SwapAnswer::Swapped(Box::new(swap)));
                Ok(true)
            }
            Tried::PutBack(error) => {
                copy.discard();
                self.refuse(&request, &error);
                Ok(false)
            }
        }
    }

    /// Lets a strategy take over that somebody asked for, and puts everything back where it fails to: also
    /// values of tensors, which it may have restored from a checkpoint or written into.
    ///
    /// # Errors
    /// The run cannot be put back.
    fn try_out(
        &mut self,
        swap: &Swap,
        mut instance: Instance,
        plugin: Rc<LoadedPlugin>,
    ) -> Result<Tried, Error> {
        let before = match self.state.hold() {
            Ok(before) => before,
            Err(error) => return Ok(Tried::PutBack(error)),
        };
        // The run goes another way than the one before it.
        let replay = std::mem::take(&mut self.swapping.replay);
        let plugins = self.plugins.clone();
        let entered =
            self.enter(&mut instance, swap).and_then(|()| self.install(swap.clone(), instance, plugin));
        match entered {
            Ok(old) => Ok(Tried::TookOver(old)),
            Err(error) => {
                self.state.put_back(&before)?;
                (self.swapping.replay, self.plugins) = (replay, plugins);
                Ok(Tried::PutBack(error))
            }
        }
    }

    /// Takes leave of the old strategy.
    fn retire(&mut self, mut old: Instance, swap: &Swap) -> Result<(), Error> {
        let progress = self.state.progress();
        if let Err(failure) = old.hook(Hook::Teardown, &progress, &mut self.state) {
            self.state.warnings.warn(&failure);
        }
        let (from, Swap { id, plugin, version, replaced, .. }) = (swap.epoch + 1, swap);
        tracing::info!("from epoch {from} on `{id}` ({plugin} {version}) replaces `{replaced}`");
        self.tell(EventKind::Swapped(swap))
    }

    /// The run ends: who waits is told so.
    pub(super) fn close_swaps(&mut self) {
        self.swapping
            .prepared
            .take()
            .and_then(|incoming| incoming.asked)
            .into_iter()
            .for_each(|(_, copy)| copy.discard());
        if self.state.world.is_first()
            && let Some(request) = self.swapping.mailbox.read()
            && self.swapping.mailbox.take(&request)
        {
            let ended = Unanswered::ended::<Swaps>(self.state.kept.run_dir.path());
            self.refuse(&request, &SwapError::from(ended).into());
        }
    }

    fn refuse(&self, request: &SwapRequest, error: &Error) {
        let plugin = request.plugin.display();
        self.state
            .warnings
            .warn(format_args!("{plugin} is not swapped in, the run goes on as it was: {error}"));
        self.swapping.mailbox.answer(
            request,
            &SwapAnswer::Refused { reason: error.to_string(), exit_code: error.exit_code() },
        );
    }

    /// What a strategy that takes over goes through, as in a resumed run, into its first epoch: it does not
    /// freeze.
    fn enter(&mut self, new: &mut Instance, swap: &Swap) -> Result<(), Error> {
        let (progress, state) = (self.state.progress(), &mut self.state);
        let old = &mut self.callbacks[swap.index];
        new.hook(Hook::Setup, &progress, state)?;
        if new.id() == old.id() {
            old.hook(Hook::SaveCheckpoint, &progress, state)?;
            new.hook(Hook::LoadCheckpoint, &progress, state)?;
            new.load_state(&old.state()?)?;
        }
        new.hook(Hook::FitStart, &progress, state)?;
        new.hook(Hook::TrainStart, &progress, state)?;
        new.finetune(&progress, state)?;
        new.hook(Hook::TrainEpochStart, &progress, state)?;
        let groups = state
            .trained
            .optimizer
            .as_ref()
            .map(thaw_optim::optimizer::Optimizer::groups)
            .unwrap_or_default();
        state.report_findings(audit::groups(state.trained.model.tree(), groups))?;
        Ok(state.check_something_trains()?)
    }

    /// Puts a strategy in the old one's place, with it in the journal; gives the old one.
    fn install(
        &mut self,
        swap: Swap,
        instance: Instance,
        plugin: Rc<LoadedPlugin>,
    ) -> Result<Instance, Error> {
        self.state.kept.swaps.push(swap.clone());
        self.plugins.add_beside(plugin);
        if let Err(error) = self.write_swaps() {
            self.state.kept.swaps.pop();
            return Err(error);
        }
        Ok(self.put_in_place(&swap, instance))
    }

    fn put_in_place(&mut self, swap: &Swap, instance: Instance) -> Instance {
        self.state.config.callbacks[swap.index] =
            CallbackTable { id: swap.id.clone(), config: swap.config.clone() };
        std::mem::replace(&mut self.callbacks[swap.index], instance)
    }
}
