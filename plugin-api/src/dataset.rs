//! Data sets: samples by index, for the host to batch.

mod array;
mod description;
mod sample;
mod saved;

pub use array::{Array, Dtype, Element};
#[doc(hidden)]
pub use description::Description;
pub use description::{ArrayForm, Form};
pub use sample::{Input, Picture, Sample, Target};
#[doc(hidden)]
pub use saved::{restore, save};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::callback::{no_migration, refuse_rest};
use crate::config::Config;
use crate::error::Result;

/// A part of the data with its own purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// What the model is trained on.
    Train,
    /// What it is measured on while it is trained.
    Val,
    /// What it is measured on at the end: `host test`.
    Test,
}

impl Split {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// As run configs and command lines have it: `train`, `val`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Samples by split and index: what a run config's `[data]` table with `kind = "plugin"` names by its `id`.
///
/// The author reads samples, the host does the rest as it does for its own kinds: it decodes, resizes and
/// augments pictures, tokenizes texts, splits validation data off (`val_split`), shuffles, batches, limits.
///
/// [`Dataset::get`] is called from several threads at once, in any order, ahead of the step that needs the
/// sample. The same index always gives the same sample: runs are resumed and repeated by it.
///
/// ```
/// use thaw_plugin_api::prelude::*;
///
/// #[derive(Config)]
/// struct PointsConfig {
///     /// Number of points.
///     #[config(default = 100, range = 1..)]
///     points: usize,
/// }
///
/// /// Points on a line, and whether they are right of the middle.
/// struct Points {
///     points: usize,
/// }
///
/// impl Dataset for Points {
///     const ID: &'static str = "points";
///     const DESCRIPTION: &'static str = "points on a line, by their side";
///     type Config = PointsConfig;
///
///     fn new(config: PointsConfig) -> Result<Self> {
///         Ok(Self { points: config.points })
///     }
///
///     fn form(&self) -> Form {
///         Form::array("x", Dtype::F32, [1])
///     }
///
///     fn class_names(&self) -> Vec<String> {
///         vec!["left".into(), "right".into()]
///     }
///
///     fn len(&self, split: Split) -> Option<usize> {
///         (split == Split::Train).then_some(self.points)
///     }
///
///     fn get(&self, _: Split, index: usize) -> Result<Sample> {
///         let x = index as f32 / self.points as f32 - 0.5;
///         Ok(Sample::array("x", Array::new([1], &[x])?).class(usize::from(x >= 0.0)))
///     }
/// }
///
/// export_plugin!(datasets: [Points]);
/// # fn main() {}
/// ```
pub trait Dataset: Sized + Send + Sync + 'static {
    /// Name in run configs, unique among the data sets of all loaded plugins: `[a-z0-9-]+`.
    const ID: &'static str;

    /// One line on what it is.
    const DESCRIPTION: &'static str = "";

    /// Version of the saved state. Raise it when what [`Dataset::state`] gives changes, and write
    /// `migrate_state`.
    const STATE_VERSION: u32 = 1;

    /// The keys of the run config's table `[data]` that are this data set's own, beside those of the host.
    /// A key of the host's for loading (`batch_size`, `val_split`, `workers`, …) cannot be one.
    type Config: Config;

    /// Opens the data: looks for files, reads an index. Once per command, before all else.
    ///
    /// # Errors
    /// A configuration that cannot be used, files that cannot be read.
    fn new(config: Self::Config) -> Result<Self>;

    /// What every sample is. Asked after [`Dataset::load_state`].
    fn form(&self) -> Form;

    /// Number of samples of a split, which stays as it is; none where there is no such split. Training needs
    /// a `train` split; without `val`, a share of it can be kept (`val_split`).
    fn len(&self, split: Split) -> Option<usize>;

    /// A sample. On any thread, many at once; for an index below [`Dataset::len`].
    ///
    /// # Errors
    /// A sample that cannot be read; it ends the run with exit code 3 and the sample's split and index.
    fn get(&self, split: Split, index: usize) -> Result<Sample>;

    /// Names of the classes, in the order of their indices; empty where targets are no classes.
    fn class_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// The target alone, where it is known without the sample being read; `None` (the default) where it is
    /// not. Known for all samples, `val_split` keeps its share of each class, and the head of a run says how
    /// many samples each class has. Asked of every sample when the data is opened.
    ///
    /// # Errors
    /// As [`Dataset::get`].
    fn target(&self, split: Split, index: usize) -> Result<Option<Target>> {
        let _ = (split, index);
        Ok(None)
    }

    /// About how long a text is, in any unit, where that is known without reading it; `None` (the default)
    /// where it is not. Known for all samples, texts of similar length go into one batch (`bucket`).
    fn length(&self, split: Split, index: usize) -> Option<usize> {
        let _ = (split, index);
        None
    }

    /// What tells a sample from all others of its split wherever the data lies: a relative path, a key, a
    /// number. `val_split` draws by it, so that a new sample moves few others; predictions are listed by it.
    /// Default: the index.
    fn identity(&self, split: Split, index: usize) -> String {
        let _ = split;
        index.to_string()
    }

    /// Whether samples lie in memory, as they are needed. Where they do, no threads read ahead unless the
    /// run config says so, and decoded pictures are not kept a second time.
    fn in_memory(&self) -> bool {
        false
    }

    /// What has to be the same when the run goes on: a split that was drawn, a list of files, a vocabulary.
    /// It goes into every checkpoint. What it says may not depend on which samples were read so far: threads
    /// read ahead of training.
    ///
    /// # Errors
    /// A field that serde cannot write.
    fn state(&self) -> Result<Map<String, Value>> {
        Ok(Map::new())
    }

    /// Restores what [`Dataset::state`] gave, right after [`Dataset::new`]: in a resumed run, and where a
    /// checkpoint is validated, tested or predicted with. May refuse data that is not what it was.
    ///
    /// # Errors
    /// Entries that are missing or of another type.
    fn load_state(&mut self, state: Map<String, Value>) -> Result<()> {
        refuse_rest(&state)
    }

    /// Brings state of an older version into today's form.
    ///
    /// # Errors
    /// By default, always: a version that is not [`Dataset::STATE_VERSION`] is refused.
    fn migrate_state(version: u32, state: Map<String, Value>) -> Result<Map<String, Value>> {
        let _ = state;
        Err(no_migration(Self::ID, version, Self::STATE_VERSION))
    }
}
