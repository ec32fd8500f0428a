//! What an evaluation found, as a file.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Error;
use crate::error::io as failed;
use thaw_files::durable;
use thaw_train::checkpoint::Checkpoint;
use thaw_train::run_dir::{HISTORY, METRICS};

/// Folder in the run directory.
const FOLDER: &str = "evaluations";

/// Writes into `output`, or else into the run directory that the checkpoint lies in, under a name that is
/// still free: `evaluations/test-1.json`. Gives the file; none where there is neither.
///
/// # Errors
/// `output` cannot be written. Of a run directory that cannot, the log is told: the answer is on the terminal
/// all the same.
pub(super) fn write(
    found: &Value,
    output: Option<&Path>,
    checkpoint: &Checkpoint,
    what: &str,
) -> Result<Option<PathBuf>, Error> {
    let text = format!("{found:#}\n");
    if let Some(output) = output {
        durable::write(output, text.as_bytes()).map_err(failed(output))?;
        return Ok(Some(output.to_path_buf()));
    }
    let Some(folder) = run_dir(checkpoint).map(|run_dir| run_dir.join(FOLDER)) else { return Ok(None) };
    match write_new(&folder, what, text.as_bytes()) {
        Ok(path) => Ok(Some(path)),
        Err(error) => {
            tracing::warn!(
                "{}: {error}; this evaluation is in no file, --output FILE takes another one",
                thaw_terminal::escape::path(&folder)
            );
            Ok(None)
        }
    }
}

/// Refuses to write over a file that holds something else than an evaluation.
///
/// # Errors
/// There is such a file.
pub(super) fn refuse_other(output: &Path) -> Result<(), Error> {
    let Ok(bytes) = fs::read(output) else { return Ok(()) };
    let is_evaluation = serde_json::from_slice(&bytes).is_ok_and(|value: Value| {
        value.get("checkpoint").is_some_and(Value::is_string) && value.get("metrics").is_some()
    });
    if bytes.is_empty() || is_evaluation {
        return Ok(());
    }
    let output = output.display();
    Err(Error::Usage(format!("--output {output}: the file there holds something else; name another one")))
}

/// The run directory of a checkpoint, as the user names it where that can be.
fn run_dir(checkpoint: &Checkpoint) -> Option<PathBuf> {
    let run_dir = checkpoint.run_dir()?;
    [HISTORY, METRICS].iter().any(|record| run_dir.join(record).is_file()).then_some(())?;
    let shown = checkpoint.shown().parent().and_then(Path::parent).map(|shown| match shown.as_os_str() {
        here if here.is_empty() => Path::new("."),
        _ => shown,
    });
    let is_same = |shown: &&Path| shown.canonicalize().is_ok_and(|shown| shown == run_dir);
    Some(shown.filter(is_same).map(Path::to_path_buf).unwrap_or(run_dir))
}

/// Writes a file whose name nobody has yet, also where others do so at the same time.
fn write_new(folder: &Path, what: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let mut file = durable::temporary(0o666).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let mut number = 1_u32;
    loop {
        let path = folder.join(format!("{what}-{number}.json"));
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                (file, number) = (error.file, number.saturating_add(1));
            }
            Err(error) => return Err(error.error),
        }
    }
}
