//! What somebody asks of a live run, through files of its run directory.
//!
//! ```text
//! asker                                 run
//! <topic>-request.json ─────────────►   finds it between two batches
//!   (withdrawn by removing it)          takes it, by removing it, and does it or refuses
//!      <topic>-answer-<token>.json  ◄── says what came of it
//! ```
//!
//! Each file appears whole. Whether the run is live tells the lock of its run directory. Of a topic one
//! request waits at a time.

mod asker;
mod run_side;
mod unanswered;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use asker::{post, post_and_wait, token};
pub use run_side::Mailbox;
pub use unanswered::Unanswered;

use crate::run_dir::letters;

/// A kind of request, with files of its own.
pub trait Topic {
    /// What its files' names begin with.
    const NAME: &'static str;
    /// What a run that is not live cannot have done to it, as "replaced in it".
    const DONE: &'static str;
    /// When the run answers, as "its next epoch".
    const ANSWERED_AT: &'static str;
    /// What is asked for.
    type Request: Clone + PartialEq + Serialize + DeserializeOwned;
    /// What the run says to it.
    type Answer: Serialize + DeserializeOwned;

    /// Tells a request from others; none where nobody waits for an answer.
    fn token(request: &Self::Request) -> Option<&str>;
}

fn request_file<T: Topic>() -> String {
    letters::request_file(T::NAME)
}

fn answer_file<T: Topic>(token: &str) -> String {
    format!("{}{token}.json", letters::answer_prefix(T::NAME))
}
