//! Data sets: eight numbers and whether they are odd, each wrong in one way. None gives samples that there
//! are not: plugin-api refuses such an index before an author's code has it.

use std::marker::PhantomData;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ThreadId;

use thaw_plugin_api::prelude::*;

const COUNT: usize = 8;

static INSTANCES: AtomicUsize = AtomicUsize::new(0);

/// No keys.
#[derive(Config)]
pub struct NoKeys {}

/// What a data set may be wrong by.
pub struct Seen {
    reads: AtomicUsize,
    instance: usize,
    first_thread: OnceLock<ThreadId>,
}

/// What is wrong; all the rest is right.
pub trait Wrong: Send + Sync + 'static {
    const ID: &'static str;

    fn len(split: Split) -> Option<usize> {
        (split == Split::Train).then_some(COUNT)
    }

    fn class_names(_: &Seen) -> Vec<String> {
        vec!["even".to_owned(), "odd".to_owned()]
    }

    fn get(_: &Seen, index: usize) -> Result<Sample> {
        number(index)
    }

    fn target(_: usize) -> Option<Target> {
        None
    }

    fn identity(index: usize) -> String {
        index.to_string()
    }

    fn state(_: &Seen) -> Map<String, Value> {
        Map::new()
    }

    fn migrate_state(version: u32, _: Map<String, Value>) -> Result<Map<String, Value>> {
        Err(Error::new(format_args!("the state is of version {version}, expected 1")))
    }

    fn load_state(state: &Map<String, Value>) -> Result<()> {
        match state.keys().next() {
            Some(key) => Err(Error::new(format_args!("the state has `{key}`, expected nothing"))),
            None => Ok(()),
        }
    }
}

fn number(index: usize) -> Result<Sample> {
    ensure!(index < COUNT, "there is no sample {index}, only {COUNT}");
    Ok(Sample::array("x", Array::new([1], &[index as f32])?).class(index % 2))
}

/// The numbers, wrong by `W`.
pub struct Numbers<W> {
    seen: Seen,
    wrong: PhantomData<W>,
}

impl<W: Wrong> Dataset for Numbers<W> {
    const ID: &'static str = W::ID;
    type Config = NoKeys;

    fn new(_: NoKeys) -> Result<Self> {
        let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
        let seen = Seen { reads: AtomicUsize::new(0), instance, first_thread: OnceLock::new() };
        Ok(Self { seen, wrong: PhantomData })
    }

    fn form(&self) -> Form {
        Form::array("x", Dtype::F32, [1])
    }

    fn len(&self, split: Split) -> Option<usize> {
        W::len(split)
    }

    fn class_names(&self) -> Vec<String> {
        W::class_names(&self.seen)
    }

    fn get(&self, _: Split, index: usize) -> Result<Sample> {
        let sample = W::get(&self.seen, index);
        self.seen.reads.fetch_add(1, Ordering::Relaxed);
        sample
    }

    fn target(&self, _: Split, index: usize) -> Result<Option<Target>> {
        Ok(W::target(index))
    }

    fn identity(&self, _: Split, index: usize) -> String {
        W::identity(index)
    }

    fn state(&self) -> Result<Map<String, Value>> {
        Ok(W::state(&self.seen))
    }

    fn load_state(&mut self, state: Map<String, Value>) -> Result<()> {
        W::load_state(&state)
    }

    fn migrate_state(version: u32, state: Map<String, Value>) -> Result<Map<String, Value>> {
        W::migrate_state(version, state)
    }
}

macro_rules! wrong {
    ($($(#[$help:meta])* $name:ident, $id:literal { $($method:item)* })+) => {$(
        $(#[$help])*
        pub struct $name;

        impl Wrong for $name {
            const ID: &'static str = $id;
            $($method)*
        }
    )+};
}

wrong! {
    /// Samples to test with, and none to train on.
    HasNoTraining, "has-no-training" {
        fn len(split: Split) -> Option<usize> {
            (split == Split::Test).then_some(COUNT)
        }
    }

    NamesAClassTwice, "names-a-class-twice" {
        fn class_names(_: &Seen) -> Vec<String> {
            ["even", "odd", "even"].map(str::to_owned).to_vec()
        }
    }

    /// Finds its classes as it reads.
    FindsClasses, "finds-classes" {
        fn class_names(seen: &Seen) -> Vec<String> {
            let names = ["even", "odd"].map(str::to_owned);
            names[..seen.reads.load(Ordering::Relaxed).min(2)].to_vec()
        }
    }

    GivesAnotherForm, "gives-another-form" {
        fn get(_: &Seen, index: usize) -> Result<Sample> {
            ensure!(index < COUNT, "there is no sample {index}");
            let length = if index == 5 { 2 } else { 1 };
            Ok(Sample::array("x", Array::new([length], &vec![0.0_f32; length])?).class(0))
        }
    }

    GivesAnUnknownClass, "gives-an-unknown-class" {
        fn get(_: &Seen, index: usize) -> Result<Sample> {
            Ok(number(index)?.class(index))
        }
    }

    DrawsAsItGoes, "draws-as-it-goes" {
        fn get(seen: &Seen, index: usize) -> Result<Sample> {
            number((index + seen.reads.load(Ordering::Relaxed)) % COUNT)
        }
    }

    DiffersByInstance, "differs-by-instance" {
        fn get(seen: &Seen, index: usize) -> Result<Sample> {
            number((index + seen.instance) % COUNT)
        }
    }

    /// A reader that only the thread that read first has.
    ReadsOnOneThread, "reads-on-one-thread" {
        fn get(seen: &Seen, index: usize) -> Result<Sample> {
            let own = std::thread::current().id();
            number(if *seen.first_thread.get_or_init(|| own) == own { index } else { 0 })
        }
    }

    TellsAnotherTarget, "tells-another-target" {
        fn target(index: usize) -> Option<Target> {
            Some(Target::Class(usize::from(index == 3)))
        }
    }

    SharesAnIdentity, "shares-an-identity" {
        fn identity(index: usize) -> String {
            (index % 4).to_string()
        }
    }

    SavesWhatWasRead, "saves-what-was-read" {
        fn state(seen: &Seen) -> Map<String, Value> {
            [("reads".to_owned(), seen.reads.load(Ordering::Relaxed).into())].into_iter().collect()
        }

        fn load_state(_: &Map<String, Value>) -> Result<()> {
            Ok(())
        }
    }

    TakesAnything, "takes-anything" {
        fn migrate_state(_: u32, state: Map<String, Value>) -> Result<Map<String, Value>> {
            Ok(state)
        }

        fn load_state(_: &Map<String, Value>) -> Result<()> {
            Ok(())
        }
    }
}
