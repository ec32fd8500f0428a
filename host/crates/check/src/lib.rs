//! `host plugin check`: whether a plugin keeps what host, run and author rely on.
//!
//! ```no_run
//! use thaw_check::{Options, Report, Suite};
//!
//! # fn main() -> Result<(), thaw_plugins::PluginError> {
//! let suite = Suite::new("target/debug/libmy_strategy.so".as_ref(), Options::default())?;
//! let checked = suite.run(|_| ());
//! let report = Report::new(&suite, checked, 0.0);
//! println!("{}", report.summary());
//! # Ok(())
//! # }
//! ```
//!
//! A [`Check`] looks at a plugin file or at one of its ids and gives an [`Outcome`]. Each runs in a child
//! process with a time limit (`process`), so that a crash, a hang or an exit is an outcome like any other.
//! [`Suite`] says which checks are run on which ids; a check whose ground is missing is skipped: where a
//! strategy does not run at all, there is nothing to say of its state.
//!
//! The checks lie in one file per group: `library`, `config`, `state`, `run`, `process_state`, `model`,
//! `dataset`.

mod config;
mod dataset;
mod job;
mod library;
mod model;
mod outcome;
mod process;
mod process_state;
mod report;
mod run;
mod sample;
mod state;
mod subject;
mod suite;
mod trace;
mod values;
#[cfg(target_os = "linux")]
mod zygote;
#[cfg(not(target_os = "linux"))]
#[path = "no_zygote.rs"]
mod zygote;

use thaw_plugin_api::abi::Kind;

pub use job::Job;
pub use outcome::{Finding, Outcome, Verdict};
pub use process::run_job;
pub use report::{Report, head, lines};
pub use sample::{Reach, Sampled};
pub use subject::Subject;
pub use suite::{Checked, Options, Suite};

/// One thing that a plugin has to keep.
pub struct Check {
    /// Name in kebab-case, unique for each kind of subject.
    pub id: &'static str,
    /// What holds where it passes, in one line.
    pub description: &'static str,
    /// The check without which this one has no ground.
    pub after: Option<&'static str>,
    /// On which of a plugin's models it runs.
    pub reach: Reach,
    /// Whether it runs in two processes, the second of which compares.
    pub twice: bool,
    body: Body,
}

/// What a check looks at.
#[derive(Clone, Copy)]
enum Body {
    /// The file, before anything of it is open.
    File(fn(&Job) -> Verdict),
    /// Anything with an id.
    Item(fn(&mut Subject) -> Verdict),
    /// A strategy or callback.
    Instance(fn(&mut Subject) -> Verdict),
    /// A model.
    Model(fn(&mut Subject) -> Verdict),
    /// A data set.
    Dataset(fn(&mut Subject) -> Verdict),
}

impl Check {
    const fn new(id: &'static str, description: &'static str, body: Body) -> Self {
        Self { id, description, after: None, reach: Reach::Smallest, twice: false, body }
    }

    const fn after(mut self, check: &'static str) -> Self {
        self.after = Some(check);
        self
    }

    const fn on(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    const fn twice(mut self) -> Self {
        self.twice = true;
        self
    }

    /// What it looks at, in a word.
    pub fn subject(&self) -> &'static str {
        match self.body {
            Body::File(_) => "file",
            Body::Item(_) => "any id",
            Body::Instance(_) => "strategy, callback",
            Body::Model(_) => "model",
            Body::Dataset(_) => "dataset",
        }
    }

    /// Whether it is for an id of this kind; for the file, where there is none.
    fn is_for(&self, kind: Option<Kind>) -> bool {
        match self.body {
            Body::File(_) => kind.is_none(),
            Body::Item(_) => kind.is_some(),
            Body::Instance(_) => matches!(kind, Some(Kind::Strategy | Kind::Callback)),
            Body::Model(_) => kind == Some(Kind::Model),
            Body::Dataset(_) => kind == Some(Kind::Dataset),
        }
    }

    /// Seconds that it may take without a `--timeout`, for an id of this kind.
    fn limit(&self, kind: Option<Kind>) -> u64 {
        if kind == Some(Kind::Model) { 600 } else { 60 }
    }
}

/// Every check, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Check> + Clone {
    let groups = [
        library::CHECKS,
        config::CHECKS,
        run::CHECKS,
        state::CHECKS,
        model::CHECKS,
        dataset::CHECKS,
        process_state::CHECKS,
    ];
    groups.into_iter().flatten()
}

/// The check of an id and kind.
fn find(id: &str, kind: Option<Kind>) -> Option<&'static Check> {
    all().find(|check| check.id == id && check.is_for(kind))
}
