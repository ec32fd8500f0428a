//! The auto-encoder of Lightning's transfer learning guide, and the classifier on its encoder.
//!
//! [`AutoEncoder`] learns to reconstruct its input. [`EncoderClassifier`] takes the encoder out of its
//! checkpoint as feature extractor:
//!
//! ```toml
//! [model]
//! id = "autoencoder-classifier"
//! freeze_features = true
//! weights = { path = "autoencoder.ckpt", module = "encoder", to = "feature_extractor" }
//! ```

mod autoencoder;
mod classifier;
mod shape;

pub use autoencoder::{AutoEncoder, AutoEncoderConfig};
pub use classifier::{EncoderClassifier, EncoderClassifierConfig};
pub use shape::EncoderShape;

#[cfg(feature = "export")]
thaw_plugin_api::export_plugin!(models: [AutoEncoder, EncoderClassifier]);

#[cfg(test)]
mod tests;
