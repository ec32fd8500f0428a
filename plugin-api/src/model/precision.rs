//! Number formats of forward and backward.

use serde::{Deserialize, Serialize};

use crate::config::Config;

/// Number format of forward and backward (the run config's `trainer.precision`). Weights, their gradients and
/// the optimizer's state are float32 in each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config, Serialize, Deserialize)]
#[config(crate = crate)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32 bits throughout.
    Fp32,
    /// bfloat16 where autocast allows, 32 bits for weights and sums.
    Bf16Mixed,
    /// float16 where autocast allows, with loss scaling; CUDA only.
    Fp16Mixed,
}

impl Precision {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Fp32, Self::Bf16Mixed, Self::Fp16Mixed];

    pub(super) fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }
}

/// As the run config writes it.
impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fp32 => "fp32",
            Self::Bf16Mixed => "bf16-mixed",
            Self::Fp16Mixed => "fp16-mixed",
        })
    }
}
