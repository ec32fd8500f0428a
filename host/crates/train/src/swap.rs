//! Replacing the strategy of a live run: what asker and run say to each other, through files of the run
//! directory.
//!
//! ```text
//! asker                                run
//! swap-request.json ────────────────►  between two batches: opens the plugin, makes the strategy
//!   (withdrawn by removing it)         at its next epoch: takes the request; the new strategy takes
//!                                      over, or the old one stays
//!        swap-answer-<token>.json  ◄── either way says so; what ran since when is in swaps.json
//! ```
//!
//! The files are those of a [mailbox](crate::mailbox).

mod ask;
mod error;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use ask::ask;
pub use error::SwapError;

use crate::mailbox::Topic;
use crate::run_dir::letters;

/// Requests for swaps.
pub struct Swaps;

impl Topic for Swaps {
    const NAME: &'static str = letters::SWAP;
    const DONE: &'static str = "replaced in it";
    const ANSWERED_AT: &'static str = "its next epoch";
    type Request = SwapRequest;
    type Answer = SwapAnswer;

    fn token(request: &SwapRequest) -> Option<&str> {
        Some(&request.token)
    }
}

/// What an asker wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SwapRequest {
    /// Tells this request from others.
    pub token: String,
    /// The plugin's file.
    pub plugin: PathBuf,
    /// `KEY=VALUE`, keys of the new strategy's table under `[[callbacks]]`.
    pub set: Vec<String>,
    /// Where the asker works, which relative paths among them start at.
    #[serde(default)]
    pub folder: PathBuf,
    /// Id of the strategy to replace; may be left out where there is one.
    pub replace: Option<String>,
}

/// What the run did.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwapAnswer {
    /// The new strategy is in charge.
    Swapped(Box<Swap>),
    /// The run is as it was.
    Refused {
        /// Why.
        reason: String,
        /// The exit code that a run with this fault would end with.
        exit_code: u8,
    },
}

/// A strategy that was replaced: what a resumed run needs to do the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Swap {
    /// The first epoch of the new strategy, from 0.
    pub epoch: usize,
    /// Place of both among the run config's `[[callbacks]]`.
    pub index: usize,
    /// Id of the old strategy.
    pub replaced: String,
    /// Id of the new one.
    pub id: String,
    /// Configuration of the new one.
    pub config: Value,
    /// Its plugin's name.
    pub plugin: String,
    /// Its plugin's version.
    pub version: String,
    /// The file that was asked for.
    pub source: PathBuf,
    /// Name of the run's own copy of it, in `plugins/`.
    pub file: String,
    /// SHA-256 of both.
    pub sha256: String,
}
