//! Several processes of a run, as each is seen: the first one speaks for all, the others write a log.

use std::path::PathBuf;

use serde_json::json;
use tch::Device;
use time::OffsetDateTime;

use super::{logging, tell};
use crate::Error;
use thaw_files::durable;
use thaw_plugins::calls;
use thaw_train::config::RunConfig;
use thaw_train::fit::events::{Event, EventKind, Observer, ObserverError};
use thaw_train::run_dir::RANK_LOGS;
use thaw_train::together;
use thaw_train::world::{Launch, World, find_launch};

/// torchrun's variable: the file in which it looks why a process failed.
const ERROR_FILE: &str = "TORCHELASTIC_ERROR_FILE";

/// Sends the log of a process that is not the first one into the run directory: `logs/rank-N.log`.
pub struct RankLog(usize);

impl RankLog {
    /// Of this process.
    pub fn new(rank: usize) -> Self {
        Self(rank)
    }
}

impl Observer for RankLog {
    fn name(&self) -> &str {
        "rank-log"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        let EventKind::RunStarted(run) = &event.kind else { return Ok(()) };
        let folder = run.run_dir.join(RANK_LOGS);
        let open = || {
            std::fs::create_dir_all(&folder)?;
            let file = folder.join(format!("rank-{}.log", self.0));
            std::fs::OpenOptions::new().create(true).append(true).open(file)
        };
        logging::go_on_in(open().map_err(|error| ObserverError::Failed(error.into()))?);
        tracing::info!(
            "rank {} of {} on {:?}, process {}",
            self.0,
            run.processes,
            run.device,
            std::process::id()
        );
        Ok(())
    }
}

/// Has this process end where the run has failed elsewhere and it does not come back to notice.
///
/// # Errors
/// It cannot be watched.
pub fn watch(world: &World) -> Result<(), Error> {
    let rank = world.rank();
    let end = move || {
        logging::say_what_waits();
        tell(format_args!(
            "error: rank {rank} does not come back though the run has failed elsewhere; it is ended"
        ));
        calls::forget();
        #[cfg(unix)]
        super::exit_at_once(1);
        #[cfg(not(unix))]
        std::process::exit(1);
    };
    Ok(world.watch(end).map_err(thaw_train::Error::from)?)
}

/// What the launcher says of this process, where it is one of several.
pub fn launch() -> Option<Launch> {
    let launch = find_launch(|name| std::env::var(name).ok()).ok().flatten();
    launch.filter(|launch| launch.world_size > 1)
}

/// Tells the others, who may wait for this process already, that it fails before it has met them. Gives what
/// it is to say itself.
pub fn fail_before_meeting(launch: Option<&Launch>, error: Error) -> Error {
    let Some(launch) = launch.filter(|launch| launch.world_size > 1) else { return error };
    let told = together::fail_before_meeting(launch.clone(), error.to_string(), error.exit_code());
    told.map_or(error, Error::from)
}

/// Says that torchrun has each process compute with one thread, where nobody asked for more.
pub fn tell_of_threads(config: &RunConfig, device: Device, is_by_torchrun: bool) {
    let is_one = std::env::var("OMP_NUM_THREADS").is_ok_and(|threads| threads == "1");
    if is_by_torchrun && is_one && config.trainer.threads.is_none() && device == Device::Cpu {
        tracing::info!(
            "OMP_NUM_THREADS=1, which torchrun sets where nobody has: each process computes with one thread; \
             trainer.threads takes more"
        );
    }
}

/// Whether this is one of several processes, and not the first one: what it says, it says in its log.
pub fn is_quiet() -> bool {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.trim().parse::<usize>().ok());
    let rank = number("RANK").or_else(|| number("SLURM_PROCID").filter(|_| number("SLURM_NTASKS") > Some(1)));
    rank.is_some_and(|rank| rank > 0)
}

/// How many processes a launcher started, this one among them.
pub fn processes() -> usize {
    let variable = |name: &str| std::env::var(name).ok();
    match find_launch(variable) {
        Ok(launch) => launch.map_or(1, |launch| launch.world_size),
        // Enough of them is there to say that there are several.
        Err(_) => variable("WORLD_SIZE").and_then(|value| value.trim().parse().ok()).unwrap_or(1),
    }
}

/// Tells torchrun why this process failed, where it is a process of torchrun's.
pub fn write_error_file(error: &Error) {
    let Some(path) = std::env::var_os(ERROR_FILE).map(PathBuf::from) else { return };
    // The earliest counts as the cause, in whole seconds; one without a time would always be it. Who only
    // heard of a failure comes after the one that had it.
    let later = i64::from(error.is_of_another_process());
    let time = OffsetDateTime::now_utc().unix_timestamp() + later;
    let message = json!({ "message": {
        "message": error.to_string(),
        "extraInfo": { "timestamp": time.to_string() },
    } });
    if let Err(error) = durable::write(&path, message.to_string().as_bytes()) {
        tracing::warn!("{}: {error}; torchrun does not learn why this process failed", path.display());
    }
}
