//! Where the system's libraries do not bear to be copied with their process: every check's is started anew.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use super::Job;

/// None.
#[derive(Default)]
pub struct Zygotes;

impl Zygotes {
    /// Runs a job in a new process; `None` where it was not done in time.
    ///
    /// # Errors
    /// A process that cannot be started.
    pub fn run(&self, job: &Job, limit: Duration) -> io::Result<Option<ExitStatus>> {
        job.spawn_and_wait(limit)
    }
}

/// There is nothing to serve.
///
/// # Errors
/// Always.
pub fn serve(_: fn(&Job) -> Result<(), String>) -> io::Result<()> {
    Err(io::Error::other("this system starts a process for each check"))
}
