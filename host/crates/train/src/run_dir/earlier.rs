//! Files of a run directory that a resumed run writes anew, with what they held before.

use std::fs;
use std::io;
use std::path::Path;

use super::error::at;
use super::{CONFIG, PLUGINS, RunDir, RunDirError};

impl RunDir {
    /// Writes a whole file. Where that says something else than the file before it, the one before is kept as
    /// `<name>.1.<ending>`, or the next number that is free; gives that name.
    ///
    /// # Errors
    /// One of them cannot be written; the file is then as it was.
    pub fn write_and_keep(&self, name: &str, text: &str) -> Result<Option<String>, RunDirError> {
        let path = self.path.join(name);
        let before = match fs::read_to_string(&path) {
            Ok(before) if before == text => return Ok(None),
            Ok(before) => Some(before),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(at(&path)(error)),
        };
        let kept = before.map(|before| self.keep_earlier(name, &before)).transpose()?;
        self.write(name, text)?;
        Ok(kept)
    }

    fn keep_earlier(&self, name: &str, text: &str) -> Result<String, RunDirError> {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let free = (1..).map(|number: usize| format!("{stem}.{number}.{ending}"));
        let kept = free.into_iter().find(|kept| !self.path.join(kept).exists()).unwrap_or_default();
        self.write(&kept, text)?;
        Ok(kept)
    }

    /// Adds a line of JSON to a file, which appears whole.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn add_line(&self, name: &str, record: &impl serde::Serialize) -> Result<(), RunDirError> {
        let path = self.path.join(name);
        let mut text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(at(&path))?,
        };
        text += &serde_json::to_string(record).map_err(|error| at(&path)(error.into()))?;
        text.push('\n');
        self.write(name, &text)
    }
}

/// Whether a file holds a run config or a record of plugins, of now or from before.
pub(super) fn is_config_or_plugins(name: &Path) -> bool {
    let name = name.to_string_lossy();
    [CONFIG, PLUGINS].iter().any(|of_now| {
        let (stem, ending) = of_now.rsplit_once('.').unwrap_or((of_now, ""));
        let number = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ending));
        name == *of_now
            || number.and_then(|rest| rest.strip_prefix('.')?.strip_suffix('.')).is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
            })
    })
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;

    #[test]
    fn what_a_file_held_before_is_kept_under_the_next_number() {
        let folder = tempfile::tempdir().unwrap();
        let run_dir = RunDir::open(&Place::Given(folder.path().join("run")), None).unwrap();
        let kept = ["a", "b", "b", "c"].map(|text| run_dir.write_and_keep(CONFIG, text).unwrap());
        let expected = [None, Some("config.1.toml"), None, Some("config.2.toml")];
        assert_eq!(kept, expected.map(|name| name.map(str::to_owned)));
        let read = |name: &str| fs::read_to_string(run_dir.path().join(name)).unwrap();
        assert_eq!(["config.1.toml", "config.2.toml", CONFIG].map(read), ["a", "b", "c"]);
    }

    #[test]
    fn numbered_files_are_known_and_others_are_not() {
        for (name, is_known) in [
            ("config.toml", true),
            ("config.12.toml", true),
            ("plugins.1.json", true),
            ("config..toml", false),
            ("config.old.toml", false),
            ("plugins", false),
        ] {
            assert_eq!(is_config_or_plugins(Path::new(name)), is_known, "{name}");
        }
    }
}
