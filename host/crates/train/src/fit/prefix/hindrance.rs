//! Why a pass starts from the samples.

/// Why nothing stands in for the samples of a split, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hindrance {
    /// The run config says so.
    #[error("trainer.frozen_cache = \"off\"")]
    Off,
    /// There is no boundary inside of the model.
    #[error("the model declares no stages, or a single one")]
    NoStages,
    /// The first stage trains.
    #[error("`{parameter}` of the first stage, `{stage}`, trains")]
    Trains {
        /// The stage.
        stage: String,
        /// The first of its parameters that does.
        parameter: String,
    },
    /// Nobody knows where a parameter is used.
    #[error("`{parameter}` trains and belongs to none of the model's stages")]
    NoStage {
        /// The parameter.
        parameter: String,
    },
    /// A module is in a mode in which it may give something else each time.
    #[error("`{module}` ({kind}) of the first stage, `{stage}`, is in training mode")]
    Mode {
        /// The stage.
        stage: String,
        /// The module.
        module: String,
        /// PyTorch's class.
        kind: String,
    },
    /// The target is the input itself.
    #[error("the model's loss needs its inputs (reconstruction)")]
    Reconstruction,
    /// The model computes its loss itself, from the inputs.
    #[error("the model has a step of its own ({hook})")]
    OwnStep {
        /// Which.
        hook: &'static str,
    },
    /// Inputs are drawn anew in each epoch.
    #[error(
        "[data] augment draws other inputs of a sample in each epoch; augment.views = K takes turns with K"
    )]
    Augmented,
    /// Inputs depend on the batch.
    #[error("texts are padded to the longest of their batch; [data] padding = \"max-length\" is not")]
    Padded,
    /// The stages gave something else than they are known for.
    #[error("stages up to `{stage}` {found}")]
    Unsteady {
        /// The last of them.
        stage: String,
        /// What was seen.
        found: &'static str,
    },
    /// There is no room for what they give, or it does not fit together.
    #[error("{0}")]
    Kept(String),
    /// Somebody writes into frozen tensors.
    #[error("a strategy or callback wrote into `{tensor}`, which is frozen")]
    Written {
        /// The tensor.
        tensor: String,
    },
    /// Most of what is computed would not be used.
    #[error(
        "limit_train_batches, limit_val_batches or max_steps pass less than half of the samples in an epoch"
    )]
    TooFew,
    /// Another process of the run cannot have it.
    #[error("{0}")]
    Elsewhere(String),
    /// The epoch began from the samples, or changed inside.
    #[error("this epoch goes on from the samples")]
    Before,
}

impl Hindrance {
    /// Whether `trainer.frozen_cache = "on"` is an error. What trains, strategies decide epoch by epoch, and
    /// a key that switches the cache off is none.
    pub(super) fn ends_run(&self) -> bool {
        !matches!(self, Self::Off | Self::Trains { .. } | Self::NoStage { .. } | Self::Before)
    }

    /// Whether a user who did not ask for the cache is to know: something is frozen, and yet it does not
    /// serve.
    pub(super) fn is_worth_telling(&self) -> bool {
        !matches!(
            self,
            Self::Off | Self::NoStages | Self::Trains { .. } | Self::NoStage { .. } | Self::Before
        )
    }
}
