//! What the layers know of a batch beside its hidden states.

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::Tensor;

/// Which tokens attend to which, and what their places have to do with it.
#[derive(Default)]
pub struct Context {
    /// True for tokens and false for padding, `[N, L]`.
    pub mask: Option<Tensor>,
    /// MPNet's bias of attention by the distance of two tokens, `[1, heads, L, L]`.
    pub bias: Option<Tensor>,
    /// DeBERTa's places.
    pub places: Option<Places>,
}

/// Distances of tokens and what stands for each.
pub struct Places {
    /// Row of `embeddings` for each pair of tokens, query by key, before it is clamped: `[L, L]`, i64.
    pub distances: Tensor,
    /// `[2 * span, hidden]`
    pub embeddings: Tensor,
    /// Half the number of rows.
    pub span: i64,
}

impl Context {
    /// The mask over keys, `[N, 1, 1, L]`.
    ///
    /// # Errors
    /// The mask has another shape.
    pub(super) fn key_mask(&self) -> Result<Option<Tensor>> {
        let over_keys = |mask: &Tensor| -> Result<Tensor> {
            let (batch, length) = mask.size2()?;
            Ok(mask.f_view([batch, 1, 1, length])?)
        };
        self.mask.as_ref().map(over_keys).transpose()
    }
}
