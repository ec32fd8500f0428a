//! `host plugin new`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use thaw_plugin_api::abi::Kind;

use crate::Error;
use crate::cli::print;
use crate::scaffold::{PluginApi, Scaffold};

/// Arguments of `host plugin new`.
#[derive(Args)]
pub struct NewArgs {
    /// Name of the crate, its folder and its id: words of a-z and 0-9, joined by -.
    #[arg(value_name = "NAME")]
    name: String,
    /// What the plugin is to be.
    #[arg(long, default_value = "strategy", value_parser = kinds())]
    kind: Kind,
    /// The folder of thaw-plugin-api. Default: in the sources that this program was built from, where they
    /// still are; else the registry.
    #[arg(long, value_name = "DIR")]
    api_path: Option<PathBuf>,
}

const KINDS: [Kind; 4] = [Kind::Strategy, Kind::Callback, Kind::Model, Kind::Dataset];

fn kinds() -> impl TypedValueParser<Value = Kind> {
    let names = PossibleValuesParser::new(["strategy", "callback", "model", "dataset"]);
    names.map(|name| KINDS.into_iter().find(|kind| kind.to_string() == name).unwrap_or(Kind::Strategy))
}

/// Runs `host plugin new`: writes the crate into this folder and says what comes next.
///
/// # Errors
/// A name that cannot be used, a folder that is there already or cannot be written.
pub fn run(args: &NewArgs) -> Result<(), Error> {
    let name = args.name.parse()?;
    let api =
        args.api_path.as_deref().map_or_else(|| Ok(PluginApi::of_this_program()), PluginApi::in_folder)?;
    let scaffold = Scaffold { name, kind: args.kind, api };
    let folder = scaffold.write(Path::new(""))?;
    print(next(&scaffold, &folder))
}

fn next(scaffold: &Scaffold, folder: &Path) -> String {
    let mut text = format!("{}: the {} `{}`, on ", folder.display(), scaffold.kind, scaffold.name.id());
    let _ = match &scaffold.api {
        PluginApi::Folder(folder) => writeln!(text, "thaw-plugin-api in {}", folder.display()),
        PluginApi::Version(version) => {
            writeln!(text, "thaw-plugin-api {version} of the registry (--api-path DIR names sources instead)")
        }
    };
    let host = program();
    let _ = write!(
        text,
        "\nNext:\n  cd {} && cargo test\n  cargo build && {host} --plugin-dir target/debug fit run.toml",
        folder.display()
    );
    text
}

/// This program as a shell in another folder finds it.
fn program() -> String {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let is_searched_for = called.components().count() == 1;
    let path = std::env::current_exe().ok().filter(|_| !is_searched_for);
    path.map_or_else(|| "host".to_owned(), |path| path.display().to_string())
}
