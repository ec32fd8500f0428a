//! What a suite found, as text for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Checked, Outcome, Suite, sample};
use thaw_terminal::escape::{excerpt, shorten};

/// What a suite found.
pub struct Report<'s> {
    suite: &'s Suite,
    checked: Vec<Checked>,
    seconds: f64,
}

/// Every status with its key in JSON and its words in the summary.
const STATUSES: [(&str, &str, &str); 6] = [
    ("passed", "passed", "passed"),
    ("FAILED", "failed", "failed"),
    ("CRASHED", "crashed", "crashed"),
    ("TIMED OUT", "timed_out", "timed out"),
    ("warning", "warnings", "warnings"),
    ("skipped", "skipped", "skipped"),
];

impl<'s> Report<'s> {
    /// Of what was run.
    pub fn new(suite: &'s Suite, checked: Vec<Checked>, seconds: f64) -> Self {
        Self { suite, checked, seconds }
    }

    /// How many checks failed; with `strict`, or warned.
    pub fn failures(&self, strict: bool) -> usize {
        self.checked.iter().filter(|checked| checked.outcome.is_failure(strict)).count()
    }

    /// How many checks were run.
    pub fn ran(&self) -> usize {
        self.checked.iter().filter(|checked| !matches!(checked.outcome, Outcome::Skipped { .. })).count()
    }

    fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for checked in &self.checked {
            *counts.entry(checked.outcome.word()).or_default() += 1;
        }
        counts
    }

    /// The last lines: how many of what, and what was only sampled.
    pub fn summary(&self) -> String {
        let counts = self.counts();
        let parts =
            STATUSES.iter().filter_map(|(word, _, text)| Some(format!("{} {text}", counts.get(word)?)));
        let mut text = format!("\n{} in {:.1} s", parts.collect::<Vec<_>>().join(", "), self.seconds);
        text.push_str(&sample::text(&self.suite.sampled()));
        text
    }

    /// Everything, for programs.
    pub fn to_json(&self) -> Value {
        let counts = self.counts();
        let summary = STATUSES
            .iter()
            .map(|(word, key, _)| ((*key).to_owned(), json!(counts.get(word).copied().unwrap_or_default())));
        let metadata = self.suite.metadata();
        json!({
            "file": self.suite.file(),
            "name": metadata.map(|metadata| &metadata.name),
            "version": metadata.map(|metadata| &metadata.version),
            "plugin_api": metadata.map(|metadata| &metadata.plugin_api),
            "seed": self.suite.options().seed,
            "seconds": self.seconds,
            "summary": summary.collect::<serde_json::Map<_, _>>(),
            "sampled": self.suite.sampled(),
            "checks": self.checked.iter().map(|checked| self.check_json(checked)).collect::<Vec<_>>(),
        })
    }

    fn check_json(&self, checked: &Checked) -> Value {
        let (kind, id) = checked.item.clone().unzip();
        let mut object = json!({
            "check": checked.check.id, "kind": kind, "id": id, "seconds": checked.seconds,
            "description": checked.check.description,
        });
        if let (Value::Object(table), Ok(Value::Object(outcome))) =
            (&mut object, serde_json::to_value(&checked.outcome))
        {
            table.extend(outcome);
        }
        object
    }
}

/// The first lines: which plugin, which seed.
pub fn head(suite: &Suite) -> String {
    let name = suite
        .metadata()
        .map(|metadata| format!("{} {}, ", shorten(&metadata.name), shorten(&metadata.version)))
        .unwrap_or_default();
    format!("{name}{}\nseed {}", suite.file().display(), suite.options().seed)
}

/// One line for a check, and more where there is something to do.
pub fn lines(suite: &Suite, checked: &Checked) -> String {
    let mut text =
        format!("  {:<9}  {:<24} {:>6.2} s", checked.outcome.word(), checked.check.id, checked.seconds);
    let mut row = |name: &str, value: &str| {
        for (index, line) in excerpt(value).lines().enumerate() {
            let _ = write!(text, "\n             {:<9} {line}", if index == 0 { name } else { "" });
        }
    };
    match &checked.outcome {
        Outcome::Passed { note } => {
            if !note.is_empty() {
                let _ = write!(text, "  {}", excerpt(note));
            }
            return text;
        }
        Outcome::Skipped { reason } => {
            let _ = write!(text, "  {}", excerpt(reason).replace('\n', "; "));
            return text;
        }
        Outcome::Failed(finding) | Outcome::Warning(finding) => {
            row("found", &finding.found);
            row("expected", &finding.expected);
            row("hint", &finding.hint);
        }
        Outcome::Crashed { details } => {
            row("found", details);
            row("expected", checked.check.description);
            row(
                "hint",
                "a plugin never ends the process: return an error; unsafe code and `exit` are the usual \
                 reasons",
            );
        }
        Outcome::TimedOut { details } => {
            row("found", details);
            row("expected", checked.check.description);
            row("hint", "a hook returns soon; give a slow machine more time with --timeout SECONDS");
        }
    }
    row("again", &again(suite, checked));
    text
}

/// The command that runs one check as it was run.
fn again(suite: &Suite, checked: &Checked) -> String {
    let options = suite.options();
    let mut command = format!("host plugin check {}", suite.file().display());
    if let Some((_, id)) = &checked.item {
        let _ = write!(command, " --id {id}");
    }
    let _ = write!(command, " --only {} --seed {}", checked.check.id, options.seed);
    if options.config.as_object().is_some_and(|config| !config.is_empty()) {
        let _ = write!(command, " --config '{}'", options.config);
    }
    command
}
