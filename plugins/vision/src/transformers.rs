//! Picture classifiers with transformers' names, as `save_pretrained` writes them: a directory of Hugging
//! Face's is such a model, and what was trained here loads there.
//!
//! Each is its base (`vit`, `convnext`, `resnet`, `swin`) and `classifier`. Sizes come from `config`, a
//! `config.json`; keys of the same names take their place.

mod attention;
mod convnext;
mod file;
mod model;
mod resnet;
mod swin;
mod vit;

pub use convnext::ConvNextClassifier;
pub use model::{HubArchitecture, HubClassifier, HubOptions};
pub use resnet::ResNetClassifier;
pub use swin::SwinClassifier;
pub use vit::VitClassifier;

#[cfg(test)]
mod tests;
