//! A run of the program in a temporary folder.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::{Finished, Live, host};

/// A temporary folder with a run config, for one or more commands. The program runs in it, on the CPU with
/// one thread, and finds the workspace's plugins by name.
pub struct Run {
    folder: TempDir,
    environment: Vec<(String, String)>,
    largest_file: Option<u64>,
}

impl Run {
    /// A folder with this text as `run.toml`.
    pub fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let run = Self { folder, environment: Vec::new(), largest_file: None };
        run.write("run.toml", config);
        run
    }

    /// Sets an environment variable of the commands to come.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Files of the commands to come cannot grow beyond this many KiB, or any number again: a disk that is
    /// full.
    pub fn limit_files(&mut self, kib: Option<u64>) {
        self.largest_file = kib;
    }

    /// The folder that the program runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where `fit` writes.
    pub fn run_dir(&self) -> PathBuf {
        self.folder().join("run")
    }

    /// Writes a file, with the folders that it lies in; gives its path.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder().join(name);
        let folder = path.parent().expect("a file lies in a folder");
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, contents))
            .expect("a temporary file can be written");
        path
    }

    /// `host fit run.toml --run-dir run` and more arguments.
    pub fn fit(&self, more: &[&str]) -> Finished {
        self.host(["fit", "run.toml", "--run-dir", "run"].iter().chain(more))
    }

    /// `host fit --resume` of this folder's run and more arguments.
    pub fn resume(&self, more: &[&str]) -> Finished {
        self.host(["fit", "--resume", "run"].iter().chain(more))
    }

    /// `host` with any arguments.
    pub fn host(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Finished {
        Finished::run(self.command(arguments))
    }

    /// The same in a folder inside of this one.
    pub fn host_in(&self, folder: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Finished {
        let mut command = self.command(arguments);
        command.current_dir(self.folder().join(folder));
        Finished::run(command)
    }

    /// `host` with any arguments, running while the test goes on.
    pub fn start(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Live {
        Live::start(self.command(arguments))
    }

    /// The same with more variables in its environment.
    pub fn start_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Live {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        Live::start(command)
    }

    /// The same in a folder inside of this one.
    pub fn start_in(&self, folder: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Live {
        let mut command = self.command(arguments);
        command.current_dir(self.folder().join(folder));
        Live::start(command)
    }

    fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = match self.largest_file {
            None => Command::new(host()),
            Some(kib) => {
                // POSIX counts in blocks of 512 bytes.
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("ulimit -S -f {} && exec \"$@\"", kib * 2)).arg("sh").arg(host());
                shell
            }
        };
        command
            .args(arguments)
            .current_dir(self.folder())
            .env("THAW_CACHE", self.folder().join(".thaw-cache"))
            .env_remove("THAW_LOG")
            .env_remove("THAW_PLUGIN_PATH");
        command.env("OMP_NUM_THREADS", "1").env("CUDA_VISIBLE_DEVICES", "");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A JSON file of the run directory.
    pub fn json(&self, name: &str) -> Value {
        let text = self.text(name);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("run/{name} is no JSON: {error}\n{text}"))
    }

    /// The records of `metrics.jsonl`.
    pub fn metrics(&self) -> Vec<Value> {
        self.records("metrics.jsonl")
    }

    /// The records of `groups.jsonl`.
    pub fn groups(&self) -> Vec<Value> {
        self.records("groups.jsonl")
    }

    fn records(&self, name: &str) -> Vec<Value> {
        self.records_of("run", name)
    }

    /// The records of a file in another run directory of this folder.
    pub fn records_of(&self, run_dir: &str, name: &str) -> Vec<Value> {
        let text = read(&self.folder().join(run_dir).join(name));
        let record = |line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{run_dir}/{name}: {error}\n{line}"))
        };
        text.lines().map(record).collect()
    }

    /// A file of the run directory, as text.
    pub fn text(&self, name: &str) -> String {
        read(&self.run_dir().join(name))
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
