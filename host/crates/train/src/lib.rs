//! Training: run configs, the model with its freeze state, the loop, checkpoints, run directories.

pub mod audit;
pub mod checkpoint;
pub mod config;
pub mod error;
pub mod find_lr;
pub mod fit;
pub mod inference;
pub mod model;
pub mod parts;
pub mod plan;
pub mod run_dir;
pub mod swap;
pub mod trainer;

pub use error::Error;
