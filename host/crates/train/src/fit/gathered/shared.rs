//! Outcomes of all processes, put together.
//!
//! They cross as numbers of 64 bits: a count, then as many, list after list.

use thaw_metrics::{ErrorSums, Labelled, Numbers, Outcomes, Tagged};

use crate::world::{World, WorldError};

/// What all processes have, by rank.
///
/// # Errors
/// A process is gone, elsewhere, or does not come.
pub(super) fn of_all(world: &World, own: Outcomes) -> Result<Outcomes, WorldError> {
    if world.is_single() {
        return Ok(own);
    }
    const WHAT: &str = "the outcomes of a validation";
    world.exchange(WHAT, ())?;
    let all = world.gather(WHAT, to_bytes(&own))?;
    let foreign = |rank| WorldError::Foreign {
        rank,
        place: WHAT.to_owned(),
        reason: "outcomes of another kind".to_owned(),
    };
    all.iter().enumerate().try_fold(Outcomes::None, |sum, (rank, bytes)| {
        let outcomes = from_bytes(bytes).ok_or_else(|| foreign(rank))?;
        joined(sum, outcomes).ok_or_else(|| foreign(rank))
    })
}

/// One after the other; None where they are of different kinds.
fn joined(first: Outcomes, second: Outcomes) -> Option<Outcomes> {
    Some(match (first, second) {
        (Outcomes::None, other) | (other, Outcomes::None) => other,
        (Outcomes::Labelled(mut first), Outcomes::Labelled(second)) if first.classes == second.classes => {
            let Labelled { classes: _, labels, predicted, ranks, confidences, probabilities } = second;
            first.labels.extend(labels);
            first.predicted.extend(predicted);
            first.ranks.extend(ranks);
            first.confidences.extend(confidences);
            first.probabilities.extend(probabilities);
            Outcomes::Labelled(first)
        }
        (Outcomes::Tagged(mut first), Outcomes::Tagged(second)) if first.labels == second.labels => {
            first.probabilities.extend(second.probabilities);
            first.present.extend(second.present);
            Outcomes::Tagged(first)
        }
        (Outcomes::Numbers(mut first), Outcomes::Numbers(second)) if first.width == second.width => {
            first.predicted.extend(second.predicted);
            first.targets.extend(second.targets);
            Outcomes::Numbers(first)
        }
        (Outcomes::Sums(first), Outcomes::Sums(second)) => Outcomes::Sums(first.and(second)),
        _ => return None,
    })
}

/// The kinds, as their first number.
const NONE: u64 = 0;
const LABELLED: u64 = 1;
const NUMBERS: u64 = 2;
const SUMS: u64 = 3;
const TAGGED: u64 = 4;

fn to_bytes(outcomes: &Outcomes) -> Vec<u8> {
    let mut words = Words(Vec::new());
    match outcomes {
        Outcomes::None => words.put(NONE),
        Outcomes::Labelled(samples) => {
            words.put(LABELLED);
            words.put(samples.classes as u64);
            words.put_counts(&samples.labels);
            words.put_counts(&samples.predicted);
            words.put_counts(&samples.ranks);
            words.put_numbers(&samples.confidences);
            words.put_numbers(&samples.probabilities);
        }
        Outcomes::Numbers(numbers) => {
            words.put(NUMBERS);
            words.put(numbers.width as u64);
            words.put_numbers(&numbers.predicted);
            words.put_numbers(&numbers.targets);
        }
        Outcomes::Tagged(samples) => {
            words.put(TAGGED);
            words.put(samples.labels as u64);
            words.put_numbers(&samples.probabilities);
            words.put_counts(
                &samples.present.iter().map(|is_there| usize::from(*is_there)).collect::<Vec<_>>(),
            );
        }
        Outcomes::Sums(sums) => {
            words.put(SUMS);
            words.put_numbers(&[sums.count, sums.absolute, sums.squared]);
        }
    }
    words.0
}

fn from_bytes(bytes: &[u8]) -> Option<Outcomes> {
    let mut words = Read(bytes);
    Some(match words.next()? {
        NONE => Outcomes::None,
        LABELLED => Outcomes::Labelled(Labelled {
            classes: words.count()?,
            labels: words.counts()?,
            predicted: words.counts()?,
            ranks: words.counts()?,
            confidences: words.numbers()?,
            probabilities: words.numbers()?,
        }),
        NUMBERS => Outcomes::Numbers(Numbers {
            width: words.count()?,
            predicted: words.numbers()?,
            targets: words.numbers()?,
        }),
        TAGGED => Outcomes::Tagged(Tagged {
            labels: words.count()?,
            probabilities: words.numbers()?,
            present: words.counts()?.into_iter().map(|is_there| is_there != 0).collect(),
        }),
        SUMS => match words.numbers()?.as_slice() {
            [count, absolute, squared] => {
                Outcomes::Sums(ErrorSums { count: *count, absolute: *absolute, squared: *squared })
            }
            _ => return None,
        },
        _ => return None,
    })
}

struct Words(Vec<u8>);

impl Words {
    fn put(&mut self, word: u64) {
        self.0.extend(word.to_le_bytes());
    }

    fn put_counts(&mut self, counts: &[usize]) {
        self.put(counts.len() as u64);
        counts.iter().for_each(|count| self.put(*count as u64));
    }

    fn put_numbers(&mut self, numbers: &[f64]) {
        self.put(numbers.len() as u64);
        numbers.iter().for_each(|number| self.put(number.to_bits()));
    }
}

struct Read<'b>(&'b [u8]);

impl Read<'_> {
    fn next(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.next()?).ok()
    }

    fn list<T>(&mut self, each: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.count()?;
        (0..length).map(|_| each(self)).collect()
    }

    fn counts(&mut self) -> Option<Vec<usize>> {
        self.list(Self::count)
    }

    fn numbers(&mut self) -> Option<Vec<f64>> {
        self.list(|words| words.next().map(f64::from_bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thaw_metrics::Metric;

    #[test]
    fn outcomes_come_through_and_are_put_one_after_the_other() {
        let of = |labels: Vec<usize>, predicted: Vec<usize>, confidences: Vec<f64>| {
            Outcomes::Labelled(Labelled { classes: 2, labels, predicted, confidences, ..Labelled::default() })
        };
        let parts =
            [of(vec![0, 1], vec![0, 0], vec![0.9, 0.1]), Outcomes::None, of(vec![1], vec![1], vec![0.5])];
        let through = parts.iter().map(|part| from_bytes(&to_bytes(part)).unwrap());
        let all = through.fold(Outcomes::None, |sum, part| joined(sum, part).unwrap());
        assert_eq!(all.value(Metric::Accuracy), Some(2.0 / 3.0));
        let tagged =
            Outcomes::Tagged(Tagged { labels: 2, probabilities: vec![0.9, 0.2], present: vec![true, false] });
        let twice = joined(from_bytes(&to_bytes(&tagged)).unwrap(), tagged).unwrap();
        assert_eq!(twice.value(Metric::Accuracy), Some(1.0));
        let sums = Outcomes::Sums(ErrorSums { count: 2.0, absolute: f64::NAN, squared: 1.0 });
        let Some(Outcomes::Sums(back)) = from_bytes(&to_bytes(&sums)) else { panic!("sums stay sums") };
        assert!(back.absolute.is_nan() && back.count == 2.0);
        assert!(joined(sums, of(vec![0], vec![0], vec![0.5])).is_none(), "kinds do not mix");
        assert!(from_bytes(&[1, 0, 0]).is_none(), "what is cut off is refused");
    }
}
