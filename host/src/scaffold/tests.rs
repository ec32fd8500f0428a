use super::*;

fn scaffold(name: &str, kind: Kind) -> Scaffold {
    Scaffold { name: name.parse().unwrap(), kind, api: PluginApi::of_this_program() }
}

fn refused(name: &str) -> String {
    name.parse::<CrateName>().unwrap_err().to_string()
}

#[test]
fn a_name_becomes_an_id_and_a_type() {
    let name: CrateName = "top_down-2x".parse().unwrap();
    assert_eq!(
        (name.as_str(), name.id().as_str(), name.type_name().as_str()),
        ("top_down-2x", "top-down-2x", "TopDown2x")
    );
}

#[test]
fn names_that_cargo_or_a_run_config_cannot_take_are_refused() {
    for name in ["", "2x", "Upper", "a--b", "a-", "-a", "_a", "a b", "über", "../x", "a/b", "a.b"] {
        assert!(refused(name).contains("expected words of a-z"), "{name}");
    }
    assert!(refused(&"a".repeat(65)).contains("64 characters"));
    assert!(refused("match").contains("Rust"));
    assert!(refused("proc-macro").contains("Rust"));
    assert!(refused("layer-decay").contains("ships"));
    assert!(refused("strategy").contains("say what this one does"));
}

#[test]
fn no_trace_of_the_template_is_left() {
    for kind in [Kind::Strategy, Kind::Callback, Kind::Model, Kind::Dataset] {
        for (path, bytes) in template::files(&scaffold("head_first", kind)).unwrap() {
            let text = String::from_utf8_lossy(&bytes);
            for trace in ["my-plugin", "MyPlugin", "API", "LIBTORCH_FOLDER"] {
                assert!(path == "build.rs" || !text.contains(trace), "{kind}, {path}: {trace}");
            }
        }
    }
}

#[test]
fn what_is_there_already_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = scaffold("mine", Kind::Strategy).write(folder.path()).unwrap();
    let before = fs::read(path.join("src/lib.rs")).unwrap();
    let error = scaffold("mine", Kind::Callback).write(folder.path()).unwrap_err();
    assert!(matches!(error, ScaffoldError::Exists { .. }), "{error}");
    assert_eq!(fs::read(path.join("src/lib.rs")).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
}

#[test]
fn a_folder_without_plugin_api_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path| PluginApi::in_folder(path).unwrap_err().to_string();
    assert!(refused(folder.path()).contains("Cargo.toml"));
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(refused(host).contains("the package `thaw-host`, not `thaw-plugin-api`"));
    assert!(refused(&host.join("missing")).contains("--api-path"));
}

#[test]
fn names_of_plugins_that_ship_are_taken() {
    let plugins = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")).unwrap();
    for name in plugins.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        assert!(name.parse::<CrateName>().is_err(), "`{name}` would mean two plugins");
    }
}
