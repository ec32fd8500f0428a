//! The host's services as a plugin calls them.

use std::ffi::c_void;
use std::marker::PhantomData;

use abi_stable::StableAbi;
use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{RResult, RStr, RString};
use serde_json::Value;

use super::{RawError, RawResult, RawTensor};
use crate::context::Services;
use crate::error::Result;

/// What the host offers, as functions over its own data.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = ServicesTable_Ref)))]
pub struct ServicesTable {
    pub request: unsafe extern "C" fn(*mut c_void, RStr<'_>, RStr<'_>) -> RResult<RString, RawError>,
    #[sabi(last_prefix_field)]
    pub tensor: unsafe extern "C" fn(*mut c_void, RStr<'_>) -> RResult<RawTensor, RawError>,
}

/// A host's services during one call.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawServices<'a> {
    data: *mut c_void,
    table: ServicesTable_Ref,
    borrow: PhantomData<&'a mut ()>,
}

/// What the pointer of [`RawServices`] points to: made and read by the host alone.
struct Target<'a>(&'a mut dyn Services);

unsafe extern "C" fn request(
    data: *mut c_void,
    operation: RStr<'_>,
    payload: RStr<'_>,
) -> RawResult<RString> {
    // SAFETY: `data` is the `Target` that `RawServices::with` borrows for the duration of the call.
    let target = unsafe { &mut *data.cast::<Target<'_>>() };
    let answer = super::contain(|| {
        let payload: Value = serde_json::from_str(payload.as_str())?;
        Ok(target.0.request(operation.as_str(), payload)?.to_string())
    });
    answer.map(RString::from).map_err(RawError::from).into()
}

unsafe extern "C" fn tensor(data: *mut c_void, name: RStr<'_>) -> RawResult<RawTensor> {
    // SAFETY: as in `request`.
    let target = unsafe { &mut *data.cast::<Target<'_>>() };
    super::contain(|| target.0.tensor(name.as_str())).map(RawTensor::from_raw).map_err(RawError::from).into()
}

const TABLE: &WithMetadata<ServicesTable> = &WithMetadata::new(ServicesTable { request, tensor });

impl RawServices<'_> {
    /// Lends a host's services for the duration of `call`.
    pub fn with<R>(services: &mut dyn Services, call: impl FnOnce(RawServices<'_>) -> R) -> R {
        let mut target = Target(services);
        call(RawServices {
            data: (&raw mut target).cast(),
            table: ServicesTable_Ref(TABLE.static_as_prefix()),
            borrow: PhantomData,
        })
    }
}

impl Services for RawServices<'_> {
    fn request(&mut self, operation: &str, payload: Value) -> Result<Value> {
        let payload = payload.to_string();
        // SAFETY: `data` and the table come from one `RawServices::with`, which is still running.
        let answer = unsafe { self.table.request()(self.data, operation.into(), payload.as_str().into()) };
        let answer = answer.into_result()?;
        Ok(serde_json::from_str(&answer)?)
    }

    fn tensor(&mut self, name: &str) -> Result<*mut c_void> {
        // SAFETY: as in `request`.
        let answer = unsafe { self.table.tensor()(self.data, name.into()) };
        Ok(answer.into_result()?.into_raw())
    }
}
