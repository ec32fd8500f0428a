//! The host: it loads plugins and runs the libtorch training loop.

pub mod aligned;
pub mod check;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod data;
pub mod durable;
pub mod error;
pub mod escape;
pub mod find_lr;
pub mod fit;
pub mod inference;
pub mod inspect;
pub mod mapped;
pub mod model;
pub mod optimizer;
pub mod plan;
pub mod plugins;
pub mod predict;
pub mod progress;
pub mod run_dir;
pub mod scaffold;
pub mod scheduler;
pub mod stdout;
pub mod swap;
pub mod torch;
pub mod weights;

pub use error::Error;
pub use escape::escape;
