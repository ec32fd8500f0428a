//! Everything that can be wrong with a run ends it with the right exit code and one clear message, or does
//! not end it.

mod checkpoints;
mod configs;
mod endings;
mod hooks;
mod models;
mod pictures;
mod plugins;
mod training;
mod weights;
