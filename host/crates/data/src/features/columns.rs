//! Which tensors a row of features is made of.

use std::fmt;

use tch::{Kind, Tensor};

use super::rows::Rows;
use crate::DataError;

/// One tensor of each row.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    name: String,
    kind: Kind,
    /// Without the sample.
    shape: Vec<i64>,
    /// Bytes of a row.
    width: usize,
}

/// The tensors of a row, one after the other: the model's, then the target.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Columns {
    features: Vec<Column>,
    target: Option<Column>,
}

/// Tensors of a batch by name, and its targets.
type Gathered = (Vec<(String, Tensor)>, Option<Tensor>);

impl Column {
    fn of(name: &str, tensor: &Tensor, samples: usize) -> Result<Column, DataError> {
        let size = tensor.size();
        let Some((&first, shape)) = size.split_first().filter(|(first, _)| **first == samples as i64) else {
            return Err(DataError::Features(format!(
                "`{name}` has the shape {size:?} for {samples} samples: its first dimension is not the sample"
            )));
        };
        let elements = if first == 0 { 0 } else { tensor.numel() / samples };
        let kind = tensor.kind();
        Ok(Column {
            name: name.to_owned(),
            kind,
            shape: shape.to_vec(),
            width: elements * kind.elt_size_in_bytes(),
        })
    }

    /// The bytes of a whole batch.
    fn bytes(&self, tensor: &Tensor) -> Result<Vec<u8>, DataError> {
        let tensor = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
        let mut bytes = vec![0; tensor.numel() * self.kind.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
        Ok(bytes)
    }

    /// The tensor of some rows, whose part for this column begins at `offset`.
    fn gather(&self, rows: &Rows, indices: &[usize], offset: usize) -> Result<Tensor, DataError> {
        let mut bytes = Vec::with_capacity(indices.len() * self.width);
        for &index in indices {
            bytes.extend_from_slice(&rows.row(index)[offset..offset + self.width]);
        }
        let shape: Vec<i64> =
            std::iter::once(indices.len() as i64).chain(self.shape.iter().copied()).collect();
        Ok(Tensor::f_from_data_size(&bytes, &shape, self.kind)?)
    }
}

impl Columns {
    pub(super) fn of(
        features: &[(String, Tensor)],
        target: Option<&Tensor>,
        samples: usize,
    ) -> Result<Columns, DataError> {
        let columns = features.iter().map(|(name, tensor)| Column::of(name, tensor, samples));
        let target = target.map(|target| Column::of("target", target, samples)).transpose()?;
        Ok(Columns { features: columns.collect::<Result<_, _>>()?, target })
    }

    /// Bytes of a sample.
    pub(super) fn row_bytes(&self) -> usize {
        self.features.iter().chain(&self.target).map(|column| column.width).sum()
    }

    /// Refuses rows that are made otherwise.
    pub(super) fn require(&self, others: &Columns) -> Result<(), DataError> {
        if self == others {
            return Ok(());
        }
        Err(DataError::Features(format!("some samples have {self}, others {others}")))
    }

    /// The bytes of a batch, column by column.
    pub(super) fn bytes(
        &self,
        features: &[(String, Tensor)],
        target: Option<&Tensor>,
    ) -> Result<Vec<(usize, Vec<u8>)>, DataError> {
        let own = self.features.iter().zip(features).map(|(column, (_, tensor))| (column, tensor));
        let all = own.chain(self.target.iter().zip(target));
        all.map(|(column, tensor)| Ok((column.width, column.bytes(tensor)?))).collect()
    }

    /// The tensors of some rows.
    pub(super) fn gather(&self, rows: &Rows, indices: &[usize]) -> Result<Gathered, DataError> {
        let mut offset = 0;
        let mut next = |column: &Column| {
            let tensor = column.gather(rows, indices, offset)?;
            offset += column.width;
            Ok::<_, DataError>((column.name.clone(), tensor))
        };
        let features = self.features.iter().map(&mut next).collect::<Result<_, _>>()?;
        let target = self.target.as_ref().map(next).transpose()?;
        Ok((features, target.map(|(_, target)| target)))
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, column) in self.features.iter().chain(&self.target).enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{} {:?} of {:?}", column.name, column.shape, column.kind)?;
        }
        Ok(())
    }
}
