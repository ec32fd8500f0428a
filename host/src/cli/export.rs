//! `host export`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use tch::{Kind, Tensor};

use super::Options;
use crate::Error;
use crate::checkpoint::{BEST, Checkpoint, locate};
use crate::stdout::print;
use crate::weights::{HYPER_PARAMETERS, WeightsError, WriteOptions, read, write_safetensors};

/// Arguments of `host export`.
#[derive(Args)]
pub struct ExportArgs {
    /// A checkpoint, or a run directory for its best one (its last where none is the best).
    #[arg(long, value_name = "CHECKPOINT|RUN_DIR")]
    checkpoint: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE.safetensors", value_parser = safetensors)]
    output: PathBuf,
    /// Writes this module alone, such as backbone; names lose its path.
    #[arg(long, value_name = "PATH")]
    module: Option<String>,
    /// Keeps the module's path in the names.
    #[arg(long, requires = "module")]
    keep_prefix: bool,
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
        Err("expected a file that ends in .safetensors")
    }
}

/// Writes a checkpoint's weights and buffers under PyTorch's names. No plugin is needed for it.
///
/// # Errors
/// No checkpoint, a module that is not in it, a file that cannot be written.
pub fn run(options: &Options, args: ExportArgs) -> Result<(), Error> {
    crate::torch::init()?;
    let checkpoint = Checkpoint::open(&locate(&args.checkpoint, BEST)?)?;
    let file = read(checkpoint.model_file())?;
    let tensors = file.entries().iter().map(|entry| Ok((entry.name().to_owned(), entry.tensor()?)));
    let tensors: Vec<(String, Tensor)> = tensors.collect::<Result<_, WeightsError>>()?;
    let saved = &checkpoint.state;
    let hyper_parameters = json!({ "model": saved.model, "class_names": saved.class_names });
    let metadata = BTreeMap::from([(HYPER_PARAMETERS.to_owned(), hyper_parameters.to_string())]);
    let write =
        WriteOptions { kind: args.dtype.map(Kind::from), module: args.module, keep_prefix: args.keep_prefix };
    let written = write_safetensors(&args.output, &tensors, &metadata, &write)?;
    if options.quiet {
        return Ok(());
    }
    print(format_args!(
        "{}: {} tensors, {} bytes, SHA-256 {}",
        args.output.display(),
        written.tensors,
        written.bytes,
        written.sha256
    ))
}
