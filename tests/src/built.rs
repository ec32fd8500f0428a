//! The program and the plugins, as cargo built them.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Set where everything is built already: nothing is built then.
const BUILT: &str = "THAW_TESTS_BUILT";

/// The program.
pub fn host() -> PathBuf {
    existing(build().join(format!("host{EXE_SUFFIX}")))
}

/// A plugin of the workspace by the name that a run config gives it, `case_model`.
pub fn plugin(name: &str) -> PathBuf {
    existing(build().join(format!("{DLL_PREFIX}thaw_{name}{DLL_SUFFIX}")))
}

/// Builds the workspace, once per test process, with the profile of this test; gives the folder of what was
/// built. All of it, because a selection of packages would be built with other features of what they share,
/// over and over.
pub fn build() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = std::env::current_exe().expect("a test knows its own file");
        let folder = test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps").to_path_buf();
        if std::env::var_os(BUILT).is_none() {
            build_workspace(&folder);
        }
        folder
    })
}

fn build_workspace(folder: &Path) {
    let workspace = crate::workspace();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--workspace", "--quiet"]).current_dir(&workspace);
    match folder.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => {}
        Some(profile) => drop(cargo.args(["--profile", profile])),
    }
    if let Some(target) = folder.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    // Cargo's own setting, handed down by the cargo that runs this test: as text of the environment it would
    // be taken for another one.
    if std::env::var_os("LIBTORCH")
        .is_some_and(|libtorch| Path::new(&libtorch) == workspace.join(".libtorch/torch"))
    {
        cargo.env_remove("LIBTORCH");
    }
    let output = cargo.output().unwrap_or_else(|error| panic!("{cargo:?} cannot be started: {error}"));
    assert!(output.status.success(), "{cargo:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn existing(path: PathBuf) -> PathBuf {
    assert!(
        path.is_file(),
        "{} is not there; with {BUILT} set, run `cargo build --workspace` first",
        path.display()
    );
    path
}
