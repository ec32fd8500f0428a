//! Position embeddings for another picture size.

use std::fmt;

use crate::corners::Interpolation;

use tch::{Kind, TchError, Tensor};

/// A position embedding `[1, tokens + n², features]` that is brought to another grid of patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridResize {
    /// Tokens before the grid, which stay as they are.
    tokens: i64,
    /// Patches along each side, in the file.
    from: i64,
    /// In the model.
    to: i64,
    interpolation: Interpolation,
}

impl GridResize {
    /// From one shape to the other; `None` where they are the same, or differ in more than the size of a
    /// square grid.
    pub(super) fn between(
        file: &[i64],
        model: &[i64],
        tokens: i64,
        interpolation: Interpolation,
    ) -> Option<Self> {
        let (&[1, from, ours], &[1, to, theirs]) = (file, model) else { return None };
        let side = |rows: i64| {
            (1..=rows).take_while(|side| side * side <= rows).last().filter(|side| side * side == rows)
        };
        let resize = Self { tokens, from: side(from - tokens)?, to: side(to - tokens)?, interpolation };
        (ours == theirs && from != to).then_some(resize)
    }

    /// The values for the model's grid, in float32, bicubic.
    pub(crate) fn apply(&self, values: &Tensor) -> Result<Tensor, TchError> {
        let Self { tokens, from, to, interpolation } = *self;
        let aligned_corners = interpolation != Interpolation::Transformers;
        let values = values.f_to_kind(Kind::Float)?;
        let grid =
            values.f_narrow(1, tokens, from * from)?.f_transpose(1, 2)?.f_reshape([1, -1, from, from])?;
        let grid = grid.f_upsample_bicubic2d([to, to], aligned_corners, None, None)?;
        let grid = grid.f_reshape([1, -1, to * to])?.f_transpose(1, 2)?;
        Tensor::f_cat(&[values.f_narrow(1, 0, tokens)?, grid], 1)
    }
}

impl fmt::Display for GridResize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {0} x {0} to {1} x {1} patches", self.from, self.to)
    }
}
