//! Which of a file's names are the model's: the part of it that fits best, and what trainers put around
//! names.
//!
//! A file may hold a state dict under a key, another one with averaged weights, and in each all names below
//! the attribute that holds the network. The part is the path that all names of the model have in common
//! there. A part under the usual names is taken, and said; any other is only proposed, unless every name of
//! the file lies in it.

use std::collections::BTreeSet;

use crate::pickle::WRAPPERS;

/// Attributes that hold the network in common training code, the usual ones first.
const ATTRIBUTES: [&str; 10] = [
    "module",
    "_orig_mod",
    "_forward_module",
    "model",
    "net",
    "network",
    "backbone",
    "encoder",
    "trunk",
    "feature_extractor",
];

/// Parts of paths that wrappers of modules put anywhere into a name: data-parallel, compiled, sharded and
/// checkpointed modules.
const WRAPPING: [&str; 5] =
    ["module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];

/// Paths are looked at down to this depth.
const DEPTH: usize = 6;

/// The part of a file that was chosen for a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// What the names of the part begin with, its last dot included; empty for the whole file.
    pub prefix: String,
    /// Other parts that fit as well.
    pub others: Vec<String>,
    /// A part that would fit better, but is none of the usual ones.
    pub proposed: Option<Proposal>,
}

/// A part that is for the user to choose.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// As [`Part::prefix`].
    pub prefix: String,
    /// How many tensors of the model it has.
    pub fits: usize,
}

/// A path with what it has of the model.
struct Candidate<'n> {
    prefix: &'n str,
    fits: usize,
    /// Whether every name of the file begins with it.
    covers: bool,
}

impl Part {
    /// The part of `names` that has most of the model. `fits` says how many tensors of the model the names of
    /// a part are, given its prefix and them. `usual` is the prefix that is taken unless another one is
    /// better.
    pub(super) fn choose<'n>(
        names: impl IntoIterator<Item = &'n str>,
        usual: &'n str,
        fits: impl Fn(&str, &[&str]) -> usize,
    ) -> Self {
        let mut sorted: Vec<&str> = names.into_iter().collect();
        sorted.sort_unstable();
        let rate = |prefix: &'n str| Candidate::rate(prefix, &sorted, &fits);
        let candidates: Vec<Candidate> = prefixes(&sorted).into_iter().map(rate).collect();
        let now = rate(usual).fits;
        let most = candidates.iter().map(|candidate| candidate.fits).max().unwrap_or(0).max(now);
        let best: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.fits == most).collect();
        let chosen = match best.iter().filter(|candidate| candidate.is_usual()).min_by_key(|best| best.rank())
        {
            _ if now == most => usual,
            Some(candidate) => candidate.prefix,
            None => usual,
        };
        let proposed = best
            .first()
            .filter(|_| rate(chosen).fits < most)
            .map(|candidate| Proposal { prefix: candidate.prefix.to_owned(), fits: candidate.fits });
        let apart = |one: &str, other: &str| !one.starts_with(other) && !other.starts_with(one);
        let mut others: Vec<String> = Vec::new();
        if most > 0 && proposed.is_none() {
            for candidate in &best {
                if apart(candidate.prefix, chosen)
                    && others.iter().all(|other| apart(candidate.prefix, other))
                {
                    others.push(candidate.prefix.to_owned());
                }
            }
        }
        Self { prefix: chosen.to_owned(), others, proposed }
    }
}

impl<'n> Candidate<'n> {
    fn rate(prefix: &'n str, sorted: &[&str], fits: impl Fn(&str, &[&str]) -> usize) -> Self {
        let below = &sorted[sorted.partition_point(|name| *name < prefix)..];
        let below = &below[..below.partition_point(|name| name.starts_with(prefix))];
        Self { prefix, fits: fits(prefix, below), covers: below.len() == sorted.len() }
    }

    /// Whether common training code has such a path.
    fn is_usual(&self) -> bool {
        self.covers || parts(self.prefix).all(|part| known(part).is_some())
    }

    /// The least is taken first: the usual keys in their order, then the shortest path.
    fn rank(&self) -> (Vec<usize>, &'n str) {
        (parts(self.prefix).map(|part| known(part).unwrap_or(usize::MAX)).collect(), self.prefix)
    }
}

fn parts(prefix: &str) -> impl Iterator<Item = &str> {
    prefix.split('.').filter(|part| !part.is_empty())
}

/// Where a key stands among the usual ones; averaged weights after all others.
fn known(part: &str) -> Option<usize> {
    let mut keys = WRAPPERS.iter().filter(|key| !ATTRIBUTES.contains(key)).chain(&ATTRIBUTES);
    let position = keys.position(|key| *key == part)?;
    let is_average = part.split('_').any(|word| word == "ema");
    Some(if is_average { position + WRAPPERS.len() + ATTRIBUTES.len() } else { position })
}

/// The module paths, each with its dot, that names begin with.
fn prefixes<'n>(names: &[&'n str]) -> BTreeSet<&'n str> {
    names.iter().flat_map(|name| name.match_indices('.').take(DEPTH).map(|(at, _)| &name[..=at])).collect()
}

/// A name without the parts that wrappers of modules put into it, and those; `None` if it has none.
pub(super) fn unwrapped(name: &str) -> Option<(String, BTreeSet<&str>)> {
    let (wrapping, kept): (Vec<&str>, Vec<&str>) = name.split('.').partition(|part| WRAPPING.contains(part));
    (!wrapping.is_empty()).then(|| (kept.join("."), wrapping.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of these names for a model of `a.weight` and `a.bias`.
    fn part(names: &[&str]) -> Part {
        let own = |prefix: &str, name: &str| ["a.weight", "a.bias"].contains(&&name[prefix.len()..]);
        let fits = |prefix: &str, below: &[&str]| below.iter().filter(|name| own(prefix, name)).count();
        Part::choose(names.iter().copied(), "", fits)
    }

    #[test]
    fn the_usual_wrappers_are_taken_off_in_any_nesting() {
        for prefix in ["module.", "state_dict.model.", "model_state.network.encoder.", "teacher.backbone."] {
            let names = [format!("{prefix}a.weight"), format!("{prefix}a.bias"), "loss.weight".to_owned()];
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            assert_eq!(part(&names), Part { prefix: prefix.to_owned(), ..Part::default() });
        }
    }

    #[test]
    fn of_parts_that_both_fit_the_trained_one_is_taken_and_the_other_told() {
        let names = ["model_ema.a.weight", "model_ema.a.bias", "network.a.weight", "network.a.bias"];
        assert_eq!(part(&names).prefix, "network.");
        assert_eq!(part(&names).others, ["model_ema."]);
        let names = ["student.a.weight", "student.a.bias", "teacher.a.weight", "teacher.a.bias"];
        assert_eq!(
            (part(&names).prefix.as_str(), &part(&names).others[..]),
            ("teacher.", &["student.".to_owned()][..])
        );
    }

    #[test]
    fn an_unusual_part_is_only_proposed_unless_it_is_the_whole_file() {
        let found = part(&["query.a.weight", "query.a.bias", "key.b.weight"]);
        assert_eq!(found.prefix, "");
        assert_eq!(found.proposed, Some(Proposal { prefix: "query.".to_owned(), fits: 2 }));
        assert_eq!(part(&["query.a.weight", "query.a.bias"]).prefix, "query.");
    }

    #[test]
    fn names_that_fit_as_they_are_stay() {
        let found = part(&["a.weight", "a.bias", "ema.a.weight", "ema.a.bias"]);
        assert_eq!(found.prefix, "");
    }

    #[test]
    fn wrappers_in_the_middle_of_a_name_are_left_out() {
        let (name, wrapping) = unwrapped("layer1._orig_mod.0.module.weight").expect("two wrappers");
        assert_eq!((name.as_str(), wrapping), ("layer1.0.weight", ["_orig_mod", "module"].into()));
        assert_eq!(unwrapped("layer1.0.weight"), None);
    }
}
