//! `host export`.

mod hub;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use tch::{Kind, Tensor};

use super::Options;
use super::outputs::Inputs;
use super::run_plugins::{self, Needs};
use crate::Error;
use crate::cli::print;
use thaw_train::checkpoint::{BEST, Checkpoint, locate};
use thaw_train::fit::name_files;
use thaw_train::parts::in_layout;
use thaw_weights::{HYPER_PARAMETERS, WeightsError, WriteOptions, read, write_safetensors};

/// Arguments of `host export`.
#[derive(Args)]
pub struct ExportArgs {
    /// A checkpoint, or a run directory for its best one (its last where none is the best).
    #[arg(long, value_name = "CHECKPOINT|RUN_DIR")]
    checkpoint: PathBuf,
    /// The file to write.
    #[arg(
        long,
        value_name = "FILE.safetensors",
        value_parser = safetensors,
        required_unless_present = "hf"
    )]
    output: Option<PathBuf>,
    /// Writes a directory instead that transformers' from_pretrained loads: config.json, weights, tokenizer
    /// or preparation of pictures. For models built from a config.json. Needs the model's plugin.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["output", "module", "keep_prefix", "layout"]
    )]
    hf: Option<PathBuf>,
    /// Writes this module alone, such as backbone; names lose its path.
    #[arg(long, value_name = "PATH")]
    module: Option<String>,
    /// Keeps the module's path in the names.
    #[arg(long, requires = "module")]
    keep_prefix: bool,
    /// Writes under the names of another layout of the model, such as original for torchvision's names or
    /// sequence-classification for transformers'. Needs the model's plugin.
    #[arg(long, value_name = "LAYOUT", conflicts_with_all = ["module", "keep_prefix"])]
    layout: Option<String>,
    /// Number format of floating-point tensors. Default: each its own.
    #[arg(long)]
    dtype: Option<Dtype>,
}

/// Number formats of an export.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dtype {
    /// float16.
    Fp16,
    /// bfloat16.
    Bf16,
    /// float32.
    Fp32,
}

impl From<Dtype> for Kind {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::Fp16 => Self::Half,
            Dtype::Bf16 => Self::BFloat16,
            Dtype::Fp32 => Self::Float,
        }
    }
}

/// A file name that says what is written.
fn safetensors(name: &str) -> Result<PathBuf, &'static str> {
    if name.ends_with(".safetensors") {
        Ok(name.into())
    } else {
        Err("expected a file that ends in .safetensors; PyTorch reads it with safetensors.torch.load_file, \
             and torch.save(load_file(…), \"model.pth\") makes a .pth of it")
    }
}

/// Writes a checkpoint's weights and buffers under PyTorch's names. No plugin is needed for it, unless they
/// are to have the names of another layout.
///
/// # Errors
/// No checkpoint, a module that is not in it, a file that cannot be written.
pub fn run(options: &Options, args: ExportArgs) -> Result<(), Error> {
    thaw_torch::init()?;
    let checkpoint = Checkpoint::open(&locate(&args.checkpoint, BEST)?)?;
    let kind = args.dtype.map(Kind::from);
    if let Some(folder) = &args.hf {
        return hub::write(options, &checkpoint, folder, kind, tensors_of(&checkpoint)?);
    }
    let output = args.output.unwrap_or_default();
    Inputs::default().checkpoint(&checkpoint).refuse("--output", &output)?;
    let tensors = tensors_of(&checkpoint)?;
    let tensors = match &args.layout {
        Some(layout) => renamed(options, &checkpoint, layout, tensors)?,
        None => tensors,
    };
    let saved = &checkpoint.state;
    let hyper_parameters = json!({ "model": saved.given.model, "class_names": saved.given.class_names });
    let metadata = BTreeMap::from([(HYPER_PARAMETERS.to_owned(), hyper_parameters.to_string())]);
    let write = WriteOptions { kind, module: args.module, keep_prefix: args.keep_prefix };
    let written = write_safetensors(&output, &tensors, &metadata, &write)?;
    if options.quiet {
        return Ok(());
    }
    print(format_args!(
        "{}: {} tensors, {} bytes, SHA-256 {}",
        output.display(),
        written.tensors,
        written.bytes,
        written.sha256
    ))
}

fn tensors_of(checkpoint: &Checkpoint) -> Result<Vec<(String, Tensor)>, WeightsError> {
    let file = read(checkpoint.model_file())?;
    file.entries().iter().map(|entry| Ok((entry.name().to_owned(), entry.tensor()?))).collect()
}

fn renamed(
    options: &Options,
    checkpoint: &Checkpoint,
    layout: &str,
    tensors: Vec<(String, Tensor)>,
) -> Result<Vec<(String, Tensor)>, Error> {
    let mut config = checkpoint.config(&[])?;
    let plugins = run_plugins::load(options, &config, Some(checkpoint), Needs::Model)?;
    name_files(&mut config, &plugins);
    Ok(in_layout(&plugins, &config.model, layout, tensors)?)
}
