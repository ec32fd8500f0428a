//! What timm calls the layers of the models here, whose own names are torchvision's.
//!
//! Its ResNets have torchvision's names already.

use crate::classifier::Trunk;

/// A tensor that only files with timm's names have, of all MobileNets and EfficientNets.
pub const STEM: &str = "conv_stem.weight";

/// Vision transformers of so many blocks.
pub fn vision_transformer(trunk: &mut Trunk, blocks: usize) {
    trunk.alias("cls_token", "class_token");
    trunk.alias("pos_embed", "encoder.pos_embedding");
    trunk.alias("patch_embed.proj", "conv_proj");
    trunk.alias("norm", "encoder.ln");
    for index in 0..blocks {
        let (theirs, ours) = (format!("blocks.{index}"), format!("encoder.layers.encoder_layer_{index}"));
        let parts = [
            ("norm1", "ln_1"),
            ("attn.qkv.weight", "self_attention.in_proj_weight"),
            ("attn.qkv.bias", "self_attention.in_proj_bias"),
            ("attn.proj", "self_attention.out_proj"),
            ("norm2", "ln_2"),
            ("mlp.fc1", "mlp.0"),
            ("mlp.fc2", "mlp.3"),
        ];
        for (from, to) in parts {
            trunk.alias(format!("{theirs}.{from}"), &format!("{ours}.{to}"));
        }
    }
    trunk.alias_last("head");
    trunk.note(
        "patch_embed.proj.weight",
        "these are timm's names: most of its vision transformers were trained on pictures in -1..1; set \
         `mean = [0.5, 0.5, 0.5]` and `std = [0.5, 0.5, 0.5]` in [data] unless the model's card says \
         otherwise",
    );
}

/// ConvNeXts of so many blocks in each part.
pub fn convnext(trunk: &mut Trunk, blocks: [usize; 4]) {
    trunk.alias("stem", "features.0");
    for (part, count) in blocks.into_iter().enumerate() {
        if part > 0 {
            trunk.alias(format!("stages.{part}.downsample"), &format!("features.{}", 2 * part));
        }
        for index in 0..count {
            let theirs = format!("stages.{part}.blocks.{index}");
            let ours = format!("features.{}.{index}", 2 * part + 1);
            let parts = [
                ("gamma", "layer_scale"),
                ("conv_dw", "block.0"),
                ("norm", "block.2"),
                ("mlp.fc1", "block.3"),
                ("mlp.fc2", "block.5"),
            ];
            for (from, to) in parts {
                trunk.alias(format!("{theirs}.{from}"), &format!("{ours}.{to}"));
            }
        }
    }
    trunk.alias("head.norm", "classifier.0");
    trunk.alias_last("head.fc");
}

/// An inverted residual block.
pub struct InvertedResidual<'n> {
    /// Its branch, as `features.3.1.block`.
    pub branch: &'n str,
    /// Which group it is in, and where in the group.
    pub place: (usize, usize),
    pub expands: bool,
    pub squeezes: bool,
    pub projection: Projection,
}

/// How a branch ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// Convolution and batch norm in a module of their own.
    Module,
    /// As the branch's last two children.
    Children,
}

impl InvertedResidual<'_> {
    /// Tells of timm's names for its layers.
    pub fn alias(&self, trunk: &mut Trunk) {
        let (group, index) = self.place;
        let theirs = |name: &str| format!("blocks.{group}.{index}.{name}");
        let before: &[_] =
            if self.expands { &[("conv_pw", "bn1"), ("conv_dw", "bn2")] } else { &[("conv_dw", "bn1")] };
        let last = if self.expands { ("conv_pwl", "bn3") } else { ("conv_pw", "bn2") };
        let branch = self.branch;
        let mut step = 0;
        for (convolution, norm) in before {
            trunk.alias(theirs(convolution), &format!("{branch}.{step}.0"));
            trunk.alias(theirs(norm), &format!("{branch}.{step}.1"));
            step += 1;
        }
        if self.squeezes {
            trunk.alias(theirs("se.conv_reduce"), &format!("{branch}.{step}.fc1"));
            trunk.alias(theirs("se.conv_expand"), &format!("{branch}.{step}.fc2"));
            step += 1;
        }
        let (convolution, norm) = match self.projection {
            Projection::Module => (format!("{branch}.{step}.0"), format!("{branch}.{step}.1")),
            Projection::Children => (format!("{branch}.{step}"), format!("{branch}.{}", step + 1)),
        };
        trunk.alias(theirs(last.0), &convolution);
        trunk.alias(theirs(last.1), &norm);
    }
}

/// The stem of MobileNets and EfficientNets: convolution and batch norm.
pub fn stem(trunk: &mut Trunk, convolution: &str, norm: &str) {
    trunk.alias("conv_stem", convolution);
    trunk.alias("bn1", norm);
}

/// The last convolution of MobileNetV2 and EfficientNets with its batch norm, and their last layer.
pub fn top(trunk: &mut Trunk, convolution: &str, norm: &str) {
    trunk.alias("conv_head", convolution);
    trunk.alias("bn2", norm);
    trunk.alias_last("classifier");
}

/// Says of a model with other batch norms than timm's that it has them.
pub fn note_batch_norms(trunk: &mut Trunk, norm_eps: Option<f64>) {
    if norm_eps.is_none() {
        trunk.note(
            STEM,
            "these are timm's names: if the file is not one of its `tf_` models, its batch norms have eps = \
             1e-5, this model's 1e-3, and its outputs differ; `norm_eps = 1e-5` in [model] takes timm's",
        );
    }
}
