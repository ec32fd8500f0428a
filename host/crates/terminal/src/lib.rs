//! What a terminal is shown: names that somebody else chose, cells of tables, standard output.
//!
//! ```
//! use thaw_terminal::{aligned, escape};
//!
//! let class = "tabby\u{1b}[31m";
//! assert_eq!(aligned::left(&escape(class), 16), "tabby\\u{1b}[31m ");
//! ```

pub mod aligned;
pub mod escape;
mod number;
mod sparkline;
pub mod stdout;
mod wrap;

pub use escape::escape;
pub use number::number;
pub use sparkline::sparkline;
pub use wrap::{wrap, wrap_cells};
