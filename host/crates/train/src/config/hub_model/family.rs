//! What a `model_type` of transformers stands for.

/// A family of models that a plugin which ships builds from their `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// As `config.json` has it.
    pub model_type: &'static str,
    /// Which plugin builds it.
    pub plugin: &'static str,
    /// What goes in.
    pub inputs: Inputs,
}

/// What a family reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// Tokens of texts.
    Texts,
    /// Pictures.
    Pictures {
        /// The image processor that transformers takes where a file does not name one.
        processor: &'static str,
        /// Which sizes it takes.
        size: PictureSize,
    },
}

/// Whether a picture model takes pictures of every size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureSize {
    /// It does; its `image_size` says nothing but what is usual.
    Any,
    /// It is built for its `image_size`, and weights of another one fit as they are.
    Built,
    /// It is built for its `image_size`, and has a position embedding for each patch.
    Positions,
}

const fn texts(model_type: &'static str) -> Family {
    Family { model_type, plugin: "text", inputs: Inputs::Texts }
}

const fn pictures(model_type: &'static str, processor: &'static str, size: PictureSize) -> Family {
    Family { model_type, plugin: "vision", inputs: Inputs::Pictures { processor, size } }
}

/// All of them.
pub const FAMILIES: [Family; 13] = [
    texts("bert"),
    texts("distilbert"),
    texts("roberta"),
    texts("xlm-roberta"),
    texts("camembert"),
    texts("electra"),
    texts("albert"),
    texts("mpnet"),
    texts("deberta-v2"),
    pictures("vit", "ViT", PictureSize::Positions),
    pictures("convnext", "ConvNext", PictureSize::Any),
    pictures("resnet", "ConvNext", PictureSize::Any),
    pictures("swin", "ViT", PictureSize::Built),
];

impl Family {
    /// The family of a `model_type`.
    pub fn of(model_type: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| family.model_type == model_type)
    }

    /// The image processor of files that do not name theirs.
    pub(super) fn processor(&self) -> &'static str {
        match self.inputs {
            Inputs::Texts => "",
            Inputs::Pictures { processor, .. } => processor,
        }
    }

    /// Which sizes of pictures it takes; None of texts.
    pub(super) fn picture_size(&self) -> Option<PictureSize> {
        match self.inputs {
            Inputs::Texts => None,
            Inputs::Pictures { size, .. } => Some(size),
        }
    }

    /// What is to be done where no loaded plugin builds models of this type.
    pub fn remedy(model_type: &str) -> String {
        match Self::of(model_type) {
            Some(family) => format!("the plugin `{0}` builds it: plugins = [\"{0}\"]", family.plugin),
            None => {
                let known: Vec<&str> = FAMILIES.iter().map(|family| family.model_type).collect();
                format!(
                    "the plugins that ship build {}; any other module is exported with Python once, by \
                     examples/export_for_thaw.py, and is then `id = \"torch-export\"`",
                    known.join(", ")
                )
            }
        }
    }
}
