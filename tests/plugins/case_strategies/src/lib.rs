//! The strategies of reference cases, written as an author writes them, and callbacks that record for the
//! tests what a run directory does not hold.

mod average;
mod careless;
mod checkpoint;
mod command;
mod functions;
mod outcomes;
mod rank;
mod record;
mod spoil;
mod stop;
mod strategies;
mod wait;

use average::CaseAverage;
use careless::{ForgetsTheGroup, Meddler};
use checkpoint::CaseCheckpoint;
use command::CaseCommand;
use functions::CaseFunctions;
use outcomes::CaseOutcomes;
use rank::CaseRank;
use record::{CaseHooks, CaseMetric, CaseRecorder};
use spoil::CaseSpoil;
use stop::CaseStop;
use strategies::{AddGroup, LastChildrenFinetuning, LayerEachEpoch, MilestonesFinetuning};
use thaw_plugin_api::prelude::*;
use wait::CaseWait;

export_plugin!(
    strategies: [LayerEachEpoch, LastChildrenFinetuning, MilestonesFinetuning, AddGroup, ForgetsTheGroup],
    callbacks: [CaseAverage, CaseCheckpoint, CaseCommand, CaseFunctions, CaseMetric, CaseRecorder, CaseHooks,
        CaseOutcomes, CaseRank, CaseSpoil, CaseStop, CaseWait, Meddler]
);
