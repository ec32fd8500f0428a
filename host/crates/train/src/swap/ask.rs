//! The asker's side.

use std::path::Path;
use std::time::Duration;

use super::{Swap, SwapAnswer, SwapError, SwapRequest, Swaps};
use crate::mailbox::post_and_wait;

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
    match post_and_wait::<Swaps>(run_dir, request, timeout, asked, is_interrupted) {
        Ok(SwapAnswer::Swapped(swap)) => Ok(*swap),
        Ok(SwapAnswer::Refused { reason, exit_code }) => Err(SwapError::Refused { reason, exit_code }),
        Err(unanswered) => Err(unanswered.into()),
    }
}
