//! What other trainers get wrong: each test is named after what holds here and fails where it is done as
//! there.
//!
//! That random numbers and the order of data go on after a restart is in `resume.rs`, beside this folder.

mod accumulation;
mod audit;
mod frozen_batch_norm;
mod identity;
mod model;
mod restart;
mod schedulers;
mod tied_weights;
