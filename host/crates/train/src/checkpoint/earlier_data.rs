//! What a checkpoint says of its run's data.

use serde_json::Value;
use thaw_data::SplitBy;

/// What a checkpoint says of its run's data, so that the data is the same again.
#[derive(Clone, Debug, Default)]
pub struct EarlierData {
    /// What a `val_split` is drawn from.
    pub split_by: SplitBy,
    /// State of a plugin's data set with its id; none where there was none.
    pub state: Option<(String, Value)>,
}
