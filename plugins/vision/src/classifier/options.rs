//! The keys that all models share.

use thaw_plugin_api::config::Config;

/// Where the layers stand in the module tree.
#[derive(Config, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `backbone.<the original's names>` and `head`.
    BackboneHead,
    /// The original's names: torchvision's `conv1`, `layer1`, …, `fc`.
    Original,
    /// `backbone` is a sequence of the original's children, `backbone.0`, `backbone.1`, …; then `head`.
    Sequential,
}

/// What the head is made of. Its last layer gives one logit a class.
#[derive(Config, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Dropout, linear: `head.0`, `head.1`.
    Linear,
    /// Flatten, linear, ReLU, dropout, linear: `head.0` to `head.4`.
    Mlp,
}

/// The keys that all models share.
#[derive(Config, Clone, Debug)]
pub struct Options {
    /// Number of classes.
    #[config(default = 1000, range = 1..=1_000_000)]
    pub num_classes: i64,
    /// Width and height of the pictures, in pixels.
    #[config(default = 224, range = 16..=4096)]
    pub image_size: i64,
    /// Probability of the dropout before the last layer.
    #[config(default = 0.0, range = 0.0..=1.0)]
    pub dropout: f64,
    /// Where the layers stand in the module tree.
    #[config(default = Layout::BackboneHead)]
    pub layout: Layout,
    /// What the head is made of.
    #[config(default = Head::Linear)]
    pub head: Head,
    /// Width of the hidden layer of the head `mlp`.
    #[config(default = 512, range = 1..=65_536)]
    pub mlp_features: i64,
    /// Probability of the dropout in the head `mlp`, which takes the place of `dropout`.
    #[config(default = 0.2, range = 0.0..=1.0)]
    pub mlp_dropout: f64,
    /// Whether to leave the head out: the model gives features `[N, C]`.
    #[config(default = false)]
    pub features_only: bool,
    /// Whether the backbone starts frozen and in evaluation mode: no gradients, and none computed. A strategy
    /// can still thaw it.
    #[config(default = false)]
    pub freeze_features: bool,
}
