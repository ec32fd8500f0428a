//! The files of a plugin crate.

use std::io;
use std::path::Path;

use thaw_plugin_api::abi::Kind;

use super::{Scaffold, rings};

/// Points in `rings.safetensors`.
const POINTS: usize = 128;

/// The libtorch that this program was built for.
const LIBTORCH: &str = thaw_torch::LIBTORCH_DIR;

/// The texts of a kind's template: path in the crate, text.
macro_rules! template {
    ($kind:literal) => {
        vec![
            ("Cargo.toml", include_str!(concat!("templates/", $kind, "/manifest.toml"))),
            ("README.md", include_str!(concat!("templates/", $kind, "/README.md"))),
            ("run.toml", include_str!(concat!("templates/", $kind, "/run.toml"))),
            ("src/lib.rs", include_str!(concat!("templates/", $kind, "/lib.rs"))),
            ("src/tests.rs", include_str!(concat!("templates/", $kind, "/tests.rs"))),
            (".gitignore", "/target\n/runs\n"),
        ]
    };
}

/// Every file of the crate: path in it, contents.
///
/// # Errors
/// The data cannot be written down.
pub fn files(scaffold: &Scaffold) -> io::Result<Vec<(&'static str, Vec<u8>)>> {
    let texts = match scaffold.kind {
        Kind::Strategy => template!("strategy"),
        Kind::Callback => template!("callback"),
        Kind::Dataset => template!("dataset"),
        Kind::Model => {
            let mut texts = template!("model");
            texts.push(("build.rs", include_str!("templates/model/build.rs")));
            if Path::new(LIBTORCH).is_dir() {
                texts.push((".cargo/config.toml", include_str!("templates/model/cargo-config.toml")));
            }
            texts
        }
    };
    let mut files: Vec<_> =
        texts.into_iter().map(|(path, text)| (path, filled(scaffold, path, text).into_bytes())).collect();
    // A data set brings its own.
    if scaffold.kind != Kind::Dataset {
        files.push(("rings.safetensors", rings::safetensors(POINTS)?));
    }
    Ok(files)
}

/// A file of the template with the crate's name, id and type.
fn filled(scaffold: &Scaffold, path: &str, text: &str) -> String {
    let name = &scaffold.name;
    let text = text.replace("MyPlugin", &name.type_name());
    match path {
        "Cargo.toml" => text.replace("my-plugin", name.as_str()).replace("API", &scaffold.api.as_keys()),
        ".cargo/config.toml" => text.replace("LIBTORCH_FOLDER", &toml_text(Path::new(LIBTORCH))),
        _ => text.replace("my-plugin", &name.id()),
    }
}

/// A path as text in TOML.
pub fn toml_text(path: &Path) -> String {
    toml::Value::from(path.display().to_string()).to_string()
}
