//! Which checks run on which ids, and in which order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use thaw_plugin_api::abi::{Item, Kind, Metadata};

use super::library::{METADATA, ROOT};
use super::zygote::Zygotes;
use super::{Check, Job, Outcome, all, find};

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
    file: PathBuf,
    options: Options,
    scratch: tempfile::TempDir,
    zygotes: Zygotes,
    metadata: Option<Metadata>,
    tasks: Vec<Task>,
}

struct Task {
    check: &'static Check,
    item: Option<(Kind, String)>,
    /// Position of the task that this one builds on.
    after: Option<usize>,
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
    Done(Checked),
}

impl Suite {
    /// Asks the plugin what it offers, in a child process, and lays the checks out.
    ///
    /// # Errors
    /// No place for temporary files.
    pub fn new(file: &Path, options: Options) -> std::io::Result<Self> {
        let scratch = tempfile::Builder::new().prefix("thaw-check-").tempdir()?;
        let mut suite =
            Self { file: file.canonicalize()?, options, scratch, zygotes: Zygotes::default(), metadata: None, tasks: Vec::new() };
        if let Some(check) = find(ROOT, None) {
            let job = suite.job(&Task { check, item: None, after: None }, "metadata")?;
            job.run(check, suite.limit(check), &suite.zygotes);
            suite.metadata = job.left_behind(METADATA).and_then(|text| serde_json::from_str(&text).ok());
        }
        suite.tasks = suite.lay_out();
        Ok(suite)
    }

    /// What the plugin says of itself, where it could be asked.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The file, as it is opened.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What was asked for.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Models that are only sampled, each with the one of the same keys that is looked at whole.
    pub fn sampled(&self) -> BTreeMap<String, String> {
        let mut sampled = BTreeMap::new();
        if self.options.all || !self.options.ids.is_empty() {
            return sampled;
        }
        let models: Vec<&Item> = self.items().filter(|item| item.kind == Kind::Model).collect();
        for (index, item) in models.iter().enumerate() {
            if let Some(first) = models[..index].iter().find(|first| keys(first) == keys(item)) {
                sampled.insert(item.id.clone(), first.id.clone());
            }
        }
        sampled
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        let wanted = |item: &&Item| self.options.ids.is_empty() || self.options.ids.contains(&item.id);
        self.metadata.iter().flat_map(|metadata| &metadata.items).filter(wanted)
    }

    fn lay_out(&self) -> Vec<Task> {
        let sampled = self.sampled();
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
            let kind = item.as_ref().map(|(kind, _)| *kind);
            let is_sampled = item.as_ref().is_some_and(|(kind, id)| *kind == Kind::Model && sampled.contains_key(id));
            let start = tasks.len();
            for check in all().filter(|check| check.is_for(kind) && (check.essential || !is_sampled)) {
                if !self.options.only.is_empty() && !self.options.only.iter().any(|only| only == check.id) {
                    continue;
                }
                let after = tasks[start..].iter().position(|task| Some(task.check.id) == check.after).map(|index| start + index);
                tasks.push(Task { check, item: item.clone(), after });
            }
        }
        tasks
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
        states.into_iter().filter_map(|state| if let State::Done(checked) = state { Some(checked) } else { None }).collect()
    }

    fn work(&self, progress: &Mutex<Progress>, changed: &Condvar, tell: &Mutex<&mut (dyn FnMut(&Checked) + Send)>) {
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
            let checked = self.check(index, ground);
            guard = progress.lock().unwrap_or_else(PoisonError::into_inner);
            guard.states[index] = State::Done(checked);
            let mut tell = tell.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(State::Done(checked)) = guard.states.get(guard.told) {
                tell(checked);
                guard.told += 1;
            }
            changed.notify_all();
        }
    }

    /// The first task that can run now.
    fn next(&self, states: &[State]) -> Option<usize> {
        let is_ready = |task: &Task| task.after.is_none_or(|after| matches!(states[after], State::Done(_)));
        (0..states.len()).find(|&index| matches!(states[index], State::Waiting) && is_ready(&self.tasks[index]))
    }

    fn check(&self, index: usize, ground: Option<State>) -> Checked {
        let task = &self.tasks[index];
        let started = Instant::now();
        let outcome = match ground {
            Some(State::Done(ground)) if !ground.outcome.is_ground() => {
                Outcome::skipped(format!("`{}` {}", ground.check.id, ground.outcome.word().to_lowercase()))
            }
            _ => match self.job(task, &index.to_string()) {
                Ok(job) => job.run(task.check, self.limit(task.check), &self.zygotes),
                Err(error) => Outcome::skipped(format!("no place for temporary files: {error}")),
            },
        };
        Checked { check: task.check, item: task.item.clone(), outcome, seconds: started.elapsed().as_secs_f64() }
    }

    fn limit(&self, check: &Check) -> Duration {
        self.options.timeout.unwrap_or(Duration::from_secs(check.limit()))
    }

    fn job(&self, task: &Task, name: &str) -> std::io::Result<Job> {
        let scratch = self.scratch.path().join(name);
        std::fs::create_dir_all(&scratch)?;
        Ok(Job {
            check: task.check.id.to_owned(),
            file: self.file.clone(),
            item: task.item.clone(),
            config: self.options.config.clone(),
            seed: self.options.seed,
            scratch,
        })
    }
}

/// The keys of an id's configuration with their types, whatever their defaults.
fn keys(item: &Item) -> Vec<(String, Value)> {
    let properties = item.schema.get("properties").and_then(Value::as_object);
    let kind = |property: &Value| property.get("type").cloned().unwrap_or_default();
    properties.into_iter().flatten().map(|(key, property)| (key.clone(), kind(property))).collect()
}
