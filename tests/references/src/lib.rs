//! Model plugins in process against what PyTorch computes (`tests/fixtures/models`).
//!
//! [`formula`] gives the weights and inputs that the references were made with, [`Reference`] is one reference file, and
//! [`Built`] a model with its module tree, ready to be compared.

mod built;
pub mod formula;
mod reference;

pub use built::Built;
pub use reference::{Reference, fixtures};

/// What differs from the reference first, and where.
pub type Outcome = Result<(), String>;

/// Whether two numbers are within a relative tolerance of each other.
pub fn close(what: &str, ours: f64, theirs: f64, relative: f64) -> Outcome {
    let deviation = (ours - theirs).abs();
    if deviation <= relative * theirs.abs().max(1e-12) {
        return Ok(());
    }
    Err(format!("{what}: {ours}, the reference has {theirs}: off by {:.3e} of it, allowed are {relative:.0e}", deviation / theirs.abs()))
}
