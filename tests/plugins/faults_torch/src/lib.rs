//! Models and callbacks, each wrong in one way, for the checks that find it. The id says what is wrong.

mod callbacks;
mod models;

use callbacks::{ForgetsItsAverage, LeavesGradOff, WritesToFrozen};
use models::{
    CountsModels, CutsTheGraph, DrawsAnySeed, DropsInEvaluation, FixesTheBatch, ForwardOfItsOwn,
    GivesDoubles, HidesAWeight, KeepsEveryOutput, LosesInBf16, NamesNoModule, PanicsOnShapes, SharesAWeight,
    TracksWhileFrozen,
};
use thaw_plugin_api::export_plugin;

export_plugin!(
    callbacks: [ForgetsItsAverage, LeavesGradOff, WritesToFrozen],
    models: [
        CountsModels, CutsTheGraph, DrawsAnySeed, DropsInEvaluation, FixesTheBatch, ForwardOfItsOwn,
        GivesDoubles, HidesAWeight,
        KeepsEveryOutput, LosesInBf16, NamesNoModule, PanicsOnShapes, SharesAWeight, TracksWhileFrozen,
    ],
);
