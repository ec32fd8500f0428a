//! Names of the files through which a live run is asked for something.

/// Requests that replace a strategy.
pub const SWAP: &str = "swap";
/// Requests for a stop, a checkpoint or a validation.
pub const ASK: &str = "ask";

/// The file of a request that waits, by what it is about.
pub fn request_file(topic: &str) -> String {
    format!("{topic}-request.json")
}

/// What names of answers begin with; a token and `.json` follow.
pub fn answer_prefix(topic: &str) -> String {
    format!("{topic}-answer-")
}

/// Whether a file is a request or an answer, of whatever topic.
pub(super) fn is_letter(name: &str) -> bool {
    [SWAP, ASK].iter().any(|topic| name == request_file(topic) || name.starts_with(&answer_prefix(topic)))
}
