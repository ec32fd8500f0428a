//! What crosses the boundary: what is done with a set, and how it stands afterwards.

use serde::{Deserialize, Serialize};

use super::SetContents;

/// What a hook asks to be done with a set. Names and keys are part of the ABI: append, never rename.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum SetAction {
    /// Nothing: says how it stands.
    Describe,
    /// Makes the set, or makes it anew, of the model's present values.
    CopyFromModel {
        /// Which tensors.
        contents: SetContents,
    },
    /// Moves each average towards the model's value.
    LerpToModel {
        /// By this share of the way, from 0 to 1.
        weight: f64,
    },
    /// Takes the model's values into the mean of those that it was made of.
    UpdateMean,
    /// Puts the set's values into the model, and keeps the model's own meanwhile.
    SwapIn,
    /// Puts the model's own values back.
    SwapOut,
    /// Puts the set's values into the model for good.
    LoadIntoModel,
    /// Whether checkpoints have the set's values as the model's weights.
    SaveAsWeights {
        /// Whether.
        on: bool,
    },
    /// Measures how far the set is from the model.
    Distance,
    /// Drops the set.
    Clear,
}

/// How a set stands; every action is answered with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetState {
    /// Tensors in it; 0 where there is no such set.
    pub tensors: usize,
    /// Values of the model that were taken into it since it was made: 1 after a copy.
    #[serde(default)]
    pub count: u64,
    /// Whether its values stand in the model.
    #[serde(default)]
    pub in_model: bool,
    /// The distance that was asked for; none where it is not a number.
    #[serde(default)]
    pub distance: Option<f64>,
}
