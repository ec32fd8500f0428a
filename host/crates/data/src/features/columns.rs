//! Which tensors a row of features is made of.

use std::fmt;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use thaw_torch::buffers::{Buffers, Place};

use super::rows::Rows;
use crate::DataError;

/// In which numbers features are kept that are computed in 32 bits or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureKind {
    /// As they are computed.
    Full,
    /// bfloat16: half of the room, three digits.
    Bf16,
    /// float16: half of the room, four digits, up to 65504.
    Fp16,
}

impl FeatureKind {
    fn stored(self, kind: Kind) -> Kind {
        match (self, kind) {
            (FeatureKind::Bf16, Kind::Float | Kind::Double) => Kind::BFloat16,
            (FeatureKind::Fp16, Kind::Float | Kind::Double) => Kind::Half,
            (_, kind) => kind,
        }
    }
}

/// One tensor of each row.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    name: String,
    /// What a batch has.
    kind: Kind,
    /// What the rows have.
    stored: Kind,
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
    fn of(name: &str, tensor: &Tensor, samples: usize, kept: FeatureKind) -> Result<Column, DataError> {
        let size = tensor.size();
        let Some((&first, shape)) = size.split_first().filter(|(first, _)| **first == samples as i64) else {
            return Err(DataError::Features(format!(
                "`{name}` has the shape {size:?} for {samples} samples: its first dimension is not the sample"
            )));
        };
        let elements = if first == 0 { 0 } else { tensor.numel() / samples };
        let (kind, stored) = (tensor.kind(), kept.stored(tensor.kind()));
        let width = elements * stored.elt_size_in_bytes();
        Ok(Column { name: name.to_owned(), kind, stored, shape: shape.to_vec(), width })
    }

    /// The bytes of a whole batch.
    fn bytes(&self, tensor: &Tensor) -> Result<Vec<u8>, DataError> {
        let given = tensor.f_detach()?;
        let narrow = given.f_to_kind(self.stored)?;
        if self.stored == Kind::Half
            && self.kind != Kind::Half
            && bool::try_from(given.f_isfinite()?.f_logical_and(&narrow.f_isinf()?)?.f_any()?)?
        {
            return Err(DataError::Features(format!(
                "`{}` has values beyond 65504, which fp16 does not have; set trainer.cache_dtype to \"bf16\"",
                self.name
            )));
        }
        let tensor = narrow.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
        let mut bytes = vec![0; tensor.numel() * self.stored.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
        Ok(bytes)
    }

    /// The tensor of some rows, whose part for this column begins at `offset`.
    fn gather(
        &self,
        rows: &Rows,
        indices: &[usize],
        offset: usize,
        (buffers, place): (&Buffers, Place),
    ) -> Result<Tensor, DataError> {
        let shape: Vec<i64> =
            std::iter::once(indices.len() as i64).chain(self.shape.iter().copied()).collect();
        let stored = buffers.filled(&shape, self.stored, place, |bytes| -> Result<(), DataError> {
            if self.width > 0 {
                for (to, &index) in bytes.chunks_exact_mut(self.width).zip(indices) {
                    to.copy_from_slice(&rows.row(index)[offset..offset + self.width]);
                }
            }
            Ok(())
        })?;
        Ok(stored.f_to_kind(self.kind)?)
    }
}

impl Columns {
    pub(super) fn of(
        features: &[(String, Tensor)],
        target: Option<&Tensor>,
        samples: usize,
        kept: FeatureKind,
    ) -> Result<Columns, DataError> {
        let columns = features.iter().map(|(name, tensor)| Column::of(name, tensor, samples, kept));
        let exact = FeatureKind::Full;
        let target = target.map(|target| Column::of("target", target, samples, exact)).transpose()?;
        Ok(Columns { features: columns.collect::<Result<_, _>>()?, target })
    }

    /// What a file says of them; None where a type of theirs has no name there.
    pub(super) fn saved(&self) -> Option<SavedColumns> {
        let saved = |column: &Column| {
            let (kind, stored) = (name_of(column.kind)?, name_of(column.stored)?);
            let (name, shape) = (column.name.clone(), column.shape.clone());
            Some(SavedColumn { name, kind: kind.to_owned(), stored: stored.to_owned(), shape })
        };
        let features = self.features.iter().map(saved).collect::<Option<_>>()?;
        let target = self.target.as_ref().map(saved);
        if target.as_ref().is_some_and(Option::is_none) {
            return None;
        }
        Some(SavedColumns { features, target: target.flatten() })
    }

    /// What a file says; None where it makes no sense.
    pub(super) fn of_saved(saved: &SavedColumns) -> Option<Columns> {
        let column = |saved: &SavedColumn| {
            let (kind, stored) = (kind_of(&saved.kind)?, kind_of(&saved.stored)?);
            let mut sizes = saved.shape.iter().map(|size| usize::try_from(*size).ok());
            let width = sizes.try_fold(stored.elt_size_in_bytes(), |all, size| all.checked_mul(size?))?;
            Some(Column { name: saved.name.clone(), kind, stored, shape: saved.shape.clone(), width })
        };
        let features = saved.features.iter().map(column).collect::<Option<_>>()?;
        let target = match &saved.target {
            Some(target) => Some(column(target)?),
            None => None,
        };
        Some(Columns { features, target })
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
    pub(super) fn gather(
        &self,
        rows: &Rows,
        indices: &[usize],
        memory: (&Buffers, Place),
    ) -> Result<Gathered, DataError> {
        let mut offset = 0;
        let mut next = |column: &Column| {
            let tensor = column.gather(rows, indices, offset, memory)?;
            offset += column.width;
            Ok::<_, DataError>((column.name.clone(), tensor))
        };
        let features = self.features.iter().map(&mut next).collect::<Result<_, _>>()?;
        let target = self.target.as_ref().map(next).transpose()?;
        Ok((features, target.map(|(_, target)| target)))
    }
}

/// Columns as a file describes them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedColumns {
    features: Vec<SavedColumn>,
    target: Option<SavedColumn>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedColumn {
    name: String,
    kind: String,
    stored: String,
    shape: Vec<i64>,
}

/// Types by PyTorch's names.
const KINDS: [(Kind, &str); 10] = [
    (Kind::Uint8, "uint8"),
    (Kind::Int8, "int8"),
    (Kind::Int16, "int16"),
    (Kind::Int, "int32"),
    (Kind::Int64, "int64"),
    (Kind::Half, "float16"),
    (Kind::BFloat16, "bfloat16"),
    (Kind::Float, "float32"),
    (Kind::Double, "float64"),
    (Kind::Bool, "bool"),
];

fn name_of(kind: Kind) -> Option<&'static str> {
    KINDS.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name)
}

fn kind_of(name: &str) -> Option<Kind> {
    KINDS.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
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
