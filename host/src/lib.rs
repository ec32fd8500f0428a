//! The program `host`: its command line and what it shows. Training itself lies in the crates under
//! `crates/`.

pub mod cli;
mod error;
pub mod inspect;
pub mod predict;
pub mod progress;
pub mod scaffold;
pub mod sweep;
pub mod watch;
mod width;

pub use error::Error;
