//! Which plugin files a run takes: pins, and files that others can change.

use std::fs;
use std::path::{Path, PathBuf};

use thaw_files::sha256::sha256_file;
use thaw_tests::{Run, case, plugin};

/// A run whose model's plugin is a copy in the run's folder.
fn run_on_a_copy() -> (Run, PathBuf) {
    let config = case("bb_steplr")
        .replace("plugins = [\"case_model\"]", "plugins = [\n  \"./plugins/model.so\", # mine\n]");
    let run = Run::new(&(config + "[trainer]\nmax_epochs = 1\n"));
    let copy = run.write("plugins/model.so", fs::read(plugin("case_model")).unwrap());
    (run, copy)
}

#[test]
fn a_locked_config_takes_the_files_it_was_locked_on() {
    let (run, copy) = run_on_a_copy();
    let digest = sha256_file(&copy).unwrap();
    run.host(["plugin", "lock", "run.toml"]).succeeded();
    let config = run.folder().join("run.toml");
    let locked = fs::read_to_string(&config).unwrap();
    assert!(
        locked.contains(&format!("{{ path = \"./plugins/model.so\", sha256 = \"{digest}\" }}, # mine")),
        "{locked}"
    );
    run.host(["plugin", "lock", "run.toml"]).succeeded();
    assert_eq!(fs::read_to_string(&config).unwrap(), locked, "a second time changes nothing");

    run.fit(&[]).succeeded();
    let ran = &run.json("plugins.json")[0];
    assert_eq!(ran["sha256"], digest.as_str());
    assert_eq!(Path::new(ran["path"].as_str().unwrap()), copy.canonicalize().unwrap());

    let mut bytes = fs::read(&copy).unwrap();
    bytes.push(0);
    fs::write(&copy, bytes).unwrap();
    let texts = ["model.so", "SHA-256", digest.as_str(), "the run config pins"];
    run.host(["fit", "run.toml", "--run-dir", "other"]).failed(3, &texts);
}

#[test]
fn a_config_without_plugins_has_nothing_to_lock() {
    let run = Run::new("[model]\nid = \"case-model\"\n");
    run.host(["plugin", "lock", "run.toml"]).failed(2, &["run.toml", "no `plugins` to pin"]);
    run.write("run.toml", "plugins = [\"fautly\"]\n[model]\nid = \"case-model\"\n");
    run.host(["plugin", "lock", "run.toml"]).failed(3, &["`fautly` was not found"]);
}

#[test]
#[cfg(unix)]
fn strict_runs_refuse_what_others_can_change() {
    use std::os::unix::fs::PermissionsExt as _;
    let (run, copy) = run_on_a_copy();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let folder = copy.parent().unwrap();
    mode(&copy, 0o644);
    mode(folder, 0o777);
    run.fit(&["--strict-plugins"])
        .failed(3, &["model.so", "--strict-plugins", "plugins has mode 0777", "chmod go-w"]);
    mode(folder, 0o755);
    mode(&copy, 0o664);
    run.fit(&["--strict-plugins"]).failed(3, &["model.so has mode 0664"]);
    run.fit(&[]).succeeded();
}
