//! Which part of each batch one of several processes makes.

use std::ops::Range;

/// A process's share of every batch. All shares together are the batch, each sample once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    rank: usize,
    processes: usize,
}

impl Share {
    /// All of it: a process that is alone.
    pub const WHOLE: Self = Self { rank: 0, processes: 1 };

    /// That of process `rank`, from 0, of so many.
    pub fn new(rank: usize, processes: usize) -> Self {
        Self { rank, processes: processes.max(1) }
    }

    /// How many processes there are.
    pub fn processes(self) -> usize {
        self.processes
    }

    /// Whether others have a share, too.
    pub(crate) fn is_part(self) -> bool {
        self.processes > 1
    }

    /// The part of a batch: as large as the others', or by one sample smaller or larger where they do not
    /// come out even.
    pub(crate) fn of(self, batch: Range<usize>) -> Range<usize> {
        let (start, samples) = (batch.start, batch.len());
        let at = |rank: usize| start + samples * rank / self.processes;
        at(self.rank)..at(self.rank + 1)
    }

    /// Samples of the smallest share of so many that has one.
    pub fn smallest(self, samples: usize) -> usize {
        (samples / self.processes).max(samples.min(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_the_batch_each_sample_once() {
        for processes in 1..5 {
            for samples in 0..12 {
                let parts = (0..processes).map(|rank| Share::new(rank, processes).of(7..7 + samples));
                let parts: Vec<Range<usize>> = parts.collect();
                assert!(parts.iter().cloned().flatten().eq(7..7 + samples), "{parts:?}");
                let sizes = parts.iter().map(Range::len).filter(|size| *size > 0);
                let smallest = Share::new(0, processes).smallest(samples);
                assert_eq!(sizes.min().unwrap_or(0), smallest, "{samples} over {processes}");
            }
        }
    }
}
