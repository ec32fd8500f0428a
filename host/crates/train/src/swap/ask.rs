//! The asker's side.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{REQUEST, Swap, SwapAnswer, SwapError, SwapRequest, answer_file};
use crate::run_dir::{Holder, holder};

/// Time between two looks for the answer.
const LOOK: Duration = Duration::from_millis(50);

/// Asks a live run, calls `asked` with the run's process number, and waits for the answer, which comes at the
/// run's next epoch or, where the request is bad, after its present batch.
///
/// # Errors
/// The run is not live or ends, refuses, or `timeout` passes or `is_interrupted` says so: the request is then
/// withdrawn.
pub fn ask(
    run_dir: &Path,
    request: &SwapRequest,
    timeout: Option<Duration>,
    asked: impl FnOnce(&str),
    is_interrupted: impl Fn() -> bool,
) -> Result<Swap, SwapError> {
    let folder = run_dir.to_path_buf();
    let process = match holder(run_dir).map_err(failed(run_dir))? {
        Holder::Live { process } => process,
        Holder::Nobody => return Err(SwapError::NotLive { run_dir: folder }),
        Holder::NoRun => return Err(SwapError::NoRun { run_dir: folder }),
    };
    put(run_dir, request)?;
    asked(&process);
    let started = Instant::now();
    let answer = run_dir.join(answer_file(&request.token));
    let withdraw = || std::fs::remove_file(run_dir.join(REQUEST)).is_ok();
    loop {
        // The lock first: an answer given right before the end is then found.
        let is_live = matches!(holder(run_dir).map_err(failed(run_dir))?, Holder::Live { .. });
        match std::fs::read(&answer) {
            Ok(text) => {
                std::fs::remove_file(&answer).map_err(failed(&answer))?;
                let answer = serde_json::from_slice(&text).map_err(|error| failed(&answer)(error.into()))?;
                return match answer {
                    SwapAnswer::Swapped(swap) => Ok(*swap),
                    SwapAnswer::Refused { reason, exit_code } => {
                        Err(SwapError::Refused { reason, exit_code })
                    }
                };
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&answer)(error)),
        }
        if !is_live {
            withdraw();
            return Err(SwapError::Ended { run_dir: folder });
        }
        // A request that is gone already is being answered.
        if is_interrupted() && withdraw() {
            return Err(SwapError::Interrupted);
        }
        if let Some(timeout) = timeout.filter(|timeout| started.elapsed() >= *timeout)
            && withdraw()
        {
            return Err(SwapError::TimedOut { seconds: timeout.as_secs_f64() });
        }
        std::thread::sleep(LOOK);
    }
}

/// Puts the request where the run looks, whole, unless another is there.
fn put(run_dir: &Path, request: &SwapRequest) -> Result<(), SwapError> {
    let path = run_dir.join(REQUEST);
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(run_dir)?;
        file.write_all(serde_json::to_string(request)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(&path).map_err(|error| error.error).map(drop)
    };
    write().map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => SwapError::Busy { run_dir: run_dir.to_path_buf() },
        _ => failed(&path)(error),
    })
}

fn failed(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> SwapError {
    let path = path.into();
    move |source| SwapError::Io { path, source }
}
