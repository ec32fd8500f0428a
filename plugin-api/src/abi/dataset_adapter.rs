//! A [`Dataset`] behind the boundary.

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RBox, ROption, RStr, RString};
use serde_json::Value;

use super::raw_dataset::split_of;
use super::{
    BoxedDataset, DropContained, RawDataset, RawDataset_TO, RawError, RawResult, RawSample, RawTarget,
    contain,
};
use crate::config::{Config as _, parse};
use crate::dataset::{Dataset, Description, Split, restore, save};
use crate::error::{Error, ErrorKind, Result};

/// Opens a data set by its configuration (JSON).
pub fn create_dataset<D: Dataset>(config: RStr<'_>) -> RawResult<BoxedDataset> {
    let adapter = contain(|| {
        let config = parse::<D::Config>(config.as_str())?;
        let resolved = config.to_value();
        Ok(Adapter { dataset: DropContained::new(D::new(config)?), config: resolved })
    });
    let boxed = adapter.map(|adapter| RawDataset_TO::from_ptr(RBox::new(adapter), TD_Opaque));
    boxed.map_err(RawError::from).into()
}

struct Adapter<D> {
    dataset: DropContained<D>,
    config: Value,
}

impl<D: Dataset> Adapter<D> {
    /// Calls for a sample that there is.
    fn of_sample<T>(
        &self,
        split: u32,
        index: u64,
        call: impl FnOnce(&D, Split, usize) -> Result<T>,
    ) -> RawResult<T> {
        let outcome = contain(|| {
            let (split, index) = (split_of(split)?, usize::try_from(index)?);
            let samples = self.dataset.len(split).unwrap_or(0);
            if index >= samples {
                return Err(Error::of(
                    ErrorKind::Other,
                    format_args!("there is no sample {index}: the split has {samples}"),
                ));
            }
            call(&self.dataset, split, index)
        });
        outcome.map_err(RawError::from).into()
    }
}

impl<D: Dataset> RawDataset for Adapter<D> {
    fn describe(&self) -> RawResult<RString> {
        let text = contain(|| {
            let length = |split: Split| Some((split, self.dataset.len(split)?));
            let description = Description {
                form: self.dataset.form(),
                class_names: self.dataset.class_names(),
                in_memory: self.dataset.in_memory(),
                splits: Split::ALL.into_iter().filter_map(length).collect(),
                config: self.config.clone(),
            };
            Ok(RString::from(serde_json::to_string(&description)?))
        });
        text.map_err(RawError::from).into()
    }

    fn get(&self, split: u32, index: u64) -> RawResult<RawSample> {
        self.of_sample(split, index, |dataset, split, index| Ok(dataset.get(split, index)?.into()))
    }

    fn target(&self, split: u32, index: u64) -> RawResult<ROption<RawTarget>> {
        self.of_sample(split, index, |dataset, split, index| {
            Ok(dataset.target(split, index)?.map(RawTarget::from).into())
        })
    }

    fn length(&self, split: u32, index: u64) -> RawResult<ROption<u64>> {
        self.of_sample(split, index, |dataset, split, index| {
            Ok(dataset.length(split, index).map(|length| length as u64).into())
        })
    }

    fn identity(&self, split: u32, index: u64) -> RawResult<RString> {
        self.of_sample(split, index, |dataset, split, index| Ok(dataset.identity(split, index).into()))
    }

    fn state(&self) -> RawResult<RString> {
        let text = contain(|| Ok(RString::from(save(&*self.dataset)?)));
        text.map_err(RawError::from).into()
    }

    fn load_state(&mut self, state: RStr<'_>) -> RawResult<()> {
        let loaded = contain(|| restore(&mut *self.dataset, state.as_str()));
        loaded.map_err(RawError::from).into()
    }
}
