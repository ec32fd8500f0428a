//! The guide, followed to the letter: a chapter's files are written and its commands run, one after the
//! other, from an empty folder outside the workspace. (Its Rust blocks are documentation tests of the crate
//! `thaw-guide`, too.)

use std::fmt::Write as _;
use std::process::Command;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use thaw_tests::{Finished, build, workspace};

/// A chapter as a shell script: ```` ```sh ```` blocks as they are, blocks that begin with a comment `//
/// src/lib.rs` or `# run.toml` as these files. Crates build into one folder, for speed.
fn script(chapter: &str) -> String {
    let path = workspace().join("docs/src").join(chapter);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut script = String::from("set -eux\n");
    let mut info = None;
    for event in Parser::new(&text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(words))) => info = Some(words),
            Event::End(TagEnd::CodeBlock) => info = None,
            Event::Text(block) => {
                let Some(info) = &info else { continue };
                let first = block.lines().next().unwrap_or_default();
                let file = first
                    .strip_prefix("// ")
                    .or_else(|| first.strip_prefix("# "))
                    .filter(|name| name.contains('.'));
                if info.as_ref() == "sh" {
                    script.push_str(
                        &format!("\n{block}")
                            .replace("\ncargo ", "\nln -sfn \"$SHARED_TARGET\" target\ncargo "),
                    );
                } else if let Some(file) = file {
                    write!(
                        script,
                        "mkdir -p \"$(dirname {file})\"\ncat > {file} <<'END_OF_FILE'\n{block}END_OF_FILE\n"
                    )
                    .unwrap();
                }
            }
            _ => {}
        }
    }
    script
}

/// Runs a chapter.
fn follow(chapter: &str) {
    let built = build();
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap_or_default());
    shell.arg("-c").arg(script(chapter)).current_dir(folder.path()).env("PATH", path);
    let shared = workspace().join("target/examples");
    std::fs::create_dir_all(&shared).unwrap();
    shell
        .env("SHARED_TARGET", shared)
        .env_remove("THAW_PLUGIN_PATH")
        .env("THAW_CACHE", folder.path().join(".thaw-cache"))
        .env("OMP_NUM_THREADS", "1")
        .env("CUDA_VISIBLE_DEVICES", "");
    Finished::run(shell).succeeded();
}

#[test]
fn the_chapter_on_strategies_works() {
    follow("strategy.md");
}

#[test]
fn the_chapter_on_models_works() {
    follow("model.md");
}

#[test]
fn the_chapter_on_data_sets_works() {
    follow("dataset.md");
}

#[test]
fn the_chapter_on_checking_works() {
    follow("check.md");
}

#[test]
fn the_chapter_on_shipping_works() {
    follow("ship.md");
}

#[test]
fn the_chapter_on_runs_works() {
    follow("run.md");
}

#[test]
fn the_chapter_for_users_of_lightning_works_and_names_every_hook() {
    follow("lightning.md");
    let text = std::fs::read_to_string(workspace().join("docs/src/lightning.md")).unwrap();
    for hook in thaw_plugin_api::hook::Hook::ALL {
        assert!(
            text.contains(&format!("`{}", hook.name())),
            "docs/src/lightning.md does not name `{}`",
            hook.name()
        );
    }
}
