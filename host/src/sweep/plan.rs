//! The plan of a sweep: what its trials are.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Space;
use super::error::{SweepError, at};
use thaw_files::sha256::sha256_file;

/// Longest name of a trial's folder.
const NAME: usize = 80;

/// What a sweep does, written before its first trial: `sweep.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The run config, absolute.
    pub config: PathBuf,
    /// SHA-256 of it.
    pub sha256: String,
    /// Where the program was called, which relative paths start at.
    pub folder: PathBuf,
    /// Options of the program that trials get: `--plugin`, `--plugin-dir`, ….
    pub options: Vec<String>,
    /// `--set` of all trials.
    pub set: Vec<String>,
    /// After how many epochs the median rule may end a trial; none ends none.
    pub median_after: Option<usize>,
    /// How many trials have to be done before.
    pub median_trials: usize,
    /// How many trials train at once, where the sweep was told.
    #[serde(default)]
    pub jobs: Option<usize>,
    /// The trials, in their order.
    pub trials: Vec<Trial>,
}

/// A run of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Name of its run directory in the sweep's folder.
    pub name: String,
    /// What it has that others have not, the seed excepted: `KEY=VALUE`.
    pub setting: Vec<String>,
    /// Its seed, where the sweep gives it one.
    pub seed: Option<u64>,
}

impl Trial {
    /// `--set` of this trial alone.
    pub fn set(&self) -> Vec<String> {
        self.setting.iter().cloned().chain(self.seed.map(|seed| format!("seed={seed}"))).collect()
    }
}

impl Plan {
    /// Finds what a sweep needs that was moved, with its project or alone: where the folder is gone that it
    /// was called in, the present one takes its place; where the run config is gone, the sweep's own copy.
    pub(super) fn follow(&mut self, here: &Path, copy: &Path) {
        if !self.folder.is_dir() {
            let moved =
                |path: &Path, before: &Path| path.strip_prefix(before).ok().map(|rest| here.join(rest));
            if let Some(config) = moved(&self.config, &self.folder) {
                self.config = config;
            }
            for option in &mut self.options {
                let path = moved(Path::new(option.as_str()), &self.folder).filter(|path| path.exists());
                if let Some(path) = path.and_then(|path| path.to_str().map(str::to_owned)) {
                    *option = path;
                }
            }
            self.folder = here.to_path_buf();
        }
        if !self.config.is_file() && copy.is_file() {
            self.config = copy.to_path_buf();
        }
    }

    /// Refuses a run config that has changed.
    ///
    /// # Errors
    /// It has, or cannot be read.
    pub fn check_config(&self) -> Result<(), SweepError> {
        let sha256 = sha256_file(&self.config).map_err(at(&self.config))?;
        if sha256 == self.sha256 { Ok(()) } else { Err(SweepError::Changed(self.config.clone())) }
    }
}

/// The trials of a space: each setting with each of so many seeds, from `seed` on. `seeds` of 0 leaves the
/// run config's.
pub fn trials(space: &Space, seeds: usize, seed: u64) -> Vec<Trial> {
    let settings = space.settings(seed);
    let seeds_of_each: Vec<Option<u64>> = match seeds {
        0 => vec![None],
        seeds => (0..seeds as u64).map(|more| Some(seed.wrapping_add(more))).collect(),
    };
    let each = settings.into_iter().flat_map(|setting| {
        seeds_of_each.iter().map(move |seed| (setting.clone(), *seed)).collect::<Vec<_>>()
    });
    let each: Vec<_> = each.collect();
    let digits = each.len().to_string().len();
    let trial = |(index, (setting, seed)): (usize, (Vec<String>, Option<u64>))| {
        let name = name(index + 1, digits, &setting, seed);
        Trial { name, setting, seed }
    };
    each.into_iter().enumerate().map(trial).collect()
}

/// `3-lr=0.001-seed=42`: a number, so that names differ, then the last parts of keys.
fn name(number: usize, digits: usize, setting: &[String], seed: Option<u64>) -> String {
    let mut name = format!("{number:0digits$}");
    let last = |text: &String| {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        format!("{}={value}", key.rsplit('.').next().unwrap_or(key))
    };
    let parts = setting.iter().map(last).chain(seed.map(|seed| format!("seed={seed}")));
    for part in parts {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "-_=.+".contains(character);
        let part: String = part.chars().filter(|character| allowed(*character)).collect();
        if name.len() + part.len() < NAME {
            name.push('-');
            name.push_str(&part);
        }
    }
    name
}

/// The sweep's own copy of its run config.
pub(super) fn copy(dir: &Path) -> PathBuf {
    dir.join("sweep.toml")
}

/// The file of a plan.
pub(super) fn file(dir: &Path) -> PathBuf {
    dir.join("sweep.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_that_was_moved_finds_its_config() {
        let folder = tempfile::tempdir().unwrap();
        let (here, copy) = (folder.path(), folder.path().join("s/sweep.toml"));
        std::fs::create_dir(here.join("s")).unwrap();
        std::fs::write(here.join("plugin.so"), "").unwrap();
        std::fs::write(&copy, "").unwrap();
        let plan = || Plan {
            config: "/gone/configs/run.toml".into(),
            sha256: String::new(),
            folder: "/gone".into(),
            options: vec!["--plugin".to_owned(), "/gone/plugin.so".to_owned()],
            set: Vec::new(),
            median_after: None,
            median_trials: 5,
            jobs: None,
            trials: Vec::new(),
        };
        let mut alone = plan();
        alone.follow(here, &copy);
        assert_eq!((&alone.config, alone.folder.as_path()), (&copy, here));
        assert_eq!(alone.options[1], here.join("plugin.so").to_str().unwrap());
        std::fs::create_dir(here.join("configs")).unwrap();
        std::fs::write(here.join("configs/run.toml"), "").unwrap();
        let mut with_project = plan();
        with_project.follow(here, &copy);
        assert_eq!(with_project.config, here.join("configs/run.toml"));
        let there = Plan { folder: here.to_path_buf(), config: here.join("configs/run.toml"), ..plan() };
        let mut same = there.clone();
        same.follow(Path::new("/elsewhere"), &copy);
        assert_eq!(same, there);
    }

    #[test]
    fn each_setting_has_each_seed_and_a_name_of_its_own() {
        let grid = vec!["optimizer.lr=1e-4,1e-3".parse().unwrap(), "data.path=a/b".parse().unwrap()];
        let space = Space { grid, ..Space::default() };
        let trials = trials(&space, 2, 7);
        let names: Vec<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
        let expected = ["1-lr=1e-4-path=ab-seed=7", "2-lr=1e-4-path=ab-seed=8"];
        assert_eq!(names[..2], expected);
        assert_eq!((trials.len(), trials[3].set()[0].as_str()), (4, "optimizer.lr=1e-3"));
        assert_eq!(trials[3].set()[2], "seed=8");
        let long = vec![format!("a={}", "x".repeat(200)).parse().unwrap()];
        let space = Space { grid: long, ..Space::default() };
        assert_eq!(super::trials(&space, 0, 7)[0].name, "1");
    }
}
