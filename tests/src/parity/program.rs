//! The program, and what it wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::filter_calls;
use crate::On;

/// The program and the folder of its plugins.
pub struct Program {
    host: PathBuf,
    folder: PathBuf,
    device: String,
    /// How many times a case's tolerance is allowed.
    pub allow: f64,
}

impl Program {
    /// What cargo built into a folder.
    pub fn new(folder: &Path, on: &On) -> Result<Self> {
        let host = folder.join(format!("host{}", std::env::consts::EXE_SUFFIX));
        ensure!(host.is_file(), "{} is not there: run `cargo build --workspace` first", host.display());
        Ok(Self { host, folder: folder.to_path_buf(), device: on.device_name(), allow: on.allow })
    }

    /// Runs `host fit`; its plugins are found by name. Gives its log.
    pub fn fit(&self, arguments: &[&str], folder: &Path) -> Result<String> {
        let mut command = Command::new(&self.host);
        command
            .arg("-q")
            .arg("--plugin-dir")
            .arg(&self.folder)
            .arg("fit")
            .args(arguments)
            .current_dir(folder);
        command.env("THAW_LOG", filter_calls::LOG).env("OMP_NUM_THREADS", "1");
        if self.device == "cpu" {
            command.env("CUDA_VISIBLE_DEVICES", "");
        } else {
            let device = format!("trainer.device={}", self.device);
            command.args(["--set", &device, "--set", "trainer.matmul_precision=highest"]);
        }
        let output =
            command.output().with_context(|| format!("{} cannot be started", self.host.display()))?;
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.success(),
            "host fit {}: {}: {}",
            arguments.join(" "),
            output.status,
            log.trim()
        );
        Ok(log)
    }
}

/// Writes a run config; `null` is left out.
pub fn write_config(path: &Path, mut config: Value) -> Result<()> {
    without_nulls(&mut config);
    Ok(std::fs::write(path, toml::to_string(&config)?)?)
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(table) => {
            table.retain(|_, value| !value.is_null());
            table.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}
