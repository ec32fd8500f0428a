//! Samples that are arrays.

use std::sync::Arc;

use tch::{Kind, Tensor};
use thaw_plugin_api::Error;
use thaw_plugin_api::dataset::{Array, ArrayForm, Dtype, Input};

use super::{Source, of_source};
use crate::dataset::{Dataset, Pass};
pub(super) use crate::tensors::Becomes;
use crate::{Batch, DataError};
use thaw_terminal::escape::shorten;

/// Arrays, stacked into the tensors of a batch.
pub(super) struct ArrayDataset {
    source: Arc<Source>,
    forms: Vec<ArrayForm>,
}

impl ArrayDataset {
    pub(super) fn new(source: Arc<Source>, forms: Vec<ArrayForm>) -> Self {
        Self { source, forms }
    }
}

/// Refuses arrays that a model of pictures cannot take.
pub(super) fn check_pictures(name: &str, forms: &[ArrayForm]) -> Result<(), DataError> {
    for form in forms {
        if let Some((found, expected)) = Becomes::refusal(kind_of(form.dtype), form.shape.len()) {
            let text = format_args!("input `{}`: {found}, expected {expected}", shorten(&form.name));
            return Err(DataError::Samples { name: name.to_owned(), error: Error::new(text) });
        }
    }
    Ok(())
}

impl Dataset for ArrayDataset {
    of_source!();

    fn input_shape(&self) -> String {
        let shape = |form: &ArrayForm| {
            let sizes: Vec<String> = form.shape.iter().map(usize::to_string).collect();
            format!("{} {}", shorten(&form.name), sizes.join("x")).trim_end().to_owned()
        };
        self.forms.iter().map(shape).collect::<Vec<_>>().join(", ")
    }

    fn batch(&self, indices: &[usize], _pass: &Pass) -> Result<Batch, DataError> {
        let mut columns: Vec<Vec<Array>> = vec![Vec::with_capacity(indices.len()); self.forms.len()];
        let mut targets = Vec::with_capacity(indices.len());
        for &index in indices {
            let (input, target) = self.source.input(index)?;
            targets.push(target);
            if let Input::Arrays(arrays) = input {
                columns.iter_mut().zip(arrays).for_each(|(column, (_, array))| column.push(array));
            }
        }
        let mut inputs = Vec::with_capacity(self.forms.len());
        for (form, column) in self.forms.iter().zip(columns) {
            let becomes = Becomes::of_input(kind_of(form.dtype), form.shape.len());
            inputs.push((form.name.clone(), stack(column.iter(), form.dtype, &form.shape, becomes)?));
        }
        let targets = self.source.tensor(targets)?;
        Ok(Batch::new(inputs, targets, indices.to_vec()))
    }

    fn fixed_inputs(&self, _pass: &Pass) -> bool {
        true
    }
}

/// libtorch's name of a type.
pub(super) fn kind_of(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::U8 => Kind::Uint8,
        Dtype::I8 => Kind::Int8,
        Dtype::I16 => Kind::Int16,
        Dtype::I32 => Kind::Int,
        Dtype::I64 => Kind::Int64,
        Dtype::F16 => Kind::Half,
        Dtype::Bf16 => Kind::BFloat16,
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        Dtype::Bool => Kind::Bool,
    }
}

/// Arrays of one type and shape as one tensor, the samples first.
pub(super) fn stack<'a>(
    arrays: impl Iterator<Item = &'a Array>,
    dtype: Dtype,
    shape: &[usize],
    becomes: Becomes,
) -> Result<Tensor, DataError> {
    let mut bytes = Vec::new();
    let mut count = 0;
    for array in arrays {
        bytes.extend_from_slice(array.bytes());
        count += 1;
    }
    let sizes: Vec<i64> = std::iter::once(count).chain(shape.iter().map(|&size| size as i64)).collect();
    becomes.of_rows(Tensor::f_from_data_size(&bytes, &sizes, kind_of(dtype))?)
}
