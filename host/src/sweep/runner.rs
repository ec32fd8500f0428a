//! Trials one after the other, or some at once.

use std::collections::VecDeque;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use thaw_plugin_api::monitor::Mode;
use thaw_report::Run;
use thaw_report::run::RunState;
use thaw_terminal::number;
use thaw_train::ask::{Ask, ask_without_waiting};
use thaw_train::checkpoint::{LAST, locate};
use thaw_train::run_dir::{Holder, METRICS, holder};

use super::child::{Process, Start, error_in};
use super::{Median, Plan, SweepDir, SweepError, Trial, Verdict};

/// Time between two looks at the children.
const LOOK: Duration = Duration::from_millis(50);
/// Time between two looks at a trial's metrics.
const LOOK_AT_METRICS: Duration = Duration::from_millis(200);

/// What the reason of a run begins with that the median rule ended.
pub(super) const BY_THE_RULE: &str = "ended by the sweep: ";

/// How a trial ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// It was done before.
    Kept,
    /// It trained for all of its epochs, or as long as its callbacks let it.
    Done,
    /// The median rule ended it.
    EndedEarly,
    /// The user stopped it; it goes on with the sweep.
    Interrupted,
    /// It failed.
    Failed {
        /// Its exit code; none where a signal ended it.
        code: Option<i32>,
        /// Its error.
        error: String,
    },
}

/// What happens in a sweep.
pub enum Told<'t> {
    /// A trial begins, or goes on from its last checkpoint.
    Started {
        /// Whether it goes on.
        resumed: bool,
    },
    /// A process of an earlier sweep still trains it: it is waited for.
    Waits {
        /// Its number.
        process: String,
    },
    /// The median rule has asked it to stop.
    Stopping(&'t Verdict),
    /// It is over.
    Ended(&'t End),
}

/// Runs the trials of a plan.
pub struct Runner<'s> {
    /// The plan.
    pub plan: &'s Plan,
    /// Where its trials are.
    pub dir: &'s SweepDir,
    /// How many train at once.
    pub jobs: usize,
    /// How often the user asked for the end.
    pub interrupts: &'s AtomicUsize,
}

/// A trial that trains.
struct Live {
    index: usize,
    process: Process,
    /// Length of its metrics at the last look, and when that was.
    seen: (u64, Instant),
    is_asked: bool,
}

/// What became of a trial that was to begin.
enum Begun {
    Live(Live),
    /// It is done already.
    Kept,
    /// Another process trains it.
    Later {
        /// Its number.
        process: String,
    },
}

/// What a trial has to have done to it.
enum Due {
    Nothing,
    Start(Start),
    /// It trains in a process that is not this one's child.
    Wait(String),
}

impl Runner<'_> {
    /// Runs what is not done yet; gives the end of each trial, none of those that were not begun.
    ///
    /// # Errors
    /// The sweep's folder cannot be written, or no process started.
    pub fn run(&self, tell: &mut dyn FnMut(usize, Told<'_>)) -> Result<Vec<Option<End>>, SweepError> {
        let mut ends: Vec<Option<End>> = vec![None; self.plan.trials.len()];
        let mut waiting: VecDeque<usize> = (0..ends.len()).collect();
        let mut live: Vec<Live> = Vec::new();
        let mut told = vec![false; ends.len()];
        loop {
            let interrupts = self.interrupts.load(Ordering::Relaxed);
            // Each of them once: one that another process trains comes again at the next look.
            for _ in 0..waiting.len() {
                if interrupts > 0 || live.len() >= self.jobs {
                    break;
                }
                let Some(index) = waiting.pop_front() else { break };
                match self.begin(index, tell)? {
                    Begun::Live(begun) => live.push(begun),
                    Begun::Kept => self.note(index, End::Kept, &mut ends, tell),
                    Begun::Later { process } => {
                        if !std::mem::replace(&mut told[index], true) {
                            tell(index, Told::Waits { process });
                        }
                        waiting.push_back(index);
                    }
                }
            }
            if live.is_empty() && (interrupts > 0 || waiting.is_empty()) {
                return Ok(ends);
            }
            std::thread::sleep(LOOK);
            let mut still = Vec::new();
            for mut trial in live {
                trial.process.interrupt(interrupts);
                match self.end_of(&mut trial)? {
                    Some(end) => self.note(trial.index, end, &mut ends, tell),
                    None => {
                        self.judge(&mut trial, &ends, tell);
                        still.push(trial);
                    }
                }
            }
            live = still;
        }
    }

    fn note(&self, index: usize, end: End, ends: &mut [Option<End>], tell: &mut dyn FnMut(usize, Told<'_>)) {
        tell(index, Told::Ended(&end));
        ends[index] = Some(end);
    }

    fn trial(&self, index: usize) -> &Trial {
        &self.plan.trials[index]
    }

    /// Starts a trial.
    fn begin(&self, index: usize, tell: &mut dyn FnMut(usize, Told<'_>)) -> Result<Begun, SweepError> {
        let trial = self.trial(index);
        let start = match due(&self.dir.run_dir(&trial.name)) {
            Due::Nothing => return Ok(Begun::Kept),
            Due::Start(start) => start,
            // One of a sweep that was killed is about to write its checkpoint.
            Due::Wait(process) => return Ok(Begun::Later { process }),
        };
        tell(index, Told::Started { resumed: start == Start::FromLast });
        let process = Process::start(self.dir, self.plan, trial, start)?;
        Ok(Begun::Live(Live { index, process, seen: (0, Instant::now()), is_asked: false }))
    }

    /// How a trial ended, if it did.
    fn end_of(&self, live: &mut Live) -> Result<Option<End>, SweepError> {
        let log = || self.dir.log(&self.trial(live.index).name);
        let status = live.process.ended().map_err(super::error::at("host"))?;
        Ok(status.map(|status| match status.code() {
            Some(0) if is_ended_early(&self.dir.run_dir(&self.trial(live.index).name)) => End::EndedEarly,
            Some(0) => End::Done,
            Some(130) => End::Interrupted,
            // Before it could listen.
            None if self.interrupts.load(Ordering::Relaxed) > 0 && is_by_interrupt(status) => {
                End::Interrupted
            }
            code => End::Failed { code, error: error_in(&log()) },
        }))
    }

    /// Asks a trial to stop that the median rule ends.
    fn judge(&self, live: &mut Live, ends: &[Option<End>], tell: &mut dyn FnMut(usize, Told<'_>)) {
        let Some(after) = self.plan.median_after else { return };
        let (length, at) = live.seen;
        if live.is_asked || at.elapsed() < LOOK_AT_METRICS {
            return;
        }
        let run_dir = self.dir.run_dir(&self.trial(live.index).name);
        let now = std::fs::metadata(run_dir.join(METRICS)).map_or(0, |metadata| metadata.len());
        live.seen = (now, Instant::now());
        if now == length {
            return;
        }
        let Some((curve, mode, is_last)) = curve(&run_dir) else { return };
        let is_done = |end: &Option<End>| matches!(end, Some(End::Done | End::Kept));
        let done = ends.iter().enumerate().filter(|(_, end)| is_done(end));
        let done = done.filter_map(|(index, _)| of_whole(&self.dir.run_dir(&self.trial(index).name)));
        let rule = Median { after, trials: self.plan.median_trials };
        let Some(verdict) = rule.verdict(&curve, &done.collect::<Vec<_>>(), mode).filter(|_| !is_last) else {
            return;
        };
        let reason = format!(
            "{BY_THE_RULE}{} at best until epoch {}, worse than the median {} of {} trials",
            number(verdict.best),
            verdict.epoch + 1,
            number(verdict.median),
            verdict.others
        );
        match ask_without_waiting(&run_dir, Ask::Stop { reason }) {
            Ok(true) => {
                live.is_asked = true;
                tell(live.index, Told::Stopping(&verdict));
            }
            // It is looked at again with its next record.
            Ok(false) => live.seen.0 = 0,
            Err(error) => tracing::debug!("{error}"),
        }
    }
}

/// Whether an interrupt ended a process that had not yet begun to listen to it.
fn is_by_interrupt(status: ExitStatus) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        status.signal() == Some(signal_hook::consts::SIGINT)
    }
    #[cfg(not(unix))]
    {
        let _ = status;
        true
    }
}

/// What a trial's run directory asks for.
fn due(run_dir: &Path) -> Due {
    if let Ok(Holder::Live { process }) = holder(run_dir) {
        return Due::Wait(process);
    }
    match Run::read(run_dir).map(|run| run.state) {
        Ok(RunState::Done(_)) => Due::Nothing,
        _ if locate(run_dir, LAST).is_ok() => Due::Start(Start::FromLast),
        _ => Due::Start(Start::Anew),
    }
}

/// The metric that ranks a trial's checkpoints, by whole epochs, and whether the last of them is the run's
/// last.
fn curve(run_dir: &Path) -> Option<(Vec<(usize, f64)>, Mode, bool)> {
    let run = Run::read(run_dir).ok()?;
    let (metric, mode) = run.ranking();
    let epochs = run.epochs();
    let values = run.of_epochs(&metric).into_iter().filter(|(epoch, _)| *epoch < epochs);
    Some((values.collect(), mode?, run.max_epochs().is_some_and(|all| epochs >= all)))
}

/// The same of a trial that is done; none of one that a median rule ended, which is no measure for others.
fn of_whole(run_dir: &Path) -> Option<Vec<(usize, f64)>> {
    if is_ended_early(run_dir) { None } else { curve(run_dir).map(|(values, ..)| values) }
}

/// Whether the median rule ended a run, as that says.
fn is_ended_early(run_dir: &Path) -> bool {
    let state = Run::read(run_dir).map(|run| run.state);
    matches!(state, Ok(RunState::Done(Some(reason))) if reason.starts_with(BY_THE_RULE))
}
