//! `cargo xtask gpu-bundle DIR`: one folder that checks and measures Thaw on a machine with a GPU and nothing
//! but a python3 with PyTorch: release programs and plugins, references, a small data set, a script.
//! `DIR.tar.gz` beside it is what travels.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::demo;
use crate::stage::stage;
use crate::workspace::{Profile, Workspace, exit_code, show, succeed};

#[derive(clap::Args)]
pub struct Args {
    /// The folder to make, and DIR.tar.gz beside it; neither may be there
    dir: PathBuf,
    /// What the development profile builds, for a look at the script on this machine: nothing is packed
    #[arg(long)]
    dev: bool,
    /// Then run it on this machine's CPU, with small sizes, in this Python, which has PyTorch of the same
    /// version
    #[arg(long, value_name = "PYTHON")]
    try_with: Option<PathBuf>,
}

/// Seconds that the script has on a CPU, at its small sizes.
const CPU_SECONDS: u32 = 1500;

/// Programs: `host`, and those that compare with references.
const PROGRAMS: [&str; 3] = ["host", "parity", "models"];

/// Plugins of the tests that references and timings need.
const TEST_PLUGINS: [&str; 2] = ["thaw-case-model", "thaw-case-strategies"];

/// Folders of references below `tests/fixtures`.
const REFERENCES: [&str; 4] = ["parity", "parity_more", "models", "models_more"];

/// Most that a packed bundle may take: it travels.
const LARGEST_MIB: u64 = 50;

/// Builds, gathers, and tells how large it is. With `--try-with` exits with the script's own code.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let folder = std::path::absolute(&args.dir)?;
    let packed = packed(&folder);
    if let Some(there) = [&folder, &packed].into_iter().find(|path| path.exists()) {
        bail!("{} is there already: name a folder that is not", there.display());
    }
    stage("Preparing data and weights", || demo::prepare(workspace, "emoji-vision"))?;
    let plugins: Vec<&str> = workspace.packages_in("plugins").chain(TEST_PLUGINS).collect();
    if args.dev {
        stage("Building", || workspace.build_all(Profile::Dev))?;
        gather(workspace, Profile::Dev, &plugins, &folder)?;
        println!("{}: to be looked at here, not to travel", folder.display());
        return args.try_with.as_deref().map_or(Ok(ExitCode::SUCCESS), |python| try_with(python, &folder));
    }
    stage("Building in release", || {
        workspace.build_packages(
            Profile::Release,
            ["thaw-host", "thaw-tests"].into_iter().chain(plugins.iter().copied()),
        )
    })?;
    gather(workspace, Profile::Release, &plugins, &folder)?;
    stage("Packing", || pack(&folder, &packed))?;
    let mib = packed.metadata()?.len().div_ceil(1 << 20);
    println!("{}: {mib} MiB; on the machine, unpacked: python3 run.py --device cuda", packed.display());
    if mib > LARGEST_MIB {
        bail!("the packed bundle takes {mib} MiB, expected at most {LARGEST_MIB}");
    }
    args.try_with.as_deref().map_or(Ok(ExitCode::SUCCESS), |python| try_with(python, &folder))
}

/// Runs the script on the CPU; gives its own exit code.
fn try_with(python: &Path, folder: &Path) -> Result<ExitCode> {
    // A path with folders is one from here, and not from the bundle.
    let python = if python.components().count() > 1 { std::path::absolute(python)? } else { python.into() };
    let mut script = Command::new(python);
    script.arg("run.py").args(["--device", "cpu", "--seconds", &CPU_SECONDS.to_string()]).current_dir(folder);
    let status = script.status().with_context(|| format!("cannot run {}", show(&script)))?;
    Ok(exit_code(status))
}

fn gather(workspace: &Workspace, profile: Profile, plugins: &[&str], folder: &Path) -> Result<()> {
    let built = workspace.target().join(profile.folder());
    for name in PROGRAMS {
        let file = format!("{name}{EXE_SUFFIX}");
        copy(&built.join(&file), &folder.join("bin").join(&file))?;
    }
    for name in plugins {
        let file = format!("{DLL_PREFIX}{}{DLL_SUFFIX}", name.replace('-', "_"));
        copy(&built.join(&file), &folder.join("bin").join(&file))?;
    }
    for name in REFERENCES {
        copy(&workspace.path("tests/fixtures").join(name), &folder.join(name))?;
    }
    for name in ["data/emoji", "weights/efficientnet-lite0.pth"] {
        copy(&workspace.path(name), &folder.join(name))?;
    }
    for script in ["run.py", "checks.py", "timings.py", "machine.py"] {
        copy(&workspace.path("xtask/gpu").join(script), &folder.join(script))?;
    }
    copy(&workspace.path("examples/phased-emoji-schedule.toml"), &folder.join("phases.toml"))?;
    let commit = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(workspace.path("")).output();
    let commit = commit.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let manifest = json!({ "thaw": env!("CARGO_PKG_VERSION"), "commit": commit });
    let path = folder.join("MANIFEST.json");
    fs::write(&path, manifest.to_string()).with_context(|| format!("cannot write {}", path.display()))
}

/// A file, or a folder with all in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    let folder = to.parent().context("the target lies in no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// `DIR.tar.gz` of `DIR`.
fn packed(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".tar.gz");
    PathBuf::from(name)
}

/// One file of a folder, with the system's `tar`; unpacked, it is a folder of the same name.
fn pack(folder: &Path, packed: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        bail!("{} cannot be packed: it has no name", folder.display());
    };
    succeed(Command::new("tar").arg("-czf").arg(packed).arg("-C").arg(parent).arg(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_copied_with_all_in_it_and_packed() {
        let temporary = tempfile::tempdir().unwrap();
        let from = temporary.path().join("from");
        fs::create_dir_all(from.join("inner")).unwrap();
        fs::write(from.join("inner/a"), "four").unwrap();
        fs::write(from.join("b"), "of five").unwrap();
        let to = temporary.path().join("to");
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("inner/a")).unwrap(), "four");
        let file = packed(&to);
        pack(&to, &file).unwrap();
        fs::remove_dir_all(&to).unwrap();
        assert_eq!(file, temporary.path().join("to.tar.gz"));
        succeed(Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(temporary.path())).unwrap();
        assert_eq!(fs::read_to_string(to.join("b")).unwrap(), "of five");
    }
}
