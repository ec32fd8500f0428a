//! `torture [--minutes N] [--seed S] [--round R] [NAME…]`: what the program must survive, at random places.
//!
//! Attacks end a run at any moment, let system calls fail, damage checkpoints, and mutate every kind of file
//! that the program reads. The real program with real plugins has to come through: a run goes on to the same
//! bytes as one that nobody disturbed, or refuses with an error; never a panic, a signal, a hang, a pickle
//! that runs, or an exit code that is not documented.
//!
//! A seed and the number of a round give the same round again, but for the moment of a kill. What a round
//! that failed left is kept in `target/torture/NAME-SEED-ROUND`.

mod attack;
mod checkpoints;
mod command;
mod failing_calls;
mod kills;
mod mutate;
mod readers;
mod scene;
mod session;
mod strace;

use std::process::ExitCode;
use std::time::Duration;

use attack::Attack;
use clap::Parser;
use clap::builder::PossibleValuesParser;
use session::{Report, Session};

/// Every attack.
const ATTACKS: [&dyn Attack; 17] = [
    &kills::AtAnyMoment,
    &kills::AtACall,
    &failing_calls::FailingCalls,
    &checkpoints::DamagedCheckpoint,
    &readers::weights::Weights,
    &readers::tables::Tables,
    &readers::tensors::Tensors,
    &readers::pictures::Pictures,
    &readers::configs::Configs,
    &readers::states::States,
    &readers::data::Data,
    &readers::modules::Modules,
    &readers::inputs::Inputs,
    &readers::hub::Hub,
    &readers::left::Records,
    &readers::left::KeptFeatures,
    &readers::left::Letters,
];

/// Kills, failing system calls, damaged checkpoints and mutated files, on the real program.
#[derive(Parser)]
#[command(name = "cargo xtask torture")]
struct Args {
    /// Minutes after which no round is begun
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Which rounds: the same again, or others
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// This round alone
    #[arg(long)]
    round: Option<u64>,
    /// Which attacks [default: all]
    #[arg(value_parser = PossibleValuesParser::new(ATTACKS.map(|attack| attack.name())))]
    names: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let wanted =
        |attack: &&dyn Attack| args.names.is_empty() || args.names.iter().any(|name| name == attack.name());
    let mut attacks: Vec<&dyn Attack> = ATTACKS.into_iter().filter(wanted).collect();
    for attack in &attacks {
        if let Some(reason) = attack.missing() {
            println!("skipped  {:<20} {reason}", attack.name());
        }
    }
    attacks.retain(|attack| attack.missing().is_none());
    let time = Duration::try_from_secs_f64(args.minutes * 60.0).unwrap_or(Duration::MAX);
    let report: Report = match args.round {
        Some(round) => Session::new(args.seed, attacks).one(round),
        None => Session::new(args.seed, attacks).run(time),
    };
    print!("{report}");
    if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
