//! The width of lines: rustfmt leaves comments and texts as they are.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// As `max_width` in rustfmt.toml.
const COLUMNS: usize = 110;

/// Folders that hold none of our own code, or code that stays as it was.
const PASSED_OVER: [&str; 5] = ["target", "weights", "data", "runs", "plugin-api-1.0"];

/// Every line of a Rust file below a folder is narrow enough.
///
/// # Errors
/// Those that are not, or a file that cannot be read.
pub fn check(folder: &Path) -> Result<()> {
    let mut wide = Vec::new();
    walk(folder, &mut wide)?;
    match wide.len() {
        0 => Ok(()),
        count => bail!("{count} lines of more than {COLUMNS} columns:\n  {}", wide.join("\n  ")),
    }
}

fn walk(folder: &Path, wide: &mut Vec<String>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // A link leads to what is looked at elsewhere, or out of the workspace.
        if entry.file_type()?.is_dir() {
            let is_own = folder.ends_with("src") || !PASSED_OVER.contains(&name.as_str());
            if is_own && !name.starts_with('.') {
                walk(&path, wide)?;
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
    fn a_line_is_as_wide_as_its_characters() {
        let text = format!("short\n{}\n{}\n", "ä".repeat(COLUMNS), "x".repeat(COLUMNS + 1));
        assert_eq!(wide_lines(&text).collect::<Vec<_>>(), [3]);
    }
}
