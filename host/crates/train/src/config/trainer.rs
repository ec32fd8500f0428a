//! `[trainer]` and `[checkpoint]`.

use thaw_plugin_api::config::{Config, ConfigError};
use thaw_plugin_api::model::Precision;
use thaw_plugin_api::monitor::Mode;

use super::{Accumulation, ActivationCheckpointing, BatchLimit, ChannelsLast, DevRun, MaxTime};
use thaw_metrics::Metric;
use thaw_torch::MatmulPrecision;

/// The loop, by Lightning's names.
#[derive(Clone, Debug, Config)]
#[config(default, check = Self::check)]
pub struct TrainerConfig {
    /// Epochs to train.
    #[config(default = 10)]
    pub max_epochs: usize,
    /// Optimizer steps after which the run ends, whatever the epoch.
    #[config(range = 1..)]
    pub max_steps: Option<usize>,
    /// Epochs that are trained whoever asks for a stop: the run stops after them.
    #[config(range = 1..)]
    pub min_epochs: Option<usize>,
    /// Optimizer steps that are taken whoever asks for a stop.
    #[config(range = 1..)]
    pub min_steps: Option<usize>,
    /// Time after which the run stops with a checkpoint, `DD:HH:MM:SS` or a table of `days`, `hours`,
    /// `minutes` and `seconds`; that of earlier processes of a resumed run counts.
    pub max_time: Option<MaxTime>,
    /// A trial of so many batches of training, validation and test (true is 1): one epoch, no sanity check,
    /// no checkpoints.
    #[config(default = DevRun::default())]
    pub fast_dev_run: DevRun,
    /// Batches of training and of validation, a number or a share, that are the same in each epoch: the data
    /// is not shuffled.
    pub overfit_batches: Option<BatchLimit>,
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    #[config(default = "auto")]
    pub device: String,
    /// Number format of forward and backward.
    #[config(default = Precision::Fp32)]
    pub precision: Precision,
    /// Batches whose gradients are added before a step; or a table of epochs, from 0, and their number from
    /// each on.
    #[config(default = Accumulation::of(1))]
    pub accumulate_grad_batches: Accumulation,
    /// How batches of unequal size count in an accumulation.
    #[config(default = Weighting::Batches)]
    pub weighting: Weighting,
    /// Limit of the gradients' norm or of each of their values; 0 is no limit, as in Lightning.
    #[config(range = 0.0..)]
    pub gradient_clip_val: Option<f64>,
    /// What is limited.
    #[config(default = ClipAlgorithm::Norm)]
    pub gradient_clip_algorithm: ClipAlgorithm,
    /// Epochs between validations.
    #[config(default = 1, range = 1..)]
    pub check_val_every_n_epoch: usize,
    /// Batches of training between validations in an epoch that validates, or a share of the epoch. Default:
    /// `1.0`, one validation at its end.
    pub val_check_interval: Option<BatchLimit>,
    /// Batches of validation before training starts, to find errors early; -1 for all.
    #[config(default = 2, range = -1..)]
    pub num_sanity_val_steps: i64,
    /// Batches of training in an epoch, at most, or a share of them.
    pub limit_train_batches: Option<BatchLimit>,
    /// Batches of validation, at most, or a share of them.
    pub limit_val_batches: Option<BatchLimit>,
    /// Batches of `host test`, at most, or a share of them.
    pub limit_test_batches: Option<BatchLimit>,
    /// Metrics of the whole validation besides the loss, `val_…` in records: `f1_macro`, `auroc`, `r2`, ….
    #[config(default = Vec::new())]
    pub metrics: Vec<Metric>,
    /// Batches between records of single batches in `metrics.jsonl`; 0 for none.
    #[config(default = 50)]
    pub log_every_n_steps: usize,
    /// Samples of each kind (most confidently wrong, least certain) that a validation of a classification
    /// keeps for the report, with thumbnails or texts; 0 for none.
    #[config(default = 12, range = 0..=12)]
    pub report_samples: usize,
    /// Whether the run says at its end what its time went into, in `profile.txt` and `profile.json`.
    pub profiler: Option<Profiler>,
    /// What happens when a trainable parameter is in no group or gets no gradient, or a frozen one moves.
    #[config(default = Audit::Error)]
    pub audit: Audit,
    /// Ends the run on a loss (of training or validation), on a norm of clipped gradients, and at checkpoints
    /// on weights or buffers that are not finite.
    #[config(default = true)]
    pub detect_anomaly: bool,
    /// Convolutions with the channels last in memory. `auto`: on a GPU, and on the CPU for the kinds of model
    /// that were measured to train faster so; a resumed run keeps the layout that it had.
    #[config(default = ChannelsLast::Auto)]
    pub channels_last: ChannelsLast,
    /// Precision of float32 matrix products and convolutions on a GPU. Default: PyTorch's, products in
    /// float32 and convolutions in TensorFloat-32.
    pub matmul_precision: Option<MatmulPrecision>,
    /// Whether cuDNN tries its algorithms on every new shape and takes the fastest, on a GPU.
    #[config(default = false)]
    pub cudnn_benchmark: bool,
    /// Algorithms that give the same result every time; an operation that has none ends the run.
    #[config(default = false)]
    pub deterministic: bool,
    /// Threads of libtorch on the CPU. Default: libtorch's own choice.
    #[config(range = 1..)]
    pub threads: Option<usize>,
    /// Stages of the model whose activations are not kept for the backward pass but computed again in it:
    /// less memory for one more forward pass of these; `true` for all.
    #[config(default = ActivationCheckpointing::default())]
    pub activation_checkpointing: ActivationCheckpointing,
    /// Number format in which the device holds weights that do not train; checkpoints have them in full.
    #[config(default = FrozenPrecision::Fp32)]
    pub frozen_precision: FrozenPrecision,
    /// Whether what frozen stages of the model give for a sample is computed once, and epochs start from
    /// it.
    #[config(default = FrozenCache::Auto)]
    pub frozen_cache: FrozenCache,
    /// MiB of memory that this may take for training, and as many for validation; what needs more is read
    /// from its file as it is needed.
    #[config(default = 1024)]
    pub cache_mib: usize,
    /// GiB on disk for what runs of this user have computed so, together: runs to come take it from there. 0
    /// keeps nothing.
    #[config(default = 16)]
    pub cache_disk_gib: usize,
    /// In which numbers it is kept.
    #[config(default = CacheDtype::Fp32)]
    pub cache_dtype: CacheDtype,
    /// By what a run to come knows that the data's files are the same.
    #[config(default = CacheFiles::Stamps)]
    pub cache_files: CacheFiles,
    /// Whether the processes that a launcher started (torchrun, srun) train one model together.
    #[config(default = Strategy::Auto)]
    pub strategy: Strategy,
    /// What processes talk to each other over.
    #[config(default = Backend::Auto)]
    pub backend: Backend,
    /// Seconds that a process waits for another one before the run ends.
    #[config(default = 1800, range = 1..)]
    pub timeout: u64,
    /// MiB of gradients that processes send as one.
    #[config(default = 25, range = 1..)]
    pub bucket_mib: usize,
    /// Number format in which processes send gradients.
    #[config(default = GradientCompression::None)]
    pub gradient_compression: GradientCompression,
    /// Whether batch norms train with the statistics of all processes: this version has no such batch norms,
    /// and refuses it.
    #[config(default = false)]
    pub sync_batchnorm: bool,
}

/// How the device holds weights that do not train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum FrozenPrecision {
    /// As those that train.
    Fp32,
    /// In bfloat16, beside `precision = "bf16-mixed"`, which rounds them so in each product anyway.
    Bf16,
    /// In float16, beside `precision = "fp16-mixed"`.
    Fp16,
}

impl FrozenPrecision {
    /// The type of the weights, where it is another one than theirs.
    pub fn kind(self) -> Option<tch::Kind> {
        match self {
            Self::Fp32 => None,
            Self::Bf16 => Some(tch::Kind::BFloat16),
            Self::Fp16 => Some(tch::Kind::Half),
        }
    }
}

/// In which numbers the frozen prefix is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum CacheDtype {
    /// As it is computed.
    Fp32,
    /// bfloat16: half of the room; results differ in the third digit.
    Bf16,
    /// float16: half of the room; results differ in the fourth digit, and values beyond 65504 are refused.
    Fp16,
}

/// By what files are known to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum CacheFiles {
    /// Their names relative to the data, sizes, and times of the last change.
    Stamps,
    /// Their names relative to the data, and all of their bytes, which are read for it.
    Content,
}

/// Whether several processes train together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Strategy {
    /// Where a launcher's variables say that there are several.
    Auto,
    /// An error without a launcher.
    Ddp,
    /// Never: the launcher's variables do not count.
    Single,
}

/// What processes talk to each other over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Backend {
    /// What there is for the device: Gloo.
    Auto,
    /// Gloo, over the CPU: gradients of a GPU are copied there and back.
    Gloo,
    /// NCCL, which this version does not have: an error.
    Nccl,
}

/// Number format in which processes send gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum GradientCompression {
    /// Their own.
    None,
    /// Half the bytes with float32's range, and 8 bits of precision.
    Bf16,
    /// Half the bytes with 11 bits of precision; what is above 65504 is infinite.
    Fp16,
}

/// How a run is profiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Profiler {
    /// By hooks and sections of the loop, as the program sees them: nothing waits for a GPU.
    Simple,
    /// Not at all.
    #[config(rename = "none")]
    Off,
}

/// Whether the frozen prefix is computed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum FrozenCache {
    /// Where it can be, and pays.
    Auto,
    /// An error where it cannot be.
    On,
    /// Never.
    Off,
}

impl TrainerConfig {
    /// A least length that is more than the greatest.
    fn check(&mut self) -> Result<(), ConfigError> {
        let limits = [
            ("min_epochs", self.min_epochs, "max_epochs", Some(self.max_epochs)),
            ("min_steps", self.min_steps, "max_steps", self.max_steps),
        ];
        for (key, least, other, most) in limits {
            if let (Some(least), Some(most)) = (least, most)
                && least > most
            {
                return Err(ConfigError::value(key, least, format!("at most `{other}`, which is {most}")));
            }
        }
        self.check_frozen_precision()
    }

    fn check_frozen_precision(&self) -> Result<(), ConfigError> {
        let (found, needed) = match self.frozen_precision {
            FrozenPrecision::Fp32 => return Ok(()),
            FrozenPrecision::Bf16 => ("\"bf16\"", Precision::Bf16Mixed),
            FrozenPrecision::Fp16 => ("\"fp16\"", Precision::Fp16Mixed),
        };
        if self.precision == needed {
            return Ok(());
        }
        let expected = format!(
            "\"fp32\" beside precision = \"{}\"; it needs precision = \"{needed}\", which computes \
             products of such weights",
            self.precision
        );
        Err(ConfigError::value("frozen_precision", found, expected))
    }

    /// Whether the run is profiled.
    pub fn is_profiled(&self) -> bool {
        self.profiler.is_some_and(|profiler| profiler != Profiler::Off)
    }

    /// Whether a stop that somebody asks for ends a run of so many whole epochs and optimizer steps;
    /// before, it waits.
    pub fn may_stop(&self, epochs: usize, steps: usize) -> bool {
        self.min_epochs.is_none_or(|least| epochs >= least)
            && self.min_steps.is_none_or(|least| steps >= least)
    }
}

/// How batches of unequal size count in an accumulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Weighting {
    /// Every batch alike, as Lightning: the loss is divided by `accumulate_grad_batches`.
    Batches,
    /// By samples: accumulation equals one batch of all of them, also in a short last window.
    Samples,
}

/// What gradient clipping limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum ClipAlgorithm {
    /// The norm over all parameters of the optimizer.
    Norm,
    /// Every value.
    Value,
}

/// What happens when freeze state and groups disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Audit {
    /// The run ends, naming the parameters.
    Error,
    /// A warning.
    Warn,
    /// Nothing.
    Off,
}

/// What is kept, by the names of Lightning's `ModelCheckpoint`.
#[derive(Clone, Debug, Config)]
#[config(default)]
pub struct CheckpointConfig {
    /// Metric that decides which is `best`. Default: `val_loss`, without validation `train_loss`.
    pub monitor: Option<String>,
    /// Whether less or more of it is better. Default: what its name says; losses and errors are to fall,
    /// accuracies, scores and correlations to rise.
    pub mode: Option<Mode>,
    /// Epochs between checkpoints.
    #[config(default = 1, range = 1..)]
    pub every_n_epochs: usize,
    /// Optimizer steps between checkpoints, besides those at the ends of epochs.
    #[config(range = 1..)]
    pub every_n_train_steps: Option<usize>,
    /// How many are kept: the best ones besides `last`; -1 keeps all, 0 none but `last`.
    #[config(default = 1, range = -1..)]
    pub save_top_k: i64,
    /// Whether anything is written at all.
    #[config(default = true)]
    pub enabled: bool,
    /// Whether training waits until a checkpoint is on disk.
    #[config(default = CheckpointWrite::Auto)]
    pub write: CheckpointWrite,
}

/// Who writes a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum CheckpointWrite {
    /// A thread, where it is more than a MiB and the run has one process; else the loop.
    Auto,
    /// A thread, while training goes on: it needs the memory for another copy of weights and optimizer state.
    Beside,
    /// The loop, which goes on when it is on disk.
    AtOnce,
}
