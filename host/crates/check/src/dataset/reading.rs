//! Reading samples again, on threads, and where there are none.

use thaw_plugin_api::dataset::{Sample, Split};

use super::Opened;
use crate::{Outcome, Subject, Verdict};

const THREADS: usize = 8;

/// The samples at all places that are looked at.
fn read(opened: &Opened) -> Result<Vec<Sample>, Outcome> {
    let read = opened.places().into_iter().map(|(split, index)| {
        opened.get(split, index).map_err(|error| Outcome::skipped(format!("{split} sample {index}: {error}")))
    });
    read.collect()
}

/// The first place at which samples differ.
fn differing(opened: &Opened, one: &[Sample], other: &[Sample]) -> Option<(Split, usize)> {
    let same = |(one, other): (&Sample, &Sample)| one == other;
    let place = one.iter().zip(other).position(|pair| !same(pair))?;
    opened.places().get(place).copied()
}

pub(super) fn repeat(subject: &mut Subject) -> Verdict {
    let opened = Opened::of(subject)?;
    let first = read(&opened)?;
    let hint =
        "draw what is random from the index, not from a generator that goes on; a run is resumed by indices";
    let mut backwards = first.clone();
    for (place, (split, index)) in opened.places().into_iter().enumerate().rev() {
        let sample = opened.get(split, index);
        backwards[place] = sample.map_err(|error| Outcome::skipped(error.to_string()))?;
    }
    if let Some((split, index)) = differing(&opened, &first, &backwards) {
        let found = format!("{split} sample {index} is another one when it is read again");
        return Err(Outcome::failed(found, "the same sample", hint));
    }
    let again = read(&Opened::of(subject)?)?;
    if let Some((split, index)) = differing(&opened, &first, &again) {
        let found = format!("{split} sample {index} is another one in a second instance");
        return Err(Outcome::failed(found, "the same sample", hint));
    }
    Ok(Outcome::noted(opened.note()))
}

pub(super) fn on_threads(subject: &mut Subject) -> Verdict {
    let opened = Opened::of(subject)?;
    let expected = read(&opened)?;
    let places = opened.places();
    let all: Vec<_> = std::thread::scope(|scope| {
        let threads = (0..THREADS).map(|number| {
            let (opened, places) = (&opened, &places);
            // Each begins elsewhere, so that they meet everywhere.
            let start = number * places.len() / THREADS;
            scope.spawn(move || {
                let turned = (0..places.len()).map(|step| (start + step) % places.len());
                turned.map(|place| (place, opened.get(places[place].0, places[place].1))).collect::<Vec<_>>()
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let hint =
        "`get` runs on many threads at once: what it shares needs a lock, or a reader of its own per call";
    for (place, sample) in all.into_iter().flatten() {
        let (split, index) = places[place];
        match sample {
            Ok(sample) if sample == expected[place] => {}
            Ok(_) => {
                let found = format!("{split} sample {index} is another one on {THREADS} threads");
                return Err(Outcome::failed(found, "the same sample", hint));
            }
            Err(error) => {
                let found = format!("{split} sample {index} on {THREADS} threads: {error}");
                return Err(Outcome::failed(found, "the same sample", hint));
            }
        }
    }
    Ok(Outcome::noted(opened.note()))
}

pub(super) fn out_of_range(subject: &mut Subject) -> Verdict {
    let opened = Opened::of(subject)?;
    let before = read(&opened)?;
    for split in Split::ALL {
        let len = opened.description.len(split).unwrap_or(0);
        for index in [len, len + 1, usize::MAX] {
            if opened.get(split, index).is_ok() {
                let found = format!("a sample for {split} {index}, of {len}");
                return Err(Outcome::failed(
                    found,
                    "an error",
                    "give an error for what `len` does not count",
                ));
            }
        }
    }
    let after = read(&opened)?;
    match differing(&opened, &before, &after) {
        None => Ok(Outcome::passed()),
        Some((split, index)) => {
            let found = format!("{split} sample {index} is another one afterwards");
            Err(Outcome::failed(found, "the same samples", "an error may not change the data set"))
        }
    }
}
