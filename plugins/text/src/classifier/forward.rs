//! The forward as stages: embeddings, each layer, pooling, head.

use thaw_plugin_api::nn::Module;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Kind, Tensor};

use super::TextClassifier;
use crate::config::Pooling;
use crate::encoder::token_mask;

/// Between stages: the mask as truth values, `[N, L]`.
const MASK: &str = "token_mask";
const EMBEDDINGS: &str = "embeddings";
const LAYER: &str = "layer";
const POOL: &str = "pool";
const HEAD: &str = "head";

impl TextClassifier {
    pub(super) fn stages(&self) -> Vec<Stage> {
        let base = self.base;
        let kind = self.encoder.config().kind;
        let first = self.encoder.first_modules().into_iter().map(|module| format!("{base}.{module}"));
        let mut stages = vec![Stage::new(EMBEDDINGS, first.collect::<Vec<_>>())];
        let blocks = 0..self.encoder.blocks().len();
        stages.extend(blocks.map(|index| {
            let module = format!("{base}.{}.{}.{index}", kind.stack(), kind.list());
            Stage::new(format!("{LAYER}{index}"), [module])
        }));
        let pooler = (self.pooling == Pooling::Pooler).then(|| format!("{base}.pooler"));
        stages.push(Stage::new(POOL, pooler));
        stages.extend(self.head.as_ref().map(|head| Stage::new(HEAD, head.modules().iter().copied())));
        stages
    }

    pub(super) fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        match (stage, &self.head) {
            (EMBEDDINGS, _) => self.run_embeddings(&inputs),
            (HEAD, Some(head)) => rename_first(inputs.map_first(|pooled| head.forward(pooled))?, "logits"),
            (POOL, _) => self.run_pool(inputs),
            _ => {
                let index = stage.strip_prefix(LAYER).and_then(|index| index.parse::<usize>().ok());
                match index {
                    Some(index) if index < self.encoder.blocks().len() => self.run_block(index, inputs),
                    _ => bail!("there is no stage `{stage}`"),
                }
            }
        }
    }

    fn run_embeddings(&self, inputs: &Tensors) -> Result<Tensors> {
        let ids = inputs
            .get("input_ids")
            .map_err(|error| error.help("this model reads texts: [data] kind = \"text\""))?;
        let mask = inputs.find("attention_mask").map(|mask| token_mask(mask, ids)).transpose()?;
        let hidden = self.encoder.embed(ids, inputs.find("token_type_ids"), mask.as_ref())?;
        let outputs = Tensors::one("hidden_state", hidden);
        Ok(match mask {
            Some(mask) => outputs.with(MASK, mask),
            None => outputs,
        })
    }

    fn run_block(&self, index: usize, inputs: Tensors) -> Result<Tensors> {
        let mask = inputs.find(MASK).map(Tensor::shallow_clone);
        let context = self.encoder.context(inputs.first()?, mask)?;
        let mut weights = Vec::new();
        let outputs = inputs.map_first(|hidden| {
            let block = &self.encoder.blocks()[index];
            let (hidden, made) = block.forward(hidden, &context, self.output_attentions)?;
            weights = made;
            Ok(hidden)
        })?;
        let named = weights.into_iter().map(|(number, made)| (format!("attentions.{number}"), made));
        Ok(named.fold(outputs, |outputs, (name, made)| outputs.with(name, made)))
    }

    /// The pooled vector first, then what was asked for besides; the mask has done its part.
    fn run_pool(&self, inputs: Tensors) -> Result<Tensors> {
        let hidden = inputs.first()?.shallow_clone();
        let pooled = match self.pooling {
            Pooling::Cls => hidden.f_select(1, 0)?,
            Pooling::Mean => mean(&hidden, inputs.find(MASK))?,
            Pooling::Pooler => self.encoder.pool(&hidden)?,
        };
        let pooled = if self.normalize { unit_length(&pooled)? } else { pooled };
        let mut outputs = Tensors::one("embedding", pooled);
        if self.output_last_hidden_state {
            outputs = outputs.with("last_hidden_state", hidden);
        }
        let attentions = inputs.into_iter().skip(1).filter(|(name, _)| name != MASK);
        Ok(attentions.fold(outputs, |outputs, (name, tensor)| outputs.with(name, tensor)))
    }
}

/// Mean over the tokens that are no padding.
fn mean(hidden: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let Some(mask) = mask else { return Ok(hidden.f_mean_dim([1_i64].as_slice(), false, None::<Kind>)?) };
    let mask = mask.f_to_kind(hidden.kind())?.f_unsqueeze(2)?;
    let sum = hidden.f_mul(&mask)?.f_sum_dim_intlist([1_i64].as_slice(), false, None::<Kind>)?;
    // A row of nothing but padding has the mean zero.
    let tokens = mask.f_sum_dim_intlist([1_i64].as_slice(), false, None::<Kind>)?.f_clamp_min(1.0)?;
    Ok(sum.f_div(&tokens)?)
}

/// As `torch.nn.functional.normalize`.
fn unit_length(vectors: &Tensor) -> Result<Tensor> {
    let length = vectors.f_norm_scalaropt_dim(2.0, [1_i64].as_slice(), true)?.f_clamp_min(1e-12)?;
    Ok(vectors.f_div(&length)?)
}

fn rename_first(tensors: Tensors, name: &str) -> Result<Tensors> {
    let mut tensors = tensors.into_iter();
    let Some((_, first)) = tensors.next() else { bail!("expected a tensor, found none") };
    Ok(tensors.fold(Tensors::one(name, first), |outputs, (name, tensor)| outputs.with(name, tensor)))
}
