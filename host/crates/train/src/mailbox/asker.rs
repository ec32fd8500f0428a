//! The asker's side.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Topic, Unanswered, answer_file, request_file};
use crate::run_dir::{Holder, holder};

/// Time between two looks for the answer.
const LOOK: Duration = Duration::from_millis(50);

/// A token for a request of this process.
pub fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", std::process::id(), now.as_nanos())
}

/// Puts a request where a live run looks, whole, and gives the number of its process.
///
/// # Errors
/// The run is not live, or another request waits.
pub fn post<T: Topic>(run_dir: &Path, request: &T::Request) -> Result<String, Unanswered> {
    let process = match holder(run_dir).map_err(Unanswered::io(run_dir))? {
        Holder::Live { process } => process,
        Holder::Nobody => return Err(Unanswered::not_live::<T>(run_dir)),
        Holder::NoRun => return Err(Unanswered::no_run(run_dir)),
    };
    let path = run_dir.join(request_file::<T>());
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(run_dir)?;
        file.write_all(serde_json::to_string(request)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(&path).map_err(|error| error.error).map(drop)
    };
    match write() {
        Ok(()) => Ok(process),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Unanswered::busy::<T>(run_dir)),
        Err(error) => Err(Unanswered::io(&path)(error)),
    }
}

/// Asks a live run, calls `asked` with the number of its process, and waits for the answer.
///
/// # Errors
/// The run is not live or ends, or `timeout` passes or `is_interrupted` says so: the request is then
/// withdrawn. One that the run has taken is being answered, and is waited for.
pub fn post_and_wait<T: Topic>(
    run_dir: &Path,
    request: &T::Request,
    timeout: Option<Duration>,
    asked: impl FnOnce(&str),
    is_interrupted: impl Fn() -> bool,
) -> Result<T::Answer, Unanswered> {
    let process = post::<T>(run_dir, request)?;
    asked(&process);
    let started = Instant::now();
    let answer = run_dir.join(answer_file::<T>(T::token(request).unwrap_or_default()));
    let withdraw = || std::fs::remove_file(run_dir.join(request_file::<T>())).is_ok();
    loop {
        // The lock first: an answer given right before the end is then found.
        let is_live = matches!(holder(run_dir).map_err(Unanswered::io(run_dir))?, Holder::Live { .. });
        match std::fs::read(&answer) {
            Ok(text) => {
                std::fs::remove_file(&answer).map_err(Unanswered::io(&answer))?;
                return serde_json::from_slice(&text).map_err(|error| Unanswered::io(&answer)(error.into()));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Unanswered::io(&answer)(error)),
        }
        if !is_live {
            withdraw();
            return Err(Unanswered::ended::<T>(run_dir));
        }
        if is_interrupted() && withdraw() {
            return Err(Unanswered::Interrupted);
        }
        if let Some(timeout) = timeout.filter(|timeout| started.elapsed() >= *timeout)
            && withdraw()
        {
            return Err(Unanswered::timed_out::<T>(timeout.as_secs_f64()));
        }
        std::thread::sleep(LOOK);
    }
}
