//! How long the program takes from its start to the end of a run of one step.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::training::table;

/// Milliseconds of the program `host` with a ResNet-18 of which one step is trained: an upper bound of the
/// time to that step.
pub(crate) fn first_step(data: &Path) -> Result<Value, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut table = table(data);
    table["trainer"]["max_steps"] = json!(1);
    table["data"]["batch_size"] = json!(2);
    // JSON of texts, numbers and tables without nulls is TOML in all but its look.
    let config = folder.path().join("run.toml");
    std::fs::write(&config, toml::to_string(&table)?)?;
    let program = std::env::current_exe()?.with_file_name(format!("host{}", std::env::consts::EXE_SUFFIX));
    let start = Instant::now();
    let status = Command::new(program)
        .arg("fit")
        .arg(&config)
        .arg("--run-dir")
        .arg(folder.path().join("run"))
        .stdout(Stdio::null())
        .status()?;
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    if !status.success() {
        return Err(format!("host fit ended with {status}").into());
    }
    Ok(json!({ "one_step_run": milliseconds }))
}
