//! What Hugging Face's files call things.

use super::TextClassifier;
use crate::config::Pooling;
use crate::encoder::EncoderKind;

impl TextClassifier {
    /// Files hold the encoder alone (`embeddings`, …), or below what transformers calls it within a model
    /// (`bert`), or as this plugin's layouts do.
    pub(super) fn weight_aliases(&self) -> Vec<(String, String)> {
        let config = self.encoder.config();
        let base = self.base;
        let places = [config.kind.base(), "backbone", "bert"].into_iter().filter(|place| *place != base);
        let mut aliases: Vec<(String, String)> =
            places.map(|place| (place.to_owned(), base.to_owned())).collect();
        for part in self.encoder_parts() {
            aliases.push((part.to_owned(), format!("{base}.{part}")));
        }
        if config.kind == EncoderKind::Bert {
            // Files made from TensorFlow's name the parameters of layer norms otherwise.
            for norm in self.layer_norms() {
                for (old, new) in [("gamma", "weight"), ("beta", "bias")] {
                    let own = format!("{base}.{norm}.{new}");
                    aliases.push((format!("{norm}.{old}"), own.clone()));
                    aliases.push((format!("bert.{norm}.{old}"), own));
                }
            }
        }
        // BERT's `classifier` was trained on its pooler, and goes over nothing else; `W` on the first token.
        let heads: &[&str] = match (self.base, config.kind, self.pooling) {
            ("backbone", EncoderKind::Bert | EncoderKind::Albert, Pooling::Pooler) => &["classifier"],
            ("backbone", _, Pooling::Cls) => &["W"],
            _ => &[],
        };
        aliases.extend(heads.iter().map(|head| ((*head).to_owned(), "head".to_owned())));
        aliases
    }

    /// Computed tables that older files hold, heads of the pretraining tasks, and the pooler where nothing
    /// runs it.
    pub(super) fn unused_weights(&self) -> Vec<String> {
        let config = self.encoder.config();
        let heads: &[&str] = match config.kind {
            EncoderKind::Bert => &["cls"],
            EncoderKind::Roberta | EncoderKind::Mpnet => &["lm_head"],
            EncoderKind::Electra => {
                &["discriminator_predictions", "generator_predictions", "generator_lm_head"]
            }
            EncoderKind::Albert => &["predictions", "sop_classifier"],
            EncoderKind::DebertaV2 => &["cls", "lm_predictions", "mask_predictions"],
            EncoderKind::DistilBert => &["vocab_transform", "vocab_layer_norm", "vocab_projector"],
        };
        let mut parts = vec!["embeddings.position_ids", "embeddings.token_type_ids"];
        if !config.pooler {
            parts.push("pooler");
        }
        let own = format!("{}.", config.kind.base());
        let places = ["", "backbone.", "bert.", &own];
        let parts = places.iter().flat_map(|place| parts.iter().map(move |part| format!("{place}{part}")));
        heads.iter().map(|head| (*head).to_owned()).chain(parts).collect()
    }

    /// Heads and poolers that another layout takes, or does without.
    pub(super) fn weight_notes(&self) -> Vec<(String, String)> {
        let config = self.encoder.config();
        let (base, pooling) = (self.base, self.pooling);
        let mut notes = Vec::new();
        let head = match config.kind {
            EncoderKind::Bert | EncoderKind::Albert if pooling != Pooling::Pooler => Some((
                "classifier",
                "`classifier` was trained on the encoder's pooler: `layout = \"sequence-classification\"` in \
                 [model] takes both from the file",
            )),
            EncoderKind::Bert | EncoderKind::Albert => None,
            EncoderKind::DistilBert => Some((
                "pre_classifier",
                "`pre_classifier` and `classifier` are a trained head: `layout = \
                 \"sequence-classification\"` in [model] takes it from the file",
            )),
            EncoderKind::DebertaV2 => Some((
                "classifier",
                "`pooler` and `classifier` are a trained head: `layout = \"sequence-classification\"` in \
                 [model] takes it from the file",
            )),
            EncoderKind::Roberta | EncoderKind::Electra | EncoderKind::Mpnet => Some((
                "classifier",
                "`classifier` is a trained head of two layers: `layout = \"sequence-classification\"` in \
                 [model] takes it from the file",
            )),
        };
        let head = head.filter(|_| base == "backbone");
        notes.extend(head.map(|(path, note)| (path.to_owned(), note.to_owned())));
        if config.pooler {
            let remedy = if pooling == Pooling::Pooler {
                "`layout = \"backbone-head\"` with `pooling = \"cls\"` or \"mean\" in [model] needs none"
            } else {
                "`add_pooling_layer = false` in [model] leaves it out"
            };
            let note = format!("where a file has no pooler, as of a model for masked tokens: {remedy}");
            notes.push((format!("{base}.pooler"), note));
        }
        notes
    }

    fn encoder_parts(&self) -> Vec<&'static str> {
        let config = self.encoder.config();
        let mut parts = vec!["embeddings", "embeddings_project", config.kind.stack()];
        if config.pooler {
            parts.push("pooler");
        }
        parts
    }

    /// Paths of BERT's layer norms within the encoder.
    fn layer_norms(&self) -> Vec<String> {
        let layers = 0..self.encoder.blocks().len();
        let within = |index| {
            ["attention.output", "output"].map(|part| format!("encoder.layer.{index}.{part}.LayerNorm"))
        };
        layers.flat_map(within).chain(["embeddings.LayerNorm".to_owned()]).collect()
    }
}
