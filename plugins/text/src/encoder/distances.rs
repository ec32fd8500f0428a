//! What the distance of two tokens means to a layer: MPNet's bias, DeBERTa's places.

use thaw_plugin_api::nn::{self, Embedding, LayerNorm, Module};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Device, Kind, Tensor};

use super::disentangled::Disentangled;
use super::embeddings::table;
use super::{Context, EncoderConfig, EncoderKind, Places};

/// Buckets of MPNet, half of them for each direction, whatever rows its table has.
const BUCKETS: i64 = 32;
/// From this distance on MPNet's tokens are far.
const FAR: f64 = 128.0;

/// The tables of an encoder.
pub(super) enum Distances {
    /// Attention knows no distances.
    None,
    /// MPNet's `relative_attention_bias`.
    Bias(Embedding),
    /// DeBERTa's `rel_embeddings`.
    Places { table: Embedding, norm: Option<LayerNorm>, own: Disentangled },
}

impl Distances {
    /// Registers the tables in the module that holds the layers.
    pub(super) fn new(stack: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        Ok(match (config.kind, &config.disentangled) {
            (EncoderKind::Mpnet, _) => {
                let path = stack / "relative_attention_bias";
                Self::Bias(table(&path, [config.relative_buckets, config.heads], None, config)?)
            }
            (EncoderKind::DebertaV2, Some(own)) => {
                let path = stack / "rel_embeddings";
                let table = table(&path, [2 * own.span, config.hidden_size], None, config)?;
                let norm =
                    || LayerNorm::new(&(stack / "LayerNorm"), config.hidden_size, config.layer_norm_eps);
                let norm = own.normalizes_places.then(norm).transpose()?;
                Self::Places { table, norm, own: own.clone() }
            }
            _ => Self::None,
        })
    }

    /// Modules that hold the tables, within that of the layers.
    pub(super) fn modules(&self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Bias(_) => &["relative_attention_bias"],
            Self::Places { norm: None, .. } => &["rel_embeddings"],
            Self::Places { .. } => &["rel_embeddings", "LayerNorm"],
        }
    }

    /// What layers are told of texts of so many tokens.
    pub(super) fn context(&self, mask: Option<Tensor>, length: i64, device: Device) -> Result<Context> {
        let mut context = Context { mask, ..Context::default() };
        match self {
            Self::None => {}
            Self::Bias(table) => {
                let rows = table.forward(&buckets(length, device)?)?;
                context.bias = Some(rows.f_permute([2, 0, 1])?.f_unsqueeze(0)?);
            }
            Self::Places { table, norm, own } => {
                let embeddings = match norm {
                    Some(norm) => norm.forward(table.weight())?,
                    None => table.weight().shallow_clone(),
                };
                let distances = distances(length, own, device)?;
                context.places = Some(Places { distances, embeddings, span: own.span });
            }
        }
        Ok(context)
    }
}

/// Place of a key less that of a query, `[L, L]`.
fn offsets(length: i64, device: Device) -> Result<Tensor> {
    let places = Tensor::f_arange(length, (Kind::Int64, device))?;
    Ok(places.f_unsqueeze(0)?.f_sub(&places.f_unsqueeze(1)?)?)
}

/// MPNet's rows: near distances have one each, far ones share by their logarithm. In float32, as there.
fn buckets(length: i64, device: Device) -> Result<Tensor> {
    let half = BUCKETS / 2;
    let exact = half / 2;
    let back = offsets(length, device)?.f_neg()?;
    let direction = back.f_lt(0)?.f_to_kind(Kind::Int64)?.f_mul_scalar(half)?;
    let distance = back.f_abs()?;
    let far = distance
        .f_to_kind(Kind::Float)?
        .f_div_scalar(exact)?
        .f_log()?
        .f_div_scalar((FAR / exact as f64).ln())?
        .f_mul_scalar(half - exact)?
        // The logarithm of 0 has no whole number, and is not taken.
        .f_clamp_min(0.0)?
        .f_to_kind(Kind::Int64)?
        .f_add_scalar(exact)?
        .f_clamp_max(half - 1)?;
    Ok(distance.f_where_self(&distance.f_lt(exact)?, &far)?.f_add(&direction)?)
}

/// DeBERTa's distances, query less key, from half the buckets on by their logarithm. In float32, as there.
fn distances(length: i64, own: &Disentangled, device: Device) -> Result<Tensor> {
    let plain = offsets(length, device)?.f_neg()?;
    let Some(buckets) = own.buckets else { return Ok(plain) };
    let half = buckets / 2;
    let absolute = plain.f_abs()?.f_clamp_min(half - 1)?;
    let widest = Tensor::f_from_slice(&[((own.max_distance - 1) as f64 / half as f64) as f32])?;
    let logarithm = absolute.f_to_kind(Kind::Float)?.f_div_scalar(half)?.f_log()?;
    let far = logarithm
        .f_div(&widest.f_log()?.f_to_device(device)?)?
        .f_mul_scalar(half - 1)?
        .f_ceil()?
        .f_add_scalar(half)?
        .f_mul(&plain.f_sign()?)?;
    let near = absolute.f_le(half)?;
    Ok(plain.f_to_kind(Kind::Float)?.f_where_self(&near, &far)?.f_to_kind(Kind::Int64)?)
}
