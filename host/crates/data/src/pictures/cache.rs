//! Pictures that are not decoded anew in every epoch.

use crate::image::Picture;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Small pictures kept in memory until the limit is reached; nothing is ever thrown out, as every epoch
/// visits all.
pub(super) struct Cache {
    slots: Vec<Slot>,
    left: AtomicUsize,
    keeps_decoded: bool,
}

/// Each as small as it can be: there may be millions, most of them empty.
#[derive(Default)]
struct Slot {
    decoded: OnceLock<Box<Picture>>,
    finished: OnceLock<Box<Box<[u8]>>>,
}

/// Larger pictures would fill the cache with few of them.
const MAX_CACHED_BYTES: usize = 1 << 20;

impl Cache {
    pub(super) fn new(pictures: usize, limit: usize, keeps_decoded: bool) -> Cache {
        let slots = if limit == 0 { 0 } else { pictures };
        Cache {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            left: AtomicUsize::new(limit),
            keeps_decoded,
        }
    }

    pub(super) fn decoded(&self, index: usize) -> Option<&Picture> {
        self.slots.get(index)?.decoded.get().map(|picture| &**picture)
    }

    pub(super) fn finished(&self, index: usize) -> Option<&[u8]> {
        self.slots.get(index)?.finished.get().map(|pixels| &***pixels)
    }

    pub(super) fn keep_decoded(&self, index: usize, picture: Picture) {
        if let Some(slot) = self.slots.get(index)
            && self.keeps_decoded
            && self.take(picture.pixels.len())
        {
            let _ = slot.decoded.set(Box::new(picture));
        }
    }

    pub(super) fn keep_finished(&self, index: usize, pixels: &[u8]) {
        if let Some(slot) = self.slots.get(index)
            && self.take(pixels.len())
        {
            let _ = slot.finished.set(Box::new(pixels.into()));
        }
    }

    /// Reserves memory, if there is any left.
    fn take(&self, bytes: usize) -> bool {
        bytes <= MAX_CACHED_BYTES
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes))
                .is_ok()
    }
}
