//! What an author of Thaw plugins depends on.
pub mod optimizer;
