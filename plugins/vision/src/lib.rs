//! Image classifiers with torchvision's and `efficientnet_lite_pytorch`'s names.
//!
//! Every model is a backbone and a head: `backbone.<the original's names>` and `head`. Files of pretrained weights load
//! under the original's names, and with [`Layout::Original`] the model itself has them. See [`Options`] for the keys that
//! all models share.
//!
//! | module | ids |
//! |---|---|
//! | [`resnet`] | `resnet18` … `resnet152`, `resnext50-32x4d`, `wide-resnet50-2` |
//! | [`efficientnet_lite`] | `efficientnet-lite0` … `efficientnet-lite4` |

pub mod classifier;
pub mod efficientnet_lite;
pub mod resnet;

pub use classifier::{Architecture, Classifier, Head, Layout, Options};

#[cfg(feature = "export")]
mod export {
    use thaw_plugin_api::export_plugin;

    use crate::classifier::Classifier;
    use crate::efficientnet_lite::{EfficientNetLite0, EfficientNetLite1, EfficientNetLite2, EfficientNetLite3, EfficientNetLite4};
    use crate::resnet::{ResNet18, ResNet34, ResNet50, ResNet101, ResNet152, ResNext50, WideResNet50};

    export_plugin!(models: [
        Classifier<EfficientNetLite0>,
        Classifier<EfficientNetLite1>,
        Classifier<EfficientNetLite2>,
        Classifier<EfficientNetLite3>,
        Classifier<EfficientNetLite4>,
        Classifier<ResNet18>,
        Classifier<ResNet34>,
        Classifier<ResNet50>,
        Classifier<ResNet101>,
        Classifier<ResNet152>,
        Classifier<ResNext50>,
        Classifier<WideResNet50>,
    ]);
}

#[cfg(test)]
mod tests;
