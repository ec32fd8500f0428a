//! Several processes over c10d, as PyTorch's own: the store that they meet at ([`Meeting`]) and what they
//! compute together over Gloo ([`Group`]).
//!
//! Every function of a group is called by all of its processes, in the same order. One that is missing is
//! waited for, up to the timeout; one that has ended is an error at once.

use std::ffi::{CString, c_char, c_int};
use std::time::Duration;

use super::gradients::TensorList;
use super::{Result, TorchError, call, ffi, take_text};

/// A store of short texts that all processes of a run reach.
#[derive(Debug)]
pub struct Meeting(*mut ffi::Meeting);

// SAFETY: the store behind it locks its connection.
unsafe impl Send for Meeting {}

/// Where a run's processes meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The machine, by name or number.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether this process is to host the store.
    pub hosts: bool,
    /// How many processes there are.
    pub processes: usize,
}

/// The number format in which gradients cross the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// Their own.
    #[default]
    Exact,
    /// Half as many bytes with float32's range.
    Bf16,
    /// Half as many bytes with more digits and less range.
    Fp16,
}

impl Wire {
    /// The number of libtorch's `ScalarType`; -1 for the gradients' own.
    fn number(self) -> c_int {
        match self {
            Self::Exact => -1,
            Self::Fp16 => 5,
            Self::Bf16 => 15,
        }
    }
}

impl Meeting {
    /// Hosts the store or connects to it, whatever comes up first. Keys are this run's own under `prefix`.
    ///
    /// # Errors
    /// Nobody hosts it within `timeout`, or its port is taken.
    pub fn open(address: &Address, prefix: &str, timeout: Duration) -> Result<Self> {
        let (host, prefix) = (text(&address.host)?, text(prefix)?);
        let mut meeting = std::ptr::null_mut();
        let timeout = milliseconds(timeout);
        // SAFETY: both texts end with a zero; what the shim stores in `meeting` is this value's from here on.
        call("meeting the other processes", |error| unsafe {
            ffi::thaw_meeting_open(
                host.as_ptr(),
                address.port,
                address.hosts,
                address.processes,
                timeout,
                prefix.as_ptr(),
                &mut meeting,
                error,
            )
        })?;
        Ok(Self(meeting))
    }

    /// Sets a key for all.
    ///
    /// # Errors
    /// The store is gone.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        let key = text(key)?;
        // SAFETY: the pointers are those of texts that live through the call.
        call("telling the other processes", |error| unsafe {
            ffi::thaw_meeting_set(self.0, key.as_ptr(), value.as_ptr(), value.len(), error)
        })
    }

    /// What somebody set under a key; none where nobody has so far. Does not wait for it.
    ///
    /// # Errors
    /// The store is gone.
    pub fn get(&self, key: &str) -> Result<Option<String>> {
        let key = text(key)?;
        let mut has = false;
        // SAFETY: as in `set`.
        call("asking the other processes", |error| unsafe {
            ffi::thaw_meeting_has(self.0, key.as_ptr(), &mut has, error)
        })?;
        if !has {
            return Ok(None);
        }
        let mut value: *mut c_char = std::ptr::null_mut();
        // SAFETY: as in `set`; the text that the shim stores is taken over.
        call("asking the other processes", |error| unsafe {
            ffi::thaw_meeting_get(self.0, key.as_ptr(), &mut value, error)
        })?;
        Ok(Some(take_text(value)))
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        // SAFETY: made by the shim, and nobody has it any more.
        unsafe { ffi::thaw_meeting_free(self.0) }
    }
}

/// Processes that compute together, this one among them.
#[derive(Debug)]
pub struct Group {
    group: *mut ffi::Group,
    size: usize,
}

impl Group {
    /// Joins the processes that come to a meeting; returns when all of them have. `on_this_machine` keeps
    /// them off the network.
    ///
    /// # Errors
    /// One is missing after `timeout`.
    pub fn join(
        meeting: &Meeting,
        rank: usize,
        size: usize,
        timeout: Duration,
        on_this_machine: bool,
    ) -> Result<Self> {
        let mut group = std::ptr::null_mut();
        let (rank, number) = (number(rank)?, number(size)?);
        let timeout = milliseconds(timeout);
        // SAFETY: the meeting lives through the call, and the group holds what it needs of it.
        call("joining the other processes", |error| unsafe {
            ffi::thaw_group_join(meeting.0, rank, number, timeout, on_this_machine, &mut group, error)
        })?;
        Ok(Self { group, size })
    }

    /// The bytes of all processes, by rank. All give as many.
    ///
    /// # Errors
    /// A process is gone or does not come.
    pub fn all_gather(&self, own: &[u8]) -> Result<Vec<u8>> {
        let mut all = vec![0; own.len() * self.size];
        // SAFETY: `all` has room for the bytes of every process.
        call("hearing the other processes", |error| unsafe {
            ffi::thaw_group_all_gather(self.group, own.as_ptr(), own.len(), all.as_mut_ptr(), error)
        })?;
        Ok(all)
    }

    /// Gives every process the values that the tensors have at `root`.
    ///
    /// # Errors
    /// As [`Group::all_gather`].
    pub fn broadcast(&self, tensors: &TensorList, root: usize) -> Result<()> {
        let root = number(root)?;
        // SAFETY: the list's pointers are those of its tensors.
        call("sharing tensors with the other processes", |error| unsafe {
            ffi::thaw_group_broadcast(self.group, tensors.as_ptr(), tensors.len(), root, error)
        })
    }

    /// Has the next backward pass send the gradients of the parameters, bucket by bucket as they become
    /// done. [`Group::sum_gradients`] of the same parameters comes after it, and nothing else before.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn begin_sums(&self, parameters: &TensorList, bucket_bytes: usize, wire: Wire) -> Result<()> {
        let n = parameters.len();
        // SAFETY: as in `broadcast`.
        call("summing gradients with the other processes", |error| unsafe {
            let wire = wire.number();
            ffi::thaw_group_begin_sums(self.group, parameters.as_ptr(), n, bucket_bytes, wire, error)
        })
    }

    /// Sums the gradients of the parameters, which all processes name in the same order, in buckets of at
    /// most `bucket_bytes`. One that a process does not have counts as zero; one that none has is nowhere.
    ///
    /// # Errors
    /// As [`Group::all_gather`].
    pub fn sum_gradients(&self, parameters: &TensorList, bucket_bytes: usize, wire: Wire) -> Result<Sent> {
        let (mut sent, n) = (Sent::default(), parameters.len());
        // SAFETY: as in `broadcast`; both numbers are this function's.
        call("summing gradients with the other processes", |error| unsafe {
            ffi::thaw_group_sum_gradients(
                self.group,
                parameters.as_ptr(),
                n,
                bucket_bytes,
                wire.number(),
                &mut sent.buckets,
                &mut sent.early,
                error,
            )
        })?;
        Ok(sent)
    }
}

/// What a sum of gradients was sent in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Buckets.
    pub buckets: usize,
    /// How many of them were sent while the backward pass went on.
    pub early: usize,
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: made by the shim, and nobody has it any more.
        unsafe { ffi::thaw_group_free(self.group) }
    }
}

fn text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|error| TorchError::Operation {
        operation: "meeting the other processes",
        message: error.to_string(),
    })
}

fn number(value: usize) -> Result<c_int> {
    c_int::try_from(value).map_err(|error| TorchError::Operation {
        operation: "joining the other processes",
        message: error.to_string(),
    })
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
