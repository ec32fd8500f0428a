//! `nn.Embedding`.

use tch::{Tensor, no_grad};

use super::{Module, Path, init};
use crate::error::{Error, Result};

/// Rows of a table by index (i64), as PyTorch's `nn.Embedding`.
pub struct Embedding {
    weight: Tensor,
    padding_index: Option<i64>,
}

impl Embedding {
    /// A table `[num_embeddings, dim]`. The row of `padding_index` starts at zero and gets no gradient; a
    /// negative one counts from the end, as in PyTorch.
    ///
    /// # Errors
    /// A padding index outside of the table, or sizes that libtorch refuses.
    pub fn new(path: &Path, num_embeddings: i64, dim: i64, padding_index: Option<i64>) -> Result<Self> {
        let padding_index = padding_index.map(|index| row(index, num_embeddings)).transpose()?;
        let module = path.module("Embedding")?;
        let weight = init::normal(&[num_embeddings, dim], 1.0)?;
        if let Some(index) = padding_index {
            let _ = no_grad(|| weight.f_select(0, index)?.f_zero_())?;
        }
        Ok(Self { weight: module.parameter("weight", weight)?, padding_index })
    }

    /// The table, to tie an output layer to it.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }
}

/// The row of a padding index, from 0. libtorch itself takes -1 for none at all.
fn row(index: i64, rows: i64) -> Result<i64> {
    if !(-rows..rows).contains(&index) {
        return Err(Error::new(format_args!(
            "the padding index of an embedding is {index}, expected one of its {rows} rows"
        )));
    }
    Ok(if index < 0 { rows + index } else { index })
}

impl Module for Embedding {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(Tensor::f_embedding(&self.weight, input, self.padding_index.unwrap_or(-1), false, false)?)
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn a_padding_index_from_the_end_is_that_row() {
        let root = Path::root();
        let embedding = Embedding::new(&(&root / "embedding"), 4, 2, Some(-1)).unwrap();
        assert_eq!(embedding.weight.select(0, 3).abs().sum(Kind::Double).double_value(&[]), 0.0);
        embedding.forward(&Tensor::from_slice(&[3_i64, 0])).unwrap().sum(Kind::Float).backward();
        let gradient = embedding.weight.grad().sum_dim_intlist([1_i64].as_slice(), false, Kind::Double);
        assert_eq!(Vec::<f64>::try_from(gradient).unwrap(), [2.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_padding_index_outside_of_the_table_is_refused() {
        for index in [4, -5] {
            let error = Embedding::new(&(&Path::root() / "embedding"), 4, 2, Some(index)).err().unwrap();
            assert!(error.to_string().contains(&index.to_string()), "{error}");
        }
    }
}
