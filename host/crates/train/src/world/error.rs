//! Why several processes do not go on together.

use std::time::Duration;

use super::LaunchError;

/// Why several processes do not go on together.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The launcher's variables do not say which process this is.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The processes did not find each other.
    #[error(
        "the processes of the run did not meet at {place} within {} s: {reason}. Look whether all of them \
         were started, and whether MASTER_ADDR and MASTER_PORT are the same for all and free; \
         trainer.timeout is how long is waited",
        waited.as_secs()
    )]
    NotMet {
        /// Where.
        place: String,
        /// How long.
        waited: Duration,
        /// libtorch's words.
        reason: String,
    },
    /// Another process failed.
    #[error("rank {rank} failed: {message}")]
    Peer {
        /// Which.
        rank: usize,
        /// Its error.
        message: String,
        /// Its exit code.
        code: u8,
    },
    /// A process ended without a word.
    #[error(
        "{} gone at {place} without a word: the process crashed, was killed, or lost the network; its own \
         log may say more",
        names(ranks)
    )]
    Gone {
        /// Which.
        ranks: Vec<usize>,
        /// Where those were that noticed.
        place: String,
    },
    /// A process does not come.
    #[error(
        "{} not come to {place} within {} s, where the others wait: it hangs, or computes for longer than \
         trainer.timeout",
        names_have(ranks), waited.as_secs()
    )]
    Hung {
        /// Which.
        ranks: Vec<usize>,
        /// Where the others are.
        place: String,
        /// How long they waited.
        waited: Duration,
    },
    /// Processes decided differently.
    #[error(
        "rank {rank} is at {place}, rank 0 at {first}: what hooks decide has to be the same in every \
         process. Random numbers, clocks and files of one machine are not"
    )]
    Apart {
        /// Which is not where the first is.
        rank: usize,
        /// Where it is.
        place: String,
        /// Where the first one is.
        first: String,
    },
    /// Processes hold different things.
    #[error(
        "rank {rank} differs from rank 0 at {place}: {what} is {found}, and {expected} on rank 0. Run \
         config, data, and what strategies and callbacks decide have to be the same in every process"
    )]
    Differs {
        /// Which.
        rank: usize,
        /// Where in the run.
        place: String,
        /// What differs.
        what: String,
        /// What it has there.
        found: String,
        /// What the first one has.
        expected: String,
    },
    /// The network between them failed.
    #[error("the processes lost each other at {place}: {reason}")]
    Network {
        /// Where.
        place: String,
        /// libtorch's words.
        reason: String,
    },
    /// This process has let go of the others before.
    #[error("this process has let go of the others, and cannot come to {place}")]
    LetGo {
        /// Where.
        place: String,
    },
    /// What another process said was not understood.
    #[error("rank {rank} said at {place} what this version of the program does not understand: {reason}")]
    Foreign {
        /// Which.
        rank: usize,
        /// Where.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody said anything.
    #[error("no process of the run said anything")]
    Silent,
    /// This process failed, and the first one has said so.
    #[error("{message}")]
    Told {
        /// The error, for this process' own log.
        message: String,
        /// Its exit code.
        code: u8,
        /// Whose failure it is.
        cause: Cause,
    },
}

/// Where an error comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// From this process.
    Own,
    /// From another one.
    Another,
}

impl WorldError {
    /// 1 the run failed, 2 usage or config; where another process failed, its own code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Launch(_) => 2,
            Self::Peer { code, .. } | Self::Told { code, .. } => *code,
            _ => 1,
        }
    }

    /// Where the cause lies.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Told { cause, .. } => *cause,
            Self::Peer { .. }
            | Self::Gone { .. }
            | Self::Hung { .. }
            | Self::Network { .. }
            | Self::NotMet { .. } => Cause::Another,
            _ => Cause::Own,
        }
    }

    /// Which processes are not there any more.
    pub fn missing(&self) -> &[usize] {
        match self {
            Self::Gone { ranks, .. } | Self::Hung { ranks, .. } => ranks,
            _ => &[],
        }
    }
}

fn list(ranks: &[usize]) -> String {
    let ranks: Vec<String> = ranks.iter().map(ToString::to_string).collect();
    match ranks.as_slice() {
        [one] => format!("rank {one}"),
        several => format!("ranks {}", several.join(", ")),
    }
}

fn names(ranks: &[usize]) -> String {
    format!("{} {}", list(ranks), if ranks.len() == 1 { "is" } else { "are" })
}

fn names_have(ranks: &[usize]) -> String {
    format!("{} {}", list(ranks), if ranks.len() == 1 { "has" } else { "have" })
}
