//! Folders of data that a demo makes itself, with a note on where they come from.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::publish::publish;
use crate::stage::stage;

/// The note; who has data of their own in the folder has none.
const NOTE: &str = "SOURCE.txt";

/// Fills a folder by `fill` and writes `source` beside it. Data with another note are made anew; a folder
/// that holds something without a note stays as it is: the user's own data.
///
/// # Errors
/// The folder cannot be written.
pub fn make(folder: &Path, what: &str, source: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    publish(
        folder,
        |folder| is_there(folder, source),
        |partial| {
            stage(&format!("{what} to {}", folder.display()), || {
                fs::create_dir_all(partial)
                    .with_context(|| format!("cannot create {}", partial.display()))?;
                fill(partial)?;
                let note = partial.join(NOTE);
                fs::write(&note, source).with_context(|| format!("cannot write {}", note.display()))
            })
        },
    )
}

fn is_there(folder: &Path, source: &str) -> bool {
    match fs::read_to_string(folder.join(NOTE)) {
        Ok(note) => note == source,
        Err(_) => fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_the_users_own_stay_and_those_of_another_version_go() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("data");
        let fill = |partial: &Path| Ok(fs::write(partial.join("made.txt"), "")?);
        fs::create_dir(&folder).unwrap();
        make(&folder, "Filling", "version 1", fill).unwrap();
        assert!(folder.join("made.txt").exists(), "an empty folder is nobody's");
        fs::write(folder.join("old.txt"), "").unwrap();
        make(&folder, "Filling", "version 1", |_| panic!("made twice")).unwrap();
        make(&folder, "Filling", "version 2", fill).unwrap();
        assert!(!folder.join("old.txt").exists());

        let own = root.path().join("own");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("mine.png"), "").unwrap();
        make(&own, "Filling", "version 1", |_| panic!("written over")).unwrap();
        assert!(own.join("mine.png").exists());
    }
}
