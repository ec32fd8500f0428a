//! What end-to-end tests share: the built program and plugins, a run in a temporary folder, and what came of
//! it.
//!
//! ```no_run
//! use thaw_tests::{Run, case};
//!
//! let run = Run::new(&(case("bb_steplr") + "[trainer]\nmax_epochs = 1\n"));
//! run.fit(&[]).succeeded();
//! assert_eq!(run.groups().len(), 1);
//! let refused = run.fit(&["--set", "trainer.max_epochs=many"]);
//! refused.failed(2, &["run.toml", "`trainer.max_epochs`", "a whole number"]);
//! ```

mod built;
pub mod catalog;
mod example;
mod finished;
pub mod hub;
mod in_process;
mod live;
mod on;
mod outcome;
mod outside;
pub mod parity;
mod processes;
mod records;
mod run;
mod tensors;
pub mod tiny_text;

use std::path::{Path, PathBuf};

pub use built::{build, host, plugin};
pub use example::example;
pub use finished::Finished;
pub use in_process::{Alone, InProcess, in_process};
pub use live::Live;
pub use on::On;
pub use outcome::Outcome;
pub use outside::{cargo_outside, old_strategy, outside_target};
pub use processes::free_port;
pub use records::without_times;
pub use run::Run;
pub use tensors::{Values, read_tensors, write_tensors};

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// `tests/fixtures`.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Model, weights and data of a reference case, as the beginning of a run config: `plugins`, `[model]` and
/// `[data]` with a `batch_size` of 8, in the file's order. Keys of `[data]` may follow.
pub fn case(name: &str) -> String {
    let folder = fixtures().join("parity").join(name);
    format!(
        "seed = 1\nplugins = [\"case_model\"]\n\n[model]\nid = \"case-model\"\ncase = {:?}\nweights = \
         {:?}\n\n\
         [data]\nkind = \"tensors\"\npath = {:?}\nbatch_size = 8\nshuffle = false\n",
        folder.join("case.json"),
        folder.join("init.safetensors"),
        folder.join("data.safetensors"),
    )
}
