//! Data sets in an ordinary test, through the boundary that the host uses.

use serde_json::Value;

use crate::abi::{BoxedDataset, create_dataset, split_number};
use crate::config::parse;
use crate::dataset::{Dataset, Description, Sample, Split, Target};
use crate::error::Result;
use crate::{bail, ensure};

/// Samples of a split that are looked at.
const LOOKED_AT: usize = 32;

/// Opens a data set as the host does, for a test of single samples.
///
/// # Errors
/// The configuration does not fit, or the data set does not open.
pub fn open_dataset<D: Dataset>(config: Value) -> Result<D> {
    D::new(parse(&config.to_string())?)
}

/// Reads some samples of each split and checks what the host relies on: that the same index gives the same
/// sample, that samples are of the declared form and targets among the classes, that an index out of range
/// is an error, and that a state loads again.
///
/// # Errors
/// What does not hold, with the split and the index.
pub fn assert_dataset<D: Dataset>(config: Value) -> Result<()> {
    let open = || create_dataset::<D>(config.to_string().as_str().into()).into_result();
    let (first, mut second) = (open()?, open()?);
    let description = describe(&first)?;
    ensure!(description.len(Split::Train).unwrap_or(0) > 0, "there are no train samples");
    let state = first.state().into_result()?;
    second.load_state(state.as_str().into()).into_result()?;
    ensure!(second.state().into_result()? == state, "the state is another one after it was loaded");
    for &(split, len) in &description.splits {
        for index in 0..len.min(LOOKED_AT) {
            let sample = get(&first, split, index).map_err(|error| at(split, index, error))?;
            check(&description, &first, split, index, &sample).map_err(|error| at(split, index, error))?;
            for dataset in [&first, &second] {
                ensure!(
                    get(dataset, split, index)? == sample,
                    "{split} sample {index} is another one when it is read again"
                );
            }
        }
        ensure!(get(&first, split, len).is_err(), "there is a {split} sample {len}, of {len}");
    }
    Ok(())
}

fn at(split: Split, index: usize, error: crate::Error) -> crate::Error {
    error.context(format_args!("{split} sample {index}"))
}

fn describe(dataset: &BoxedDataset) -> Result<Description> {
    Ok(serde_json::from_str(&dataset.describe().into_result()?)?)
}

fn get(dataset: &BoxedDataset, split: Split, index: usize) -> Result<Sample> {
    Sample::try_from(dataset.get(split_number(split), index as u64).into_result()?)
}

fn check(
    description: &Description,
    dataset: &BoxedDataset,
    split: Split,
    index: usize,
    sample: &Sample,
) -> Result<()> {
    description.form.check(&sample.input)?;
    let classes = &description.class_names;
    match &sample.target {
        Some(Target::Class(class)) if *class >= classes.len() => {
            bail!("found class {class}, expected one of {}", classes.len())
        }
        Some(Target::Label(name)) if !classes.contains(name) => {
            bail!("found class `{name}`, expected one of {}", classes.join(", "))
        }
        _ => {}
    }
    let alone = dataset.target(split_number(split), index as u64).into_result()?;
    if let Some(alone) = alone.into_option().map(Target::try_from).transpose()? {
        let found = sample.target.as_ref().and_then(|target| place(target, classes));
        ensure!(
            Some(&alone) == sample.target.as_ref() || place(&alone, classes) == found && found.is_some(),
            "`target` gives {alone:?}, the sample has {:?}",
            sample.target
        );
    }
    Ok(())
}

/// The index of a class, by whatever it is called.
fn place(target: &Target, classes: &[String]) -> Option<usize> {
    match target {
        Target::Class(class) => Some(*class),
        Target::Label(name) => classes.iter().position(|known| known == name),
        Target::Value(_) | Target::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;
    use crate::prelude::*;

    /// What is wrong with the data set.
    #[derive(Clone, Config, Debug, PartialEq)]
    #[config(crate = crate)]
    enum Fault {
        /// Nothing.
        Sound,
        /// Other samples each time.
        Counts,
        /// A class too many.
        Class,
        /// Another shape than it says.
        Shape,
        /// A panic at the second sample.
        Panics,
    }

    #[derive(Config)]
    #[config(crate = crate)]
    struct FaultyConfig {
        /// The fault.
        fault: Fault,
    }

    struct Faulty {
        fault: Fault,
        read: AtomicUsize,
    }

    impl Dataset for Faulty {
        const ID: &'static str = "faulty";
        type Config = FaultyConfig;

        fn new(config: FaultyConfig) -> Result<Self> {
            Ok(Self { fault: config.fault, read: AtomicUsize::new(0) })
        }

        fn form(&self) -> Form {
            Form::array("x", Dtype::F32, [1])
        }

        fn class_names(&self) -> Vec<String> {
            vec!["a".into(), "b".into()]
        }

        fn len(&self, split: Split) -> Option<usize> {
            (split == Split::Train).then_some(3)
        }

        fn get(&self, _: Split, index: usize) -> Result<Sample> {
            assert!(self.fault != Fault::Panics || index != 1, "no second one");
            let read = self.read.fetch_add(1, Ordering::Relaxed);
            let x = if self.fault == Fault::Counts { read } else { index } as f32;
            let array = match self.fault {
                Fault::Shape => Array::new([2], &[x, x])?,
                _ => Array::new([1], &[x])?,
            };
            Ok(Sample::array("x", array).class(if self.fault == Fault::Class { index } else { index % 2 }))
        }
    }

    fn outcome(fault: &Fault) -> Result<()> {
        assert_dataset::<Faulty>(json!({ "fault": fault.to_value() }))
    }

    #[test]
    fn each_fault_is_found_and_named_with_its_sample() {
        outcome(&Fault::Sound).unwrap();
        for (fault, words) in [
            (Fault::Counts, "train sample 0 is another one"),
            (Fault::Class, "train sample 2: found class 2, expected one of 2"),
            (Fault::Shape, "train sample 0: found `x` of float32 [2], expected float32 [1]"),
            (Fault::Panics, "train sample 1: panicked: no second one"),
        ] {
            let error = outcome(&fault).unwrap_err().to_string();
            assert!(error.contains(words), "{fault:?}: {error}");
        }
    }

    #[test]
    fn a_key_that_there_is_not_is_refused() {
        let error = open_dataset::<Faulty>(json!({ "fault": "sound", "falt": 1 })).err().unwrap();
        assert!(error.to_string().contains("`falt`"), "{error}");
    }
}
