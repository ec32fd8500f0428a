//! The width of lines: rustfmt leaves comments and texts as they are.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// As `max_width` in rustfmt.toml.
const COLUMNS: usize = 110;

/// Folders that hold none of our own code, or code that stays as it was, wherever they lie.
const PASSED_OVER: [&str; 2] = ["target", "plugin-api-1.0"];

/// What runs and demos leave in the workspace's own folder. Further below these are names of our crates.
const LEFT_BY_RUNS: [&str; 3] = ["weights", "data", "runs"];

/// Every line of a Rust file below a folder is narrow enough.
///
/// # Errors
/// Those that are not, or a file that cannot be read.
pub fn check(folder: &Path) -> Result<()> {
    let mut wide = Vec::new();
    walk(folder, &[&PASSED_OVER[..], &LEFT_BY_RUNS].concat(), &mut wide)?;
    match wide.len() {
        0 => Ok(()),
        count => bail!("{count} lines of more than {COLUMNS} columns:\n  {}", wide.join("\n  ")),
    }
}

fn walk(folder: &Path, passed_over: &[&str], wide: &mut Vec<String>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // A link leads to what is looked at elsewhere, or out of the workspace.
        if entry.file_type()?.is_dir() {
            if !passed_over.contains(&name.as_str()) && !name.starts_with('.') {
                walk(&path, &PASSED_OVER, wide)?;
            }
        } else if name.ends_with(".rs") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            wide.extend(wide_lines(&text).map(|line| format!("{}:{line}", path.display())));
        }
    }
    Ok(())
}

/// Numbers of the lines that are too wide, from 1.
fn wide_lines(text: &str) -> impl Iterator<Item = usize> {
    let lines = text.lines().enumerate();
    lines.filter(|(_, line)| line.chars().count() > COLUMNS).map(|(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_that_are_named_as_what_runs_leave_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["data", "crates/data/src", "crates/weights", "crates/data/target"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
            fs::write(folder.path().join(path).join("lib.rs"), "x".repeat(COLUMNS + 1)).unwrap();
        }
        let error = check(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("2 lines"), "{error}");
        assert!(
            error.contains("crates/data/src/lib.rs:1") && error.contains("crates/weights/lib.rs:1"),
            "{error}"
        );
    }

    #[test]
    fn a_line_is_as_wide_as_its_characters() {
        let text = format!("short\n{}\n{}\n", "ä".repeat(COLUMNS), "x".repeat(COLUMNS + 1));
        assert_eq!(wide_lines(&text).collect::<Vec<_>>(), [3]);
    }
}
