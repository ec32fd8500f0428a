//! Layers that run together.

use thaw_plugin_api::nn;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::Tensor;

use super::{Context, EncoderConfig, EncoderKind, Layer};

/// How ALBERT shares its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedLayers {
    /// Groups of layers.
    pub groups: i64,
    /// Layers of a group, which run one after the other.
    pub inner: i64,
}

/// Layers that run one after the other, all of them so many times.
pub struct Block {
    layers: Vec<Layer>,
    times: i64,
    /// Number of the first run of a layer among all of the encoder.
    first: usize,
}

impl Block {
    /// The blocks of an encoder, in the list at `path`.
    pub(super) fn all(path: &nn::Path, config: &EncoderConfig) -> Result<Vec<Self>> {
        path.module("ModuleList")?;
        let Some(shared) = config.shared.filter(|_| config.kind == EncoderKind::Albert) else {
            let block = |index: i64| {
                let layers = vec![Layer::new(&(path / index), config)?];
                Ok(Self { layers, times: 1, first: usize::try_from(index)? })
            };
            return (0..config.layers).map(block).collect();
        };
        let group_of = |layer: i64| (layer as f64 / (config.layers as f64 / shared.groups as f64)) as i64;
        let mut first = 0;
        let mut blocks = Vec::new();
        for group in 0..shared.groups {
            let path = path / group;
            path.module("AlbertLayerGroup")?;
            let list = &path / "albert_layers";
            list.module("ModuleList")?;
            let layers = (0..shared.inner).map(|index| Layer::new(&(&list / index), config));
            let layers = layers.collect::<Result<Vec<_>>>()?;
            let times = (0..config.layers).filter(|layer| group_of(*layer) == group).count();
            let runs = times * layers.len();
            blocks.push(Self { layers, times: i64::try_from(times)?, first });
            first += runs;
        }
        Ok(blocks)
    }

    /// `[N, L, H]` to `[N, L, H]`, and where `weights` asks for them the attention weights of each run of a
    /// layer, with its number.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn forward(
        &self,
        hidden: &Tensor,
        context: &Context,
        weights: bool,
    ) -> Result<(Tensor, Vec<(usize, Tensor)>)> {
        let mut hidden = hidden.shallow_clone();
        let mut made = Vec::new();
        let runs = (0..self.times).flat_map(|_| &self.layers);
        for (number, layer) in (self.first..).zip(runs) {
            let (output, attention) = layer.forward(&hidden, context, weights)?;
            made.extend(attention.map(|attention| (number, attention)));
            hidden = output;
        }
        Ok((hidden, made))
    }
}
