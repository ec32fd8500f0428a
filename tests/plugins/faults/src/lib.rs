//! Strategies, callbacks and data sets, each wrong in one way, for the checks that find it. The id says what
//! is wrong.

mod config;
mod dataset;
mod groups;
mod process;
mod run;
mod state;

use config::{DefaultDiffers, IgnoresRange, IgnoresUnknownKeys, PanicsOnConfig, WritesAnother};
use dataset::{
    DiffersByInstance, DrawsAsItGoes, FindsClasses, GivesAnUnknownClass, GivesAnotherForm, HasNoTraining,
    NamesAClassTwice, Numbers, ReadsOnOneThread, SavesWhatWasRead, SharesAnIdentity, TakesAnything,
    TellsAnotherTarget,
};
use groups::{InNoGroup, InTwoGroups, NeedsChildren};
use process::{Exits, Hangs, Leaks, LeavesThread, Prints};
use run::{
    BareError, CountsInstances, FailsLate, NeedsAllEpochs, NeedsAnEpoch, NeedsValidation, PanicsOnRefusal,
    SharesACounter, TakesAnyNumber,
};
use state::{ForgetsState, HalfTakesState, SavesAnother, TakesAnyState};
use thaw_plugin_api::export_plugin;

export_plugin!(
    strategies: [InNoGroup, InTwoGroups, NeedsChildren],
    callbacks: [
        BareError, CountsInstances, DefaultDiffers, Exits, FailsLate, ForgetsState, HalfTakesState, Hangs,
        IgnoresRange,
        IgnoresUnknownKeys, Leaks, LeavesThread, NeedsAllEpochs, NeedsAnEpoch, NeedsValidation,
        PanicsOnConfig, PanicsOnRefusal, Prints, SavesAnother,
        SharesACounter, TakesAnyNumber, TakesAnyState, WritesAnother,
    ],
    datasets: [
        Numbers<DiffersByInstance>, Numbers<DrawsAsItGoes>, Numbers<FindsClasses>,
        Numbers<GivesAnUnknownClass>, Numbers<GivesAnotherForm>, Numbers<HasNoTraining>,
        Numbers<NamesAClassTwice>, Numbers<ReadsOnOneThread>, Numbers<SavesWhatWasRead>,
        Numbers<SharesAnIdentity>, Numbers<TakesAnything>, Numbers<TellsAnotherTarget>,
    ],
);
