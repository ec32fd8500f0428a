//! A run to look at: its records as one HTML file, which needs neither network nor scripts.
//!
//! ```no_run
//! use thaw_report::Run;
//!
//! # fn main() -> Result<(), thaw_report::ReportError> {
//! let run = Run::read("runs/first".as_ref())?;
//! if let Some((epoch, value)) = run.best() {
//!     println!("{}: {value} in epoch {} of {}", run.name, epoch + 1, run.epochs());
//! }
//! let page = thaw_report::write("runs/first".as_ref(), None)?;
//! println!("{}", page.display());
//! # Ok(())
//! # }
//! ```
//!
//! [`Run::read`] reads what a run directory holds, of a live run, a run that is over, or one of an earlier
//! version; [`page::render`] makes the page of it, and of nothing else, so that it can be made again at any
//! time. [`Reporter`] observes a run and writes `report.html` after each epoch.

mod chart;
mod error;
mod escape;
mod observer;
pub mod page;
pub mod run;
pub mod runs;

use std::path::{Path, PathBuf};

pub use chart::{number, seconds};
pub use error::ReportError;
pub use escape::escape;
pub use observer::Reporter;
pub use run::Run;
use thaw_files::durable;
use thaw_train::run_dir::REPORT;

/// Writes the report of a run, to `output` or into the run directory; gives its path. It appears whole.
///
/// # Errors
/// The folder is no run directory, a record cannot be read, or the file cannot be written.
pub fn write(run_dir: &Path, output: Option<&Path>) -> Result<PathBuf, ReportError> {
    let page = page::render(&Run::read(run_dir)?);
    let path = output.map_or_else(|| run_dir.join(REPORT), Path::to_path_buf);
    write_page(path, &page)
}

/// Writes a page of runs over each other; gives its path. It appears whole.
///
/// # Errors
/// The file cannot be written.
pub fn write_comparison(runs: &[runs::Found], output: &Path) -> Result<PathBuf, ReportError> {
    write_page(output.to_path_buf(), &page::render_comparison(runs))
}

fn write_page(path: PathBuf, page: &str) -> Result<PathBuf, ReportError> {
    match durable::write(&path, page.as_bytes()) {
        Ok(()) => Ok(path),
        Err(source) => Err(ReportError::Write { path, source }),
    }
}
