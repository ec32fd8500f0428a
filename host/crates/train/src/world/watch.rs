//! A process that does not come back while the run is over: a thread of its own notices.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::failure::OVER;
use super::{World, WorldError, address_of};
use thaw_torch::distributed::Meeting;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a process may take to notice that the run is over.
const GRACE: Duration = Duration::from_secs(15);

impl World {
    /// Calls `end` from another thread where the run has failed elsewhere and this process does not notice:
    /// it hangs, or computes for long. Nobody waits for it any more.
    ///
    /// # Errors
    /// The store cannot be reached, or the system gives no thread.
    pub fn watch(&self, end: impl FnOnce() + Send + 'static) -> Result<(), WorldError> {
        let Some(joined) = &self.0 else { return Ok(()) };
        let failed = |reason: String| WorldError::Network { place: "the start".to_owned(), reason };
        // A connection of its own: this process may hang inside of the other one.
        let address = address_of(&joined.launch, false);
        let meeting = Meeting::open(&address, &joined.launch.prefix(), joined.terms.timeout);
        let meeting = meeting.map_err(|error| failed(error.to_string()))?;
        let left = Arc::clone(&joined.left);
        let watch = move || {
            let mut over_since = None;
            while !left.load(Ordering::Acquire) {
                // A store that is gone went with the process that hosted it.
                if over_since.is_none() && meeting.get(OVER).map_or(true, |over| over.is_some()) {
                    over_since = Some(Instant::now());
                }
                if over_since.is_some_and(|since| since.elapsed() >= GRACE) {
                    return end();
                }
                std::thread::sleep(LOOK_EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("processes".to_owned()).spawn(watch);
        thread.map(drop).map_err(|error| failed(error.to_string()))
    }
}
