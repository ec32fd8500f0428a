//! Data sets: that the same index is always the same sample, on whichever thread, and that samples are what
//! the data set says of them.

use std::collections::BTreeSet;

use thaw_plugin_api::abi::{BoxedDataset, RawSample, contain, split_number};
use thaw_plugin_api::dataset::{Description, Form, Input, Picture, Sample, Split, Target};
use thaw_plugin_api::{Error, Result};

use super::{Body, Check, Outcome, Subject, Verdict};
use thaw_data::picture_size;

mod reading;
mod state;

pub(super) const CHECKS: &[Check] = &[
    Check::new(
        "dataset-described",
        "there is a train split with samples, names of classes are there once, and all of it stays as it is",
        Body::Dataset(described),
    )
    .after("builds"),
    Check::new(
        "samples-sound",
        "samples are of the declared form, and their targets are among the classes",
        Body::Dataset(sound),
    )
    .after("dataset-described"),
    Check::new(
        "samples-repeat",
        "the same index gives the same sample, again and in another instance",
        Body::Dataset(reading::repeat),
    )
    .after("dataset-described"),
    Check::new(
        "samples-on-threads",
        "many threads at once get the samples that one gets",
        Body::Dataset(reading::on_threads),
    )
    .after("samples-repeat"),
    Check::new(
        "targets-agree",
        "a target that is known without its sample is the sample's",
        Body::Dataset(targets_agree),
    )
    .after("dataset-described"),
    Check::new(
        "identities-unique",
        "no two samples of a split have the same identity",
        Body::Dataset(identities),
    )
    .after("dataset-described"),
    Check::new(
        "index-out-of-range",
        "an index that there is not is an error, and the data set goes on",
        Body::Dataset(reading::out_of_range),
    )
    .after("samples-repeat"),
    Check::new(
        "dataset-state",
        "state loaded into a new instance is saved again byte for byte, and gives the same samples",
        Body::Dataset(state::round_trip),
    )
    .after("samples-repeat"),
    Check::new(
        "dataset-state-refused",
        "what is no state is refused with a reason, and the data set goes on",
        Body::Dataset(state::refused),
    )
    .after("samples-repeat"),
];

/// Samples of a split that are looked at, spread over it.
const LOOKED_AT: usize = 64;
/// Identities of a split that are compared.
const IDENTITIES: usize = 10_000;

/// An open data set, as the plugin gives it.
struct Opened {
    raw: BoxedDataset,
    description: Description,
}

impl Opened {
    fn of(subject: &Subject) -> std::result::Result<Self, Outcome> {
        let made = subject.create_dataset(subject.config()).and_then(Self::new);
        made.map_err(|error| Outcome::skipped(format!("it cannot be opened: {error}")))
    }

    fn new(raw: BoxedDataset) -> Result<Self> {
        let description = describe(&raw)?;
        Ok(Self { raw, description })
    }

    fn get(&self, split: Split, index: usize) -> Result<Sample> {
        let raw: RawSample =
            contain(|| Ok(self.raw.get(split_number(split), index as u64).into_result()?))?;
        Sample::try_from(raw)
    }

    fn target(&self, split: Split, index: usize) -> Result<Option<Target>> {
        let number = split_number(split);
        let raw = contain(|| Ok(self.raw.target(number, index as u64).into_result()?))?;
        raw.into_option().map(Target::try_from).transpose()
    }

    fn identity(&self, split: Split, index: usize) -> Result<String> {
        let number = split_number(split);
        contain(|| Ok(self.raw.identity(number, index as u64).into_result()?.into_string()))
    }

    /// Splits with the indices to look at: all of few, of many some that are spread evenly, the last among
    /// them.
    fn places(&self) -> Vec<(Split, usize)> {
        let of_split = |&(split, len): &(Split, usize)| {
            let count = len.min(LOOKED_AT);
            let at = move |place: usize| place as u128 * (len - 1) as u128 / (count.max(2) - 1) as u128;
            (0..count).map(move |place| (split, at(place) as usize))
        };
        self.description.splits.iter().filter(|(_, len)| *len > 0).flat_map(of_split).collect()
    }

    /// How many samples `places` names, for the notes of checks.
    fn note(&self) -> String {
        let all: usize = self.description.splits.iter().map(|(_, len)| len).sum();
        let looked_at = self.places().len();
        if looked_at == all { String::new() } else { format!("{looked_at} of {all} samples") }
    }
}

fn describe(raw: &BoxedDataset) -> Result<Description> {
    let text = contain(|| Ok(raw.describe().into_result()?))?;
    Ok(serde_json::from_str(&text)?)
}

/// Reads so many samples, from the first one on, over and over.
pub(super) fn exercise(subject: &Subject, samples: usize) -> std::result::Result<(), Outcome> {
    let opened = Opened::of(subject)?;
    for (split, index) in opened.places().iter().cycle().take(samples) {
        opened.get(*split, *index).map_err(|error| Outcome::skipped(format!("{split} {index}: {error}")))?;
    }
    Ok(())
}

/// Errors of a data set, for the check that reads them: what was asked, and the answer.
pub(super) fn errors(subject: &Subject) -> std::result::Result<Vec<(String, Error)>, Outcome> {
    state::errors(subject)
}

fn described(subject: &mut Subject) -> Verdict {
    let opened = Opened::of(subject)?;
    let description = &opened.description;
    if description.len(Split::Train).unwrap_or(0) == 0 {
        let found = format!("splits {:?}", description.splits);
        let hint = "`len` gives the number of samples of `Split::Train`; a run trains on it";
        return Err(Outcome::failed(found, "a train split with samples", hint));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = description.class_names.iter().find(|name| !seen.insert(name.as_str())) {
        let found = format!("class `{twice}` twice");
        return Err(Outcome::failed(found, "each class once", "give the names of `class_names` once each"));
    }
    if let Form::Arrays(arrays) = &description.form
        && arrays.is_empty()
    {
        return Err(Outcome::failed("no arrays", "at least one", "name the arrays of a sample in `form`"));
    }
    for (split, index) in opened.places() {
        let _ = opened.get(split, index);
    }
    let again = describe(&opened.raw).map_err(|error| Outcome::skipped(error.to_string()))?;
    let json = |description: &Description| serde_json::to_string(description).unwrap_or_default();
    if json(&again) != json(description) {
        let hint = "`form`, `len` and `class_names` may not depend on what was read: settle them in `new`";
        return Err(Outcome::failed(json(&again), json(description), hint));
    }
    Ok(Outcome::passed())
}

fn sound(subject: &mut Subject) -> Verdict {
    let opened = Opened::of(subject)?;
    let mut kinds = BTreeSet::new();
    let classes = &opened.description.class_names;
    for (split, index) in opened.places() {
        subject.job().doing(&format!("reading {split} sample {index}"));
        let wrong = |found: String, expected: &str, hint: &str| {
            Err(Outcome::failed(format!("{split} sample {index}: {found}"), expected, hint))
        };
        let sample = match opened.get(split, index) {
            Ok(sample) => sample,
            Err(error) => {
                return wrong(error.to_string(), "a sample", "`get` has to give every index below `len`");
            }
        };
        if let Err(error) = opened.description.form.check(&sample.input) {
            return wrong(
                error.to_string(),
                "samples of the declared form",
                "`form` says what every sample is",
            );
        }
        if let Input::Picture(picture) = &sample.input
            && let Err(found) = size_of(picture)
        {
            return wrong(
                found,
                "a picture that can be decoded",
                "give the bytes of a picture file as they are",
            );
        }
        kinds.insert(kind(sample.target.as_ref()));
        let expected = format!("one of {} classes", classes.len());
        let hint = "targets are indices into `class_names`, or names among them";
        match &sample.target {
            Some(Target::Class(class)) if *class >= classes.len() => {
                return wrong(format!("class {class}"), &expected, hint);
            }
            Some(Target::Label(name)) if !classes.contains(name) => {
                return wrong(format!("class `{name}`"), &expected, hint);
            }
            Some(Target::Value(value)) if !value.is_finite() => {
                return wrong(
                    format!("the value {value}"),
                    "a number",
                    "targets are learned from as they are",
                );
            }
            _ => {}
        }
    }
    if kinds.len() > 1 {
        let found = kinds.into_iter().collect::<Vec<_>>().join(", and ");
        return Err(Outcome::failed(
            found,
            "targets of one kind",
            "give every sample the same kind of target",
        ));
    }
    Ok(Outcome::noted(opened.note()))
}

fn kind(target: Option<&Target>) -> &'static str {
    match target {
        None => "no target",
        Some(Target::Class(_) | Target::Label(_)) => "a class",
        Some(Target::Value(_)) => "a number",
        Some(Target::Array(_)) => "an array",
    }
}

fn size_of(picture: &Picture) -> std::result::Result<(), String> {
    match picture {
        Picture::Encoded(file) => picture_size(file).map(drop),
        Picture::Pixels { width, height, channels, levels } => {
            let expected = *width as usize * *height as usize * usize::from(*channels);
            if expected > 0 && levels.len() == expected && [1, 3].contains(channels) {
                return Ok(());
            }
            Err(format!("{} levels of {width} x {height} pixels of {channels} channels", levels.len()))
        }
    }
}

fn targets_agree(subject: &mut Subject) -> Verdict {
    let opened = Opened::of(subject)?;
    let mut known = 0;
    for (split, index) in opened.places() {
        let both =
            opened.target(split, index).and_then(|alone| Ok((alone, opened.get(split, index)?.target)));
        let (alone, of_sample) =
            both.map_err(|error| Outcome::skipped(format!("{split} {index}: {error}")))?;
        let Some(alone) = alone else { continue };
        known += 1;
        let same = of_sample.as_ref().is_some_and(|target| class(target, &opened) == class(&alone, &opened));
        if !same {
            let found = format!("{split} sample {index}: `target` gives {alone:?}, `get` {of_sample:?}");
            let hint = "`target` is the target of the same sample, or `None` where it is not known alone";
            return Err(Outcome::failed(found, "the same target", hint));
        }
    }
    Ok(match known {
        0 => Outcome::noted("targets come with their samples"),
        _ => Outcome::noted(opened.note()),
    })
}

/// A target in which a class is a class, by whatever it is called.
fn class(target: &Target, opened: &Opened) -> Target {
    match target {
        Target::Label(name) => {
            let index = opened.description.class_names.iter().position(|known| known == name);
            index.map_or_else(|| target.clone(), Target::Class)
        }
        other => other.clone(),
    }
}

fn identities(subject: &mut Subject) -> Verdict {
    let opened = Opened::of(subject)?;
    for &(split, len) in &opened.description.splits {
        let mut seen = BTreeSet::new();
        for index in 0..len.min(IDENTITIES) {
            let identity = opened.identity(split, index).map_err(|error| {
                Outcome::failed(error.to_string(), "an identity", "`identity` may not fail")
            })?;
            if !seen.insert(identity.clone()) {
                let found = format!("{split} sample {index} is `{identity}`, and so is one before it");
                let hint =
                    "take a relative path, a key or a number; `val_split` would take both for one sample";
                return Err(Outcome::warning(found, "an identity of its own for each sample", hint));
            }
        }
    }
    Ok(Outcome::passed())
}
