//! Image classifiers with torchvision's and `efficientnet_lite_pytorch`'s names.
//!
//! Every model is a backbone and a head: `backbone.<the original's names>` and `head`. Files of pretrained
//! weights load under the original's names, and with [`Layout::Original`] the model itself has them. See
//! [`Options`] for the keys that all models share.
//!
//! | module | ids |
//! |---|---|
//! | [`resnet`] | `resnet18` … `resnet152` |
//! | | `resnext50-32x4d`, `resnext101-32x8d`, `resnext101-64x4d`, `wide-resnet50-2`, `wide-resnet101-2` |
//! | [`mobilenet_v2`] | `mobilenet-v2` |
//! | [`mobilenet_v3`] | `mobilenet-v3-large`, `mobilenet-v3-small` |
//! | with timm's batch norms | `mobilenetv3-large-100`, `mobilenetv3-small-100` |
//! | [`efficientnet`] | `efficientnet-b0` … `efficientnet-b7` |
//! | [`efficientnet_lite`] | `efficientnet-lite0` … `efficientnet-lite4` |
//! | [`convnext`] | `convnext-tiny`, `convnext-small`, `convnext-base`, `convnext-large` |
//! | [`vit`] | `vit-b-16`, `vit-b-32`, `vit-l-16`, `vit-l-32`, `vit-ti-16`, `vit-s-16` |
//! | [`transformers`], under Hugging Face's names | `vit-classifier`, `convnext-classifier` |
//! | | `resnet-classifier`, `swin-classifier` |

pub mod classifier;
pub mod convnext;
pub mod efficientnet;
pub mod efficientnet_lite;
pub mod mobilenet_v2;
pub mod mobilenet_v3;
pub mod resnet;
pub mod transformers;
pub mod vit;

mod channels;
mod conv_norm_activation;
mod inverted_residual;
mod squeeze_excitation;
mod timm;

pub use classifier::{Architecture, Classifier, Head, Layout, Options};

#[cfg(feature = "export")]
mod export {
    use thaw_plugin_api::export_plugin;

    use crate::classifier::Classifier;
    use crate::convnext::{ConvNextBase, ConvNextLarge, ConvNextSmall, ConvNextTiny};
    use crate::efficientnet::{
        EfficientNetB0, EfficientNetB1, EfficientNetB2, EfficientNetB3, EfficientNetB4, EfficientNetB5,
        EfficientNetB6, EfficientNetB7,
    };
    use crate::efficientnet_lite::{
        EfficientNetLite0, EfficientNetLite1, EfficientNetLite2, EfficientNetLite3, EfficientNetLite4,
    };
    use crate::mobilenet_v2::MobileNetV2;
    use crate::mobilenet_v3::{
        MobileNetV3Large, MobileNetV3Small, TimmMobileNetV3Large, TimmMobileNetV3Small,
    };
    use crate::resnet::{
        ResNet18, ResNet34, ResNet50, ResNet101, ResNet152, ResNext50, ResNext101, ResNext101Wide,
        WideResNet50, WideResNet101,
    };
    use crate::transformers::{
        ConvNextClassifier, HubClassifier, ResNetClassifier, SwinClassifier, VitClassifier,
    };
    use crate::vit::{VitB16, VitB32, VitL16, VitL32, VitS16, VitTi16};

    export_plugin!(models: [
        Classifier<ConvNextTiny>,
        Classifier<ConvNextSmall>,
        Classifier<ConvNextBase>,
        Classifier<ConvNextLarge>,
        Classifier<EfficientNetB0>,
        Classifier<EfficientNetB1>,
        Classifier<EfficientNetB2>,
        Classifier<EfficientNetB3>,
        Classifier<EfficientNetB4>,
        Classifier<EfficientNetB5>,
        Classifier<EfficientNetB6>,
        Classifier<EfficientNetB7>,
        Classifier<EfficientNetLite0>,
        Classifier<EfficientNetLite1>,
        Classifier<EfficientNetLite2>,
        Classifier<EfficientNetLite3>,
        Classifier<EfficientNetLite4>,
        Classifier<MobileNetV2>,
        Classifier<MobileNetV3Large>,
        Classifier<MobileNetV3Small>,
        Classifier<TimmMobileNetV3Large>,
        Classifier<TimmMobileNetV3Small>,
        Classifier<ResNet18>,
        Classifier<ResNet34>,
        Classifier<ResNet50>,
        Classifier<ResNet101>,
        Classifier<ResNet152>,
        Classifier<ResNext50>,
        Classifier<ResNext101>,
        Classifier<ResNext101Wide>,
        Classifier<VitB16>,
        Classifier<VitB32>,
        Classifier<VitL16>,
        Classifier<VitL32>,
        Classifier<VitS16>,
        Classifier<VitTi16>,
        Classifier<WideResNet50>,
        Classifier<WideResNet101>,
        HubClassifier<ConvNextClassifier>,
        HubClassifier<ResNetClassifier>,
        HubClassifier<SwinClassifier>,
        HubClassifier<VitClassifier>,
    ]);
}

#[cfg(test)]
mod tests;
