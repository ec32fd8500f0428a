//! What batch norm does in a frozen part.

use crate::config::Config;

/// What the batch norms of a frozen part do. (`frozen_bn` in the shipped strategies.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Config)]
#[config(crate = crate)]
pub enum BatchNorm {
    /// Weight and bias go on training, batch statistics normalise and update the stored ones: Lightning's
    /// `freeze(train_bn=True)`.
    Train,
    /// Weight and bias are frozen, batch statistics normalise, the stored ones are left alone: Lightning's
    /// `freeze(train_bn=False)`.
    BatchStats,
    /// Weight and bias are frozen and the stored statistics normalise; the part is in evaluation mode,
    /// dropout included: what Keras and timm call frozen. The same input gives the same output in training
    /// and evaluation.
    #[default]
    Eval,
}
