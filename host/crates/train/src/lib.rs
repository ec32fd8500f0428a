//! Training: run configs, the model with its freeze state, the loop, checkpoints, run directories.
//!
//! ```no_run
//! use thaw_train::checkpoint::{Checkpoint, locate};
//!
//! # fn main() -> Result<(), thaw_train::Error> {
//! let checkpoint = Checkpoint::open(&locate("runs/first".as_ref(), "best")?)?;
//! let position = &checkpoint.state.position;
//! println!("{} epochs, {} steps", position.epoch, position.global_step);
//! # Ok(())
//! # }
//! ```
//!
//! [`trainer`] trains from a Rust program, [`inference`] validates and predicts with a checkpoint, [`plan`]
//! says what will train. What happens in a run, its [events](fit::events) say.

pub mod ask;
pub mod audit;
pub mod checkpoint;
pub mod config;
pub mod error;
pub mod find_batch_size;
pub mod find_lr;
pub mod fit;
pub mod inference;
pub mod mailbox;
pub mod model;
pub mod parts;
pub mod plan;
mod random;
pub mod run_dir;
pub mod swap;
pub mod together;
pub mod trainer;
pub mod world;

pub use error::Error;
