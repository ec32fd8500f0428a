//! Which checks run on which ids, and in which order.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use thaw_plugin_api::abi::{Item, Kind, Metadata};

use super::library::{METADATA, ROOT};
use super::model::{MEASURE, PARAMETERS};
use super::sample::{Reach, Sampled, families};
use super::zygote::Zygotes;
use super::{Check, Job, Outcome, all, find};
use thaw_plugins::{PluginError, Snapshot};

/// What is asked of a suite.
pub struct Options {
    /// What random values follow from.
    pub seed: u64,
    /// Checks to run; all where it is empty.
    pub only: Vec<String>,
    /// Ids to look at; all where it is empty.
    pub ids: Vec<String>,
    /// Keys of the configuration of these ids.
    pub config: Value,
    /// Time limit of a check, instead of its own.
    pub timeout: Option<Duration>,
    /// Checks at a time.
    pub jobs: usize,
    /// Whether models are not sampled.
    pub all: bool,
}

/// All checks on all ids, one at a time.
impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            only: Vec::new(),
            ids: Vec::new(),
            config: Value::Object(serde_json::Map::new()),
            timeout: None,
            jobs: 1,
            all: false,
        }
    }
}

/// A check that was run.
#[derive(Clone)]
pub struct Checked {
    /// The check.
    pub check: &'static Check,
    /// What it looked at; the file where there is none.
    pub item: Option<(Kind, String)>,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub seconds: f64,
}

/// The checks of one plugin file.
pub struct Suite {
    /// Checks look at a copy that nobody changes meanwhile.
    snapshot: Snapshot,
    options: Options,
    scratch: tempfile::TempDir,
    zygotes: Zygotes,
    metadata: Option<Metadata>,
    /// Ids of models of which only some are looked at whole.
    families: Vec<Vec<String>>,
    tasks: Vec<Task>,
}

struct Task {
    check: &'static Check,
    item: Option<(Kind, String)>,
    /// Position of the task that this one builds on.
    after: Option<usize>,
    /// Position of the family whose sizes decide whether this one runs.
    family: Option<usize>,
}

/// How far the tasks are.
struct Progress {
    states: Vec<State>,
    /// Tasks that were told.
    told: usize,
}

#[derive(Clone)]
enum State {
    Waiting,
    Running,
    LeftOut,
    Done(Checked),
}

impl Suite {
    /// Asks the plugin what it offers, in a child process, and lays the checks out.
    ///
    /// # Errors
    /// The file cannot be read, or there is no place for temporary files.
    pub fn new(file: &Path, options: Options) -> Result<Self, PluginError> {
        let io = |source| PluginError::Io { path: file.to_path_buf(), source };
        let scratch = tempfile::Builder::new().prefix("thaw-check-").tempdir().map_err(io)?;
        let mut suite = Self {
            snapshot: Snapshot::take(file)?,
            options,
            scratch,
            zygotes: Zygotes::default(),
            metadata: None,
            families: Vec::new(),
            tasks: Vec::new(),
        };
        if let Some(check) = find(ROOT, None) {
            let job =
                suite.job(&Task { check, item: None, after: None, family: None }, "metadata").map_err(io)?;
            job.run(check, suite.limit(check, None), &suite.zygotes);
            suite.metadata = job.left_behind(METADATA).and_then(|text| serde_json::from_str(&text).ok());
        }
        if !suite.options.all && suite.options.ids.is_empty() {
            suite.families = families(suite.items());
        }
        suite.tasks = suite.lay_out();
        Ok(suite)
    }

    /// What the plugin says of itself, where it could be asked.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The plugin's file.
    pub fn file(&self) -> &Path {
        &self.snapshot.file().path
    }

    /// What was asked for.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Models that were not looked at whole, after a run.
    pub fn sampled(&self) -> Vec<Sampled> {
        let mut sampled = Vec::new();
        for (index, family) in self
            .families
            .iter()
            .enumerate()
            .filter(|(index, _)| self.tasks.iter().any(|task| task.family == Some(*index)))
        {
            let smallest = self.smallest(index);
            for id in family.iter().filter(|id| *id != smallest) {
                let checks = self
                    .tasks
                    .iter()
                    .filter(|task| task.is_of(id) && !self.is_left_out(task))
                    .map(|task| task.check.id)
                    .collect();
                sampled.push(Sampled {
                    id: id.clone(),
                    parameters: self.parameters(id),
                    smallest: smallest.to_owned(),
                    checks,
                });
            }
        }
        sampled
    }

    /// Parameters of a model, once they are counted.
    fn parameters(&self, id: &str) -> Option<u64> {
        let (index, task) =
            self.tasks.iter().enumerate().find(|(_, task)| task.check.id == MEASURE && task.is_of(id))?;
        self.job(task, &index.to_string()).ok()?.left_behind(PARAMETERS)?.parse().ok()
    }

    fn smallest(&self, family: usize) -> &str {
        let ids = self.families[family].iter();
        ids.min_by_key(|id| self.parameters(id).unwrap_or(u64::MAX)).map_or("", String::as_str)
    }

    fn is_left_out(&self, task: &Task) -> bool {
        let (Some(family), Some((_, id))) = (task.family, &task.item) else { return false };
        self.smallest(family) != id && task.check.reach.leaves_out(self.parameters(id))
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        let wanted = |item: &&Item| self.options.ids.is_empty() || self.options.ids.contains(&item.id);
        self.metadata.iter().flat_map(|metadata| &metadata.items).filter(wanted)
    }

    fn lay_out(&self) -> Vec<Task> {
        let mut subjects = vec![None];
        for item in self.items() {
            let subject = Some((item.kind, item.id.clone()));
            // An id that is there twice is one finding, not twice all of them.
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        let mut tasks: Vec<Task> = Vec::new();
        for item in subjects {
            let model = item.as_ref().filter(|(kind, _)| *kind == Kind::Model);
            let family =
                model.and_then(|(_, id)| self.families.iter().position(|family| family.contains(id)));
            let kind = item.as_ref().map(|(kind, _)| *kind);
            let start = tasks.len();
            for check in all().filter(|check| check.is_for(kind) && self.is_wanted(check, family.is_some())) {
                let after = tasks[start..]
                    .iter()
                    .position(|task| Some(task.check.id) == check.after)
                    .map(|index| start + index);
                let family = family.filter(|_| check.reach != Reach::All);
                tasks.push(Task { check, item: item.clone(), after, family });
            }
        }
        tasks
    }

    /// Whether a check is asked for, or measures models for one that is.
    fn is_wanted(&self, check: &Check, is_sampled: bool) -> bool {
        let asked = |id: &str| self.options.only.iter().any(|only| only == id);
        let samples = || {
            all().any(|other| other.is_for(Some(Kind::Model)) && other.reach != Reach::All && asked(other.id))
        };
        self.options.only.is_empty() || asked(check.id) || (is_sampled && check.id == MEASURE && samples())
    }

    /// Runs the checks and tells of each in order.
    pub fn run(&self, mut tell: impl FnMut(&Checked) + Send) -> Vec<Checked> {
        let progress = Mutex::new(Progress { states: vec![State::Waiting; self.tasks.len()], told: 0 });
        let changed = Condvar::new();
        let tell: Mutex<&mut (dyn FnMut(&Checked) + Send)> = Mutex::new(&mut tell);
        std::thread::scope(|scope| {
            for _ in 0..self.options.jobs.max(1) {
                scope.spawn(|| self.work(&progress, &changed, &tell));
            }
        });
        let states = progress.into_inner().unwrap_or_else(PoisonError::into_inner).states;
        states
            .into_iter()
            .filter_map(|state| if let State::Done(checked) = state { Some(checked) } else { None })
            .collect()
    }

    fn work(
        &self,
        progress: &Mutex<Progress>,
        changed: &Condvar,
        tell: &Mutex<&mut (dyn FnMut(&Checked) + Send)>,
    ) {
        let mut guard = progress.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if guard.states.iter().all(|state| !matches!(state, State::Waiting)) {
                return;
            }
            let Some(index) = self.next(&guard.states) else {
                guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let ground = self.tasks[index].after.map(|after| guard.states[after].clone());
            guard.states[index] = State::Running;
            drop(guard);
            let state = if self.is_left_out(&self.tasks[index]) {
                State::LeftOut
            } else {
                State::Done(self.check(index, ground))
            };
            guard = progress.lock().unwrap_or_else(PoisonError::into_inner);
            guard.states[index] = state;
            let mut tell = tell.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(state @ (State::Done(_) | State::LeftOut)) = guard.states.get(guard.told) {
                if let State::Done(checked) = state {
                    tell(checked);
                }
                guard.told += 1;
            }
            changed.notify_all();
        }
    }

    /// The first task that can run now.
    fn next(&self, states: &[State]) -> Option<usize> {
        let is_over = |index: usize| matches!(states[index], State::Done(_) | State::LeftOut);
        let is_measured = |family: usize| {
            let of_family =
                |task: &Task| task.item.as_ref().is_some_and(|(_, id)| self.families[family].contains(id));
            let mut measures =
                self.tasks.iter().enumerate().filter(|(_, task)| task.check.id == MEASURE && of_family(task));
            measures.all(|(index, _)| is_over(index))
        };
        let is_ready = |task: &Task| task.after.is_none_or(is_over) && task.family.is_none_or(is_measured);
        (0..states.len())
            .find(|&index| matches!(states[index], State::Waiting) && is_ready(&self.tasks[index]))
    }

    fn check(&self, index: usize, ground: Option<State>) -> Checked {
        let task = &self.tasks[index];
        let started = Instant::now();
        let outcome = match ground {
            Some(State::Done(ground)) if !ground.outcome.is_ground() => {
                Outcome::skipped(format!("`{}` {}", ground.check.id, ground.outcome.word().to_lowercase()))
            }
            _ => match self.job(task, &index.to_string()) {
                Ok(job) => job.run(
                    task.check,
                    self.limit(task.check, task.item.as_ref().map(|(kind, _)| *kind)),
                    &self.zygotes,
                ),
                Err(error) => Outcome::skipped(format!("no place for temporary files: {error}")),
            },
        };
        Checked {
            check: task.check,
            item: task.item.clone(),
            outcome,
            seconds: started.elapsed().as_secs_f64(),
        }
    }

    fn limit(&self, check: &Check, kind: Option<Kind>) -> Duration {
        self.options.timeout.unwrap_or(Duration::from_secs(check.limit(kind)))
    }

    fn job(&self, task: &Task, name: &str) -> std::io::Result<Job> {
        let scratch = self.scratch.path().join(name);
        std::fs::create_dir_all(&scratch)?;
        Ok(Job {
            check: task.check.id.to_owned(),
            file: self.snapshot.for_children(),
            item: task.item.clone(),
            config: self.options.config.clone(),
            seed: self.options.seed,
            scratch,
        })
    }
}

impl Task {
    fn is_of(&self, model: &str) -> bool {
        self.item.as_ref().is_some_and(|(kind, id)| *kind == Kind::Model && id == model)
    }
}
