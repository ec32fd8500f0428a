//! `cargo xtask libtorch`: the libtorch that the host and model plugins link.
//!
//! It is the `torch` wheel, unpacked into `.libtorch/`, with the two small wheels that its CPU library links
//! on Linux. A libtorch that the user names by `LIBTORCH` or `LIBTORCH_USE_PYTORCH` is used as it is.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::pip;
use crate::publish::publish;
use crate::stage::stage;
use crate::workspace::Workspace;

/// A wheel to install: `name==version` for pip, where `version` may end with `.*`.
struct Wheel {
    name: &'static str,
    version: &'static str,
}

/// What tch 0.24 binds.
const TORCH: Wheel = Wheel { name: "torch", version: "2.11.0" };

/// The Linux wheel is the CUDA build: its CPU library links these two.
const LINUX: [Wheel; 2] = [
    Wheel { name: "nvidia-cuda-runtime", version: "13.0.*" },
    Wheel { name: "nvidia-cuda-cupti", version: "13.0.*" },
];

/// The parts of the wheels that builds and programs need.
const NEEDED: [&str; 3] = ["torch/lib/", "torch/include/", "nvidia/"];

/// Puts libtorch in place if it is not. Returns its folder, which has `lib` and `include`.
pub fn provide(workspace: &Workspace) -> Result<PathBuf> {
    let installed = workspace.path(".libtorch");
    if let Some(libtorch) = of_the_user(&installed.join("torch"))? {
        return Ok(libtorch);
    }
    install(&installed)?;
    Ok(installed.join("torch"))
}

/// Installs into `folder` unless it holds the right version whole. The libtorch is its `torch`.
pub fn install(folder: &Path) -> Result<()> {
    let wheels = wheels();
    publish(
        folder,
        |folder| missing(folder, &wheels).is_none(),
        |partial| {
            stage("Installing libtorch (a download of about 500 MB)", || {
                let requirements: Vec<_> = wheels.iter().map(|wheel| wheel.requirement()).collect();
                let requirements: Vec<_> = requirements.iter().map(String::as_str).collect();
                pip::install(&requirements, partial).context(
                    "libtorch was not installed (set LIBTORCH to the folder of a libtorch 2.11.0, \
                     or LIBTORCH_USE_PYTORCH=1, to use your own)",
                )?;
                match missing(partial, &wheels) {
                    Some(what) => bail!("pip reported success, but {what}"),
                    None => Ok(()),
                }
            })
        },
    )
}

fn wheels() -> Vec<&'static Wheel> {
    let linux = if cfg!(target_os = "linux") { LINUX.as_slice() } else { &[] };
    [&TORCH].into_iter().chain(linux).collect()
}

/// A libtorch that the user chose by the environment.
fn of_the_user(ours: &Path) -> Result<Option<PathBuf>> {
    // torch-sys looks at this one first.
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        return of_python().map(Some);
    }
    // Cargo sets the variable to our own folder, by .cargo/config.toml, where the user does not.
    let named = env::var_os("LIBTORCH").map(PathBuf::from);
    let Some(libtorch) = named.filter(|path| !same_place(path, ours)) else {
        return Ok(None);
    };
    let library = libtorch.join("lib").join(library_name());
    if !library.is_file() {
        bail!(
            "LIBTORCH is {}, but there is no {}: name the folder of a libtorch {} that has lib and include, \
             or unset it to have one installed",
            libtorch.display(),
            library.display(),
            TORCH.version
        );
    }
    Ok(Some(libtorch))
}

/// Whether two paths `…/.libtorch/torch`, which need not exist, lie in the same folder.
fn same_place(one: &Path, other: &Path) -> bool {
    let split = |path: &Path| {
        let top = path.ancestors().nth(2)?;
        let below = path.strip_prefix(top).ok()?.to_owned();
        Some((top.canonicalize().ok()?, below))
    };
    one == other || split(one).is_some_and(|one| Some(one) == split(other))
}

/// The folder of the PyTorch that torch-sys will ask Python for.
fn of_python() -> Result<PathBuf> {
    let python = if env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
    let output = Command::new(python)
        .args(["-c", "import os, torch; print(torch.__version__); print(os.path.dirname(torch.__file__))"])
        .output()
        .with_context(|| format!("LIBTORCH_USE_PYTORCH is set, but {python} cannot be run"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (Some(version), Some(folder), true) =
        (text.lines().next(), text.lines().nth(1), output.status.success())
    else {
        bail!(
            "LIBTORCH_USE_PYTORCH is set, but {python} cannot import torch: {}. Install torch {} there, or \
             unset it",
            String::from_utf8_lossy(&output.stderr).trim().lines().last().unwrap_or("no message"),
            TORCH.version
        );
    };
    if version.split('+').next() != Some(TORCH.version)
        && env::var_os("LIBTORCH_BYPASS_VERSION_CHECK").is_none()
    {
        bail!(
            "LIBTORCH_USE_PYTORCH is set, and {python} has torch {version}: torch {} is needed",
            TORCH.version
        );
    }
    Ok(PathBuf::from(folder))
}

fn library_name() -> &'static str {
    if cfg!(target_os = "macos") { "libtorch_cpu.dylib" } else { "libtorch_cpu.so" }
}

/// What a folder lacks of these wheels: the first wheel or file, in words. Sizes are held against the
/// wheel's own record of its files.
fn missing(folder: &Path, wheels: &[&Wheel]) -> Option<String> {
    wheels.iter().find_map(|wheel| {
        let Some(record) = wheel.record(folder) else {
            return Some(format!("{} is not in {}", wheel.requirement(), folder.display()));
        };
        let mut files = csv::ReaderBuilder::new().has_headers(false).from_reader(record.as_slice());
        files.records().find_map(|row| {
            let Ok(row) = row else {
                return Some(format!("the list of files of {} is damaged", wheel.name));
            };
            let (path, size) = (row.get(0)?, row.get(2)?.parse::<u64>().ok()?);
            if !NEEDED.iter().any(|part| path.starts_with(part)) {
                return None;
            }
            let found = fs::metadata(folder.join(path)).map(|file| file.len()).ok();
            (found != Some(size))
                .then(|| format!("{path} of {} is missing or cut short", wheel.requirement()))
        })
    })
}

impl Wheel {
    fn requirement(&self) -> String {
        format!("{}=={}", self.name, self.version)
    }

    /// The list of files that pip left for this wheel, at a version that fits.
    fn record(&self, folder: &Path) -> Option<Vec<u8>> {
        let stem = self.name.replace('-', "_");
        let entries = fs::read_dir(folder).ok()?;
        entries.flatten().find_map(|entry| {
            let name = entry.file_name();
            let version =
                name.to_str()?.strip_prefix(&stem)?.strip_prefix('-')?.strip_suffix(".dist-info")?;
            let fits = match self.version.strip_suffix('*') {
                Some(prefix) => version.starts_with(prefix),
                None => version == self.version,
            };
            fits.then(|| fs::read(entry.path().join("RECORD")).ok()).flatten()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHEEL: Wheel = Wheel { name: "some-wheel", version: "2.1.*" };

    /// A folder with one installed wheel whose library has this many bytes; four are recorded.
    fn folder(version: &str, bytes: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let info = folder.path().join(format!("some_wheel-{version}.dist-info"));
        fs::create_dir_all(&info).unwrap();
        fs::create_dir_all(folder.path().join("torch/lib")).unwrap();
        fs::write(folder.path().join("torch/lib/library.so"), vec![0; bytes]).unwrap();
        let record =
            "torch/lib/library.so,sha256=x,4\ntorch/unneeded.py,sha256=x,9\n../../bin/x,sha256=x,1\n";
        fs::write(info.join("RECORD"), record).unwrap();
        folder
    }

    #[test]
    fn a_whole_wheel_lacks_nothing() {
        assert_eq!(missing(folder("2.1.7", 4).path(), &[&WHEEL]), None);
    }

    #[test]
    fn another_version_is_missing() {
        let text = missing(folder("2.2.0", 4).path(), &[&WHEEL]).unwrap();
        assert!(text.contains("some-wheel==2.1.* is not in"), "{text}");
    }

    #[test]
    fn a_library_cut_short_is_found() {
        let text = missing(folder("2.1.7", 3).path(), &[&WHEEL]).unwrap();
        assert!(text.contains("torch/lib/library.so"), "{text}");
    }

    #[test]
    fn a_folder_that_is_not_there_lacks_everything() {
        assert!(missing(Path::new("/nonexistent"), &[&WHEEL]).is_some());
    }
}
