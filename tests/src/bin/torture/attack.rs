//! What a round does, and what is wrong with the program if it fails.

use std::path::Path;

use fastrand::Rng;

/// One way to hurt the program. A file of this folder implements it.
pub trait Attack: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// Why it cannot be done on this machine.
    fn missing(&self) -> Option<String> {
        None
    }

    /// One round, in an empty folder.
    ///
    /// # Errors
    /// What the program did wrong.
    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault>;
}

/// What the program did wrong.
pub struct Fault {
    /// In words.
    pub what: String,
    /// The command that did, as typed in the round's folder.
    pub command: String,
}

impl Fault {
    /// A fault that no single command shows.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), command: String::new() }
    }
}
