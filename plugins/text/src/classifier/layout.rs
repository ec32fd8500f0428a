//! Names, pooling and pooler of a layout.

use thaw_plugin_api::prelude::*;

use crate::config::{ClassifierConfig, HubConfig, Layout, Pooling, SizeError};
use crate::encoder::EncoderKind;

/// The class that PyTorch would name.
pub(super) fn class_of(layout: Layout, kind: EncoderKind) -> String {
    match layout {
        Layout::BackboneHead => "TextClassifier".to_owned(),
        Layout::SequenceClassification => kind.class("ForSequenceClassification"),
        Layout::Mnli => "BertMNLIFinetuner".to_owned(),
    }
}

/// The layout that was asked for; else that of the class which the `config.json` is of.
pub(super) fn layout_of(config: &ClassifierConfig, hub: &HubConfig) -> Layout {
    let is_free = config.pooling.is_none() && config.num_classes != Some(0);
    match (config.layout, hub.sequence_classifier()) {
        (Some(layout), _) => layout,
        (None, Some(class)) if is_free => {
            tracing::info!(
                "its config.json says {class}: layout = \"sequence-classification\", with that class's names \
                 of modules and its head"
            );
            Layout::SequenceClassification
        }
        _ => Layout::BackboneHead,
    }
}

/// The layout's own pooling, or the one that was chosen.
pub(super) fn pooling_of(
    config: &ClassifierConfig,
    layout: Layout,
    kind: EncoderKind,
    usual: Pooling,
) -> Result<Pooling, SizeError> {
    let own = match layout {
        Layout::BackboneHead => return Ok(config.pooling.unwrap_or(usual)),
        Layout::SequenceClassification if matches!(kind, EncoderKind::Bert | EncoderKind::Albert) => {
            Pooling::Pooler
        }
        Layout::SequenceClassification | Layout::Mnli => Pooling::Cls,
    };
    match config.pooling {
        Some(chosen) if chosen != own => {
            let (chosen, own) = (chosen.to_value(), own.to_value());
            Err(SizeError::Sizes(format!(
                "`pooling` is {chosen}, but this layout's is {own}; only layout \"backbone-head\" leaves the \
                 choice"
            )))
        }
        _ => Ok(own),
    }
}

/// Whether the encoder has a pooler. One that nothing runs would be trainable without ever getting a
/// gradient.
pub(super) fn has_pooler(
    config: &ClassifierConfig,
    layout: Layout,
    kind: EncoderKind,
    pooling: Pooling,
) -> Result<bool, SizeError> {
    let runs = pooling == Pooling::Pooler;
    let can = kind.can_pool();
    let usual = runs || (layout == Layout::Mnli && can);
    match config.add_pooling_layer.unwrap_or(usual) {
        true if !can => Err(SizeError::Sizes(format!(
            "{} has no pooler: expected `pooling` cls or mean, `add_pooling_layer` false",
            kind.family()
        ))),
        false if runs => {
            Err(SizeError::Sizes("`add_pooling_layer` is false, but the pooling is `pooler`".to_owned()))
        }
        has => Ok(has),
    }
}
