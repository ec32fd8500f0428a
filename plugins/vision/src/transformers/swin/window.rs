//! Tokens of a grid in square windows, shifted or not.

use tch::{Device, Kind, Tensor};
use thaw_plugin_api::prelude::*;

/// What a token of another part of the picture counts less in a window that was shifted together.
const APART: f64 = -100.0;

/// A square of tokens that is cut into windows.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Tokens in a row.
    side: i64,
    /// Tokens in a row of a window.
    pub window: i64,
    /// Tokens in a row of the windows that the table of places is for.
    table: i64,
    shift: i64,
    /// Tokens in a row with those that fill up the last window.
    padded: i64,
}

impl Grid {
    /// Windows are no larger than the grid; one that is the whole grid is not shifted.
    pub fn new(side: i64, window: i64, shift: i64) -> Self {
        let table = window;
        let (window, shift) = if side <= window { (side, 0) } else { (window, shift) };
        Self { side, window, table, shift, padded: (side + window - 1) / window * window }
    }

    /// Rows of the table of places.
    pub fn places(&self) -> i64 {
        (2 * self.table - 1).pow(2)
    }

    /// `[N, L, F]` to windows `[N * W, window², F]`.
    pub fn split(&self, tokens: &Tensor) -> Result<Tensor> {
        let (batch, _, features) = tokens.size3()?;
        let grid = tokens.f_view([batch, self.side, self.side, features])?;
        let missing = self.padded - self.side;
        let grid = if missing == 0 { grid } else { grid.f_constant_pad_nd([0, 0, 0, missing, 0, missing])? };
        let grid = self.rolled(&grid, -self.shift)?;
        self.windows(&grid)
    }

    /// Windows back to `[N, L, F]`.
    pub fn join(&self, windows: &Tensor, batch: i64) -> Result<Tensor> {
        let features = windows.size().last().copied().unwrap_or_default();
        let (count, window) = (self.padded / self.window, self.window);
        let grid = windows
            .f_view([batch, count, count, window, window, features])?
            .f_transpose(2, 3)?
            .f_reshape([batch, self.padded, self.padded, features])?;
        let grid = self.rolled(&grid, self.shift)?;
        let grid = grid.f_narrow(1, 0, self.side)?.f_narrow(2, 0, self.side)?;
        Ok(grid.f_reshape([batch, self.side * self.side, features])?)
    }

    /// The row of the table of places for each pair of a window's tokens, `[window² * window²]`.
    pub fn places_of_pairs(&self, device: Device) -> Result<Tensor> {
        let places = Tensor::f_arange(self.window, (Kind::Int64, device))?;
        let along = |dimension: i64| -> Result<Tensor> {
            let all = places.f_unsqueeze(1 - dimension)?.f_expand([self.window; 2], false)?;
            let all = all.f_reshape([-1])?;
            Ok(all.f_unsqueeze(1)?.f_sub(&all.f_unsqueeze(0)?)?.f_add_scalar(self.table - 1)?)
        };
        let (rows, columns) = (along(0)?, along(1)?);
        Ok(rows.f_mul_scalar(2 * self.table - 1)?.f_add(&columns)?.f_reshape([-1])?)
    }

    /// What is added to the scores of windows that were shifted together, `[W, window², window²]`.
    pub fn mask(&self, kind: Kind, device: Device) -> Result<Option<Tensor>> {
        if self.shift == 0 {
            return Ok(None);
        }
        let places = Tensor::f_arange(self.padded, (Kind::Int64, device))?;
        let behind = |start: i64| -> Result<Tensor> { Ok(places.f_ge(start)?.f_to_kind(Kind::Int64)?) };
        let part = behind(self.padded - self.window)?.f_add(&behind(self.padded - self.shift)?)?;
        let parts = part.f_unsqueeze(1)?.f_mul_scalar(3)?.f_add(&part.f_unsqueeze(0)?)?;
        let parts = self.windows(&parts.f_reshape([1, self.padded, self.padded, 1])?)?.f_squeeze_dim(2)?;
        let same = parts.f_unsqueeze(1)?.f_eq_tensor(&parts.f_unsqueeze(2)?)?;
        Ok(Some(same.f_logical_not()?.f_to_kind(kind)?.f_mul_scalar(APART)?))
    }

    fn windows(&self, grid: &Tensor) -> Result<Tensor> {
        let (batch, _, _, features) = grid.size4()?;
        let (count, window) = (self.padded / self.window, self.window);
        Ok(grid
            .f_reshape([batch, count, window, count, window, features])?
            .f_transpose(2, 3)?
            .f_reshape([-1, window * window, features])?)
    }

    fn rolled(&self, grid: &Tensor, by: i64) -> Result<Tensor> {
        if self.shift == 0 { Ok(grid.shallow_clone()) } else { Ok(grid.f_roll([by, by], [1, 2])?) }
    }
}
