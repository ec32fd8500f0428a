//! The workspace as the commands see it: its folders, its packages, and child processes that run in it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The variable that names folders of shared libraries.
const LIBRARY_PATH: &str = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// How cargo builds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Cargo's `dev`, in `target/debug`.
    Dev,
    /// Cargo's `release`, in `target/release`.
    Release,
}

impl Profile {
    /// Its folder below the target folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// The workspace that this program belongs to.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    packages: Vec<Package>,
    library_path: Option<OsString>,
}

struct Package {
    name: String,
    folder: PathBuf,
}

impl Workspace {
    /// Asks cargo for the folders and packages of the workspace.
    pub fn open() -> Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in no workspace")?.to_owned();
        let metadata = metadata(cargo_in(&root).arg("--no-deps"))?;
        let target =
            metadata["target_directory"].as_str().context("`cargo metadata` names no target_directory")?;
        let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
        Ok(Self {
            target: PathBuf::from(target),
            packages: packages.iter().filter_map(Package::read).collect(),
            root,
            library_path: None,
        })
    }

    /// Cargo's target folder.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// A path below the workspace's folder.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Names of the packages in a top folder of the workspace.
    pub fn packages_in(&self, top: &str) -> impl Iterator<Item = &str> {
        let folder = self.path(top);
        self.packages
            .iter()
            .filter(move |package| package.folder.starts_with(&folder))
            .map(|package| package.name.as_str())
    }

    /// Lets child processes find the shared libraries of this libtorch, wherever their binaries lie.
    pub fn use_libraries_of(&mut self, libtorch: &Path) -> Result<()> {
        let inherited = env::var_os(LIBRARY_PATH).unwrap_or_default();
        let folders = [libtorch.join("lib")]
            .into_iter()
            .chain(env::split_paths(&inherited).filter(|folder| !folder.as_os_str().is_empty()));
        self.library_path = Some(
            env::join_paths(folders)
                .with_context(|| format!("{} cannot stand in {LIBRARY_PATH}", libtorch.display()))?,
        );
        Ok(())
    }

    /// Cargo, to be run in the workspace's folder.
    pub fn cargo(&self) -> Command {
        let mut command = cargo_in(&self.root);
        self.set_library_path(&mut command);
        command
    }

    /// A program that cargo built, to be run in the workspace's folder.
    pub fn program(&self, profile: Profile, name: &str) -> Command {
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        let mut command = Command::new(self.target.join(profile.folder()).join(file));
        command.current_dir(&self.root);
        self.set_library_path(&mut command);
        command
    }

    /// Builds the program and the plugins that ship, nothing else.
    pub fn build_host_and_plugins(&self, profile: Profile) -> Result<()> {
        self.build_packages(profile, ["host", "plugins"].into_iter().flat_map(|top| self.packages_in(top)))
    }

    /// Builds these packages.
    pub fn build_packages<'n>(
        &self,
        profile: Profile,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<()> {
        let mut command = self.build(profile);
        for name in names {
            command.args(["--package", name]);
        }
        succeed(&mut command)
    }

    /// Builds every member of the workspace.
    pub fn build_all(&self, profile: Profile) -> Result<()> {
        succeed(self.build(profile).arg("--workspace"))
    }

    /// Removes the plugins of `tests/plugins` from beside the program. Cargo puts them back when it builds
    /// them.
    pub fn put_test_plugins_away(&self) -> Result<()> {
        for profile in [Profile::Dev, Profile::Release] {
            for name in self.packages_in("tests/plugins") {
                let library = format!(
                    "{}{}{}",
                    env::consts::DLL_PREFIX,
                    name.replace('-', "_"),
                    env::consts::DLL_SUFFIX
                );
                let path = self.target.join(profile.folder()).join(library);
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn build(&self, profile: Profile) -> Command {
        let mut command = self.cargo();
        command.arg("build");
        if profile == Profile::Release {
            command.arg("--release");
        }
        command
    }

    fn set_library_path(&self, command: &mut Command) {
        if let Some(path) = &self.library_path {
            command.env(LIBRARY_PATH, path);
        }
    }
}

impl Package {
    fn read(package: &Value) -> Option<Self> {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        Some(Self { name: package["name"].as_str()?.to_owned(), folder: manifest.parent()?.to_owned() })
    }
}

/// Runs `cargo metadata` with the arguments given so far and reads its answer.
pub fn metadata(cargo: &mut Command) -> Result<Value> {
    let mut words: Vec<OsString> = vec!["metadata".into(), "--format-version=1".into()];
    words.extend(cargo.get_args().map(Into::into));
    let mut command = Command::new(cargo.get_program());
    command.args(words);
    if let Some(folder) = cargo.get_current_dir() {
        command.current_dir(folder);
    }
    for (key, value) in cargo.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    let output = command.output().with_context(|| format!("cannot run {}", show(&command)))?;
    if !output.status.success() {
        bail!("{} failed:\n{}", show(&command), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{} printed no JSON", show(&command)))
}

/// Runs a command to its end; an exit code other than 0 is an error that shows the command.
pub fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", show(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", show(command));
    }
    Ok(())
}

/// Another program's exit code as our own; 1 where it ended without one.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// A command as a person would type it.
pub fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = [name].into_iter().chain(command.get_args());
    let line: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", line.join(" "))
}

/// Cargo in a folder, without what the cargo that started this program told it about xtask's own package.
fn cargo_in(folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file of a library that is a cdylib, too, has no hash in its name: builds with other features write
    /// it over each other, and whatever links it then may link one that does not fit.
    #[test]
    fn nothing_in_the_workspace_links_a_library_that_builds_overwrite() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let metadata = metadata(cargo_in(root).arg("--no-deps")).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let is_cdylib = |package: &Value| {
            list(&package["targets"]).iter().any(|target| list(&target["kind"]).contains(&"cdylib".into()))
        };
        let overwritten: Vec<&Value> = packages.iter().filter(|package| is_cdylib(package)).collect();
        assert!(overwritten.len() > 9, "the plugins are such libraries");
        for package in packages {
            for dependency in list(&package["dependencies"]) {
                let links = overwritten.iter().any(|plugin| plugin["name"] == dependency["name"]);
                assert!(!links, "{} depends on {}", package["name"], dependency["name"]);
            }
        }
        for plugin in overwritten {
            for target in list(&plugin["targets"]) {
                let kind = &target["kind"][0];
                let from_outside =
                    target["doctest"] == true || kind == "test" || kind == "bench" || kind == "bin";
                let is_rlib = list(&target["crate_types"]).contains(&"rlib".into());
                assert!(!from_outside || kind == "cdylib" && !is_rlib, "{}: {target}", plugin["name"]);
            }
        }
    }
}
