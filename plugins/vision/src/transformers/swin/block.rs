//! A block of Swin: attention within windows.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

use super::super::attention::{Attention, LayerShape, Perceptron};
use super::super::model::drop_path;
use super::window::Grid;

/// Attention within windows and a perceptron, each after a layer norm, each added to its input.
pub struct Block {
    before: nn::LayerNorm,
    attention: Attention,
    /// `[places, heads]`
    table: Tensor,
    drop_path: Box<dyn nn::Module>,
    after: nn::LayerNorm,
    perceptron: Perceptron,
    grid: Grid,
    heads: i64,
}

impl Block {
    /// On tokens of this grid; the branches are dropped with the probability `drop`.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub(in super::super) fn new(path: &nn::Path, shape: LayerShape, grid: Grid, drop: f64) -> Result<Self> {
        path.module("SwinLayer")?;
        let norm = |name: &str| nn::LayerNorm::new(&(path / name), shape.features, shape.layer_norm_eps);
        let before = norm("layernorm_before")?;
        let attention = path / "attention";
        attention.module("SwinAttention")?;
        let own = &attention / "self";
        let module = own.module("SwinSelfAttention")?;
        let table = nn::init::zeros(&[grid.places(), shape.heads])?;
        let table = module.parameter("relative_position_bias_table", table)?;
        let projections = Attention::projections(&own, shape)?;
        let output = &attention / "output";
        output.module("SwinSelfOutput")?;
        let attention = Attention::new(&own, projections, &output, shape)?;
        let drop_path = drop_path(&(path / "drop_path"), drop)?;
        let after = norm("layernorm_after")?;
        let perceptron = Perceptron::new(path, "Swin", shape)?;
        Ok(Self { before, attention, table, drop_path, after, perceptron, grid, heads: shape.heads })
    }

    /// What is added to scores: the bias of places, and the mask of windows that were shifted together.
    fn bias(&self, windows: &Tensor, batch: i64) -> Result<Tensor> {
        let area = self.grid.window * self.grid.window;
        let rows = self.table.f_index_select(0, &self.grid.places_of_pairs(windows.device())?)?;
        let bias = rows.f_view([area, area, self.heads])?.f_permute([2, 0, 1])?.f_unsqueeze(0)?;
        let bias = bias.f_to_kind(windows.kind())?;
        let Some(mask) = self.grid.mask(windows.kind(), windows.device())? else {
            return Ok(bias.f_contiguous()?);
        };
        let mask = mask.f_unsqueeze(1)?.f_unsqueeze(0)?.f_expand([batch, -1, -1, -1, -1], false)?;
        Ok(mask.f_reshape([-1, 1, area, area])?.f_add(&bias)?)
    }
}

impl nn::Module for Block {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let batch = input.size3()?.0;
        let windows = self.grid.split(&self.before.forward(input)?)?;
        let attended = self.attention.forward(&windows, Some(self.bias(&windows, batch)?))?;
        let attended = self.drop_path.forward(&self.grid.join(&attended, batch)?)?.f_add(input)?;
        Ok(self.perceptron.forward(&self.after.forward(&attended)?)?.f_add(&attended)?)
    }
}
