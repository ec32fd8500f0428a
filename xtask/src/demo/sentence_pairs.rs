//! Made sentence pairs in MNLI's form: a premise, a hypothesis, and whether one follows from the other.
//!
//! A sentence says who does what where. Whether the hypothesis follows is not written into a template but
//! worked out from what the words mean: `poodle` is a `dog`, a `dog` is no `cat`, the `kitchen` is `indoors`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::made_data::make;

/// A word and what it is a kind of. Two words of which neither is a kind of the other exclude each other.
type Taxonomy = &'static [(&'static str, Option<&'static str>)];

const WHO: Taxonomy = &[
    ("person", None),
    ("adult", Some("person")),
    ("man", Some("adult")),
    ("woman", Some("adult")),
    ("child", Some("person")),
    ("boy", Some("child")),
    ("girl", Some("child")),
    ("animal", None),
    ("dog", Some("animal")),
    ("poodle", Some("dog")),
    ("cat", Some("animal")),
    ("horse", Some("animal")),
    ("bird", Some("animal")),
    ("duck", Some("bird")),
    ("parrot", Some("bird")),
];

const WHAT: Taxonomy = &[
    ("resting", None),
    ("sleeping", Some("resting")),
    ("sitting still", Some("resting")),
    ("moving around", None),
    ("running", Some("moving around")),
    ("swimming", Some("moving around")),
    ("dancing", Some("moving around")),
    ("eating", None),
    ("eating fruit", Some("eating")),
    ("eating an apple", Some("eating fruit")),
    ("eating a banana", Some("eating fruit")),
    ("eating bread", Some("eating")),
    ("making a noise", None),
    ("singing", Some("making a noise")),
    ("shouting", Some("making a noise")),
];

const WHERE: Taxonomy = &[
    ("indoors", None),
    ("in the kitchen", Some("indoors")),
    ("in the library", Some("indoors")),
    ("in the office", Some("indoors")),
    ("outdoors", None),
    ("in the garden", Some("outdoors")),
    ("at the beach", Some("outdoors")),
    ("on the street", Some("outdoors")),
];

/// MNLI's labels.
const LABELS: [&str; 3] = ["entailment", "neutral", "contradiction"];

/// What a sentence says; nothing of the place where it leaves it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Scene {
    who: &'static str,
    what: &'static str,
    place: Option<&'static str>,
}

/// Names the form of the data; data made otherwise are made anew.
const SOURCE: &str = "\
Made by `cargo xtask demo bert-mnli`: who does what where; the labels are worked out from what the words mean.
Fields as in MNLI's .jsonl files. 1500 pairs to train, 300 to validate, no pair in both. Version 1.
";

const TRAIN: usize = 1500;
const VAL: usize = 300;

/// Writes `train.jsonl` and `dev.jsonl` with MNLI's fields `pairID`, `genre`, `sentence1`, `sentence2`,
/// `gold_label`.
///
/// # Errors
/// The folder cannot be written.
pub fn write(folder: &Path) -> Result<()> {
    make(folder, "Writing sentence pairs", SOURCE, |partial| {
        let pairs = pairs(TRAIN + VAL);
        for (name, pairs) in [("train.jsonl", &pairs[..TRAIN]), ("dev.jsonl", &pairs[TRAIN..])] {
            let path = partial.join(name);
            fs::write(&path, lines(pairs)).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    })
}

fn lines(pairs: &[(Scene, Scene)]) -> String {
    let line = |(premise, hypothesis): &(Scene, Scene)| {
        let (premise, hypothesis, label) = (*premise, *hypothesis, label(*premise, *hypothesis));
        let (sentence1, sentence2) = (premise.sentence(), hypothesis.sentence());
        let id = format!("{:08x}", hash(&[sentence1.as_str(), sentence2.as_str()].concat()) >> 32);
        let row = json!({ "pairID": id, "genre": "made", "sentence1": sentence1, "sentence2": sentence2,
            "gold_label": label });
        row.to_string() + "\n"
    };
    pairs.iter().map(line).collect()
}

impl Scene {
    fn sentence(self) -> String {
        let article = if self.who.starts_with(['a', 'e', 'i', 'o', 'u']) { "An" } else { "A" };
        let place = self.place.map(|place| format!(" {place}")).unwrap_or_default();
        format!("{article} {} is {}{place}.", self.who, self.what)
    }
}

/// How the hypothesis' word stands to the premise's.
fn relation(taxonomy: Taxonomy, premise: &str, hypothesis: &str) -> &'static str {
    if is_a(taxonomy, premise, hypothesis) {
        LABELS[0]
    } else if is_a(taxonomy, hypothesis, premise) {
        LABELS[1]
    } else {
        LABELS[2]
    }
}

fn is_a(taxonomy: Taxonomy, word: &str, kind: &str) -> bool {
    word == kind || parent(taxonomy, word).is_some_and(|parent| is_a(taxonomy, parent, kind))
}

fn parent(taxonomy: Taxonomy, word: &str) -> Option<&'static str> {
    taxonomy.iter().find(|(name, _)| *name == word).and_then(|(_, parent)| *parent)
}

/// One contradiction contradicts the whole; what is left open anywhere leaves the whole open.
fn label(premise: Scene, hypothesis: Scene) -> &'static str {
    let place = match (premise.place, hypothesis.place) {
        (_, None) => LABELS[0],
        (None, Some(_)) => LABELS[1],
        (Some(premise), Some(hypothesis)) => relation(WHERE, premise, hypothesis),
    };
    let found =
        [relation(WHO, premise.who, hypothesis.who), relation(WHAT, premise.what, hypothesis.what), place];
    let strongest = LABELS.iter().rev().find(|label| found.contains(label));
    strongest.unwrap_or(&LABELS[0])
}

/// Different pairs, a third of each label, in an order that mixes them.
fn pairs(count: usize) -> Vec<(Scene, Scene)> {
    let mut random = Random(0);
    let mut seen = BTreeSet::new();
    let mut pairs = Vec::new();
    while pairs.len() < count {
        let premise = random.scene();
        let hypothesis = random.hypothesis(premise);
        let wanted = LABELS[pairs.len() % LABELS.len()];
        if label(premise, hypothesis) == wanted && premise != hypothesis && seen.insert((premise, hypothesis))
        {
            pairs.push((premise, hypothesis));
        }
    }
    pairs
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mix(self.0) % count as u64) as usize
    }

    fn word(&mut self, taxonomy: Taxonomy) -> &'static str {
        taxonomy[self.below(taxonomy.len())].0
    }

    fn scene(&mut self) -> Scene {
        let (who, what) = (self.word(WHO), self.word(WHAT));
        let place = (self.below(4) > 0).then(|| self.word(WHERE));
        Scene { who, what, place }
    }

    /// Mostly about the same: else nearly everything would be a contradiction.
    fn hypothesis(&mut self, premise: Scene) -> Scene {
        let place = match (self.below(4), premise.place) {
            (0, _) => None,
            (1, _) | (_, None) => (self.below(2) == 0).then(|| self.word(WHERE)),
            (_, Some(place)) => Some(self.near(WHERE, place)),
        };
        Scene { who: self.near(WHO, premise.who), what: self.near(WHAT, premise.what), place }
    }

    /// The word itself, one that it is a kind of or that is a kind of it, seldom any.
    fn near(&mut self, taxonomy: Taxonomy, word: &'static str) -> &'static str {
        match self.below(8) {
            0 => self.word(taxonomy),
            1 | 2 => word,
            _ => {
                let related: Vec<_> = taxonomy
                    .iter()
                    .filter(|(other, _)| is_a(taxonomy, word, other) || is_a(taxonomy, other, word))
                    .collect();
                related[self.below(related.len())].0
            }
        }
    }
}

fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn hash(text: &str) -> u64 {
    mix(text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(who: &'static str, what: &'static str, place: Option<&'static str>) -> Scene {
        Scene { who, what, place }
    }

    #[test]
    fn what_follows_is_worked_out_from_the_words() {
        let premise = scene("poodle", "sleeping", Some("in the kitchen"));
        for (hypothesis, expected) in [
            (scene("animal", "resting", Some("indoors")), "entailment"),
            (scene("dog", "sleeping", None), "entailment"),
            (scene("dog", "sleeping", Some("outdoors")), "contradiction"),
            (scene("cat", "resting", None), "contradiction"),
        ] {
            assert_eq!(label(premise, hypothesis), expected, "{hypothesis:?}");
        }
        let premise = scene("animal", "eating", None);
        assert_eq!(label(premise, scene("dog", "eating", None)), "neutral");
        assert_eq!(label(premise, scene("animal", "eating", Some("indoors"))), "neutral");
        assert_eq!(label(premise, scene("dog", "running", None)), "contradiction");
        assert_eq!(premise.sentence(), "An animal is eating.");
    }

    #[test]
    fn every_label_is_met_as_often_and_no_pair_twice() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("pairs")).unwrap();
        let mut seen = BTreeSet::new();
        for (name, count) in [("train.jsonl", TRAIN), ("dev.jsonl", VAL)] {
            let text = fs::read_to_string(folder.path().join("pairs").join(name)).unwrap();
            let rows: Vec<serde_json::Value> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(rows.len(), count);
            for label in LABELS {
                assert_eq!(
                    rows.iter().filter(|row| row["gold_label"] == label).count(),
                    count / 3,
                    "{name}, {label}"
                );
            }
            assert!(
                rows.iter()
                    .all(|row| seen.insert((row["sentence1"].to_string(), row["sentence2"].to_string())))
            );
        }
    }

    #[test]
    fn the_hypothesis_alone_does_not_give_the_label_away() {
        // The best guess for each hypothesis that is met more than once.
        let pairs = pairs(TRAIN + VAL);
        let mut counts = std::collections::BTreeMap::<Scene, [usize; 3]>::new();
        for (premise, hypothesis) in &pairs {
            let label = LABELS.iter().position(|name| *name == label(*premise, *hypothesis)).unwrap();
            counts.entry(*hypothesis).or_default()[label] += 1;
        }
        let several = counts.values().filter(|counts| counts.iter().sum::<usize>() > 2);
        let (hits, all) = several.fold((0, 0), |(hits, all), counts| {
            (hits + counts.iter().max().unwrap(), all + counts.iter().sum::<usize>())
        });
        assert!((hits as f64) < 0.75 * all as f64, "{hits} of {all}");
    }
}
