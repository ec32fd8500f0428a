//! Errors as they cross: JSON of [`Error`].

use abi_stable::StableAbi;
use abi_stable::std_types::{RResult, RString};

use crate::error::Error;

/// An [`Error`] as JSON, so that it can grow.
#[repr(transparent)]
#[derive(Debug, StableAbi)]
pub struct RawError(RString);

/// A result that crosses the boundary.
pub type RawResult<T> = RResult<T, RawError>;

impl From<Error> for RawError {
    fn from(error: Error) -> Self {
        Self(serde_json::to_string(&error).unwrap_or_else(|_| error.to_string()).into())
    }
}

impl From<RawError> for Error {
    fn from(RawError(text): RawError) -> Self {
        serde_json::from_str(&text).unwrap_or_else(|_| Self::new(text.as_str()))
    }
}
