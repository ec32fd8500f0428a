//! `host predict`.

use std::path::PathBuf;

use clap::Args;
use thaw_plugin_api::context::Stage;

use super::Options;
use super::outputs::Inputs;
use super::split::SplitArgs;
use super::trained::TrainedArgs;
use crate::Error;
use crate::predict::{Attentions, Format, InputOrder, PredictionFile, Predictions};
use crate::width::print_wrapped;
use thaw_data::PredictData;
use thaw_train::config::RunConfig;
use thaw_train::fit::input_defaults;
use thaw_train::inference::{PredictOptions, UsedOn};

/// Arguments of `host predict`.
#[derive(Args)]
pub struct PredictArgs {
    /// The run config; without it the checkpoint's own.
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    trained: TrainedArgs,
    /// What to predict on, of the kind that the run trained on: a picture, a folder, a table, a tensor file.
    #[arg(long, value_name = "PATH")]
    input: Option<PathBuf>,
    #[command(flatten)]
    split: SplitArgs,
    /// Where the predictions go: .csv or .jsonl.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Writes the probability of every class.
    #[arg(long)]
    all: bool,
    /// Above which probability a label is predicted, of a model whose samples have several; 0.5 by default.
    #[arg(long, value_name = "P", value_parser = threshold)]
    threshold: Option<f32>,
    /// Writes a further output of the model under its name, such as attentions.
    #[arg(long, value_name = "NAME")]
    outputs: Vec<String>,
    /// Writes every layer's attention weights: `attentions.0`, …, each [samples, heads, tokens, tokens]. Sets
    /// `output_attentions` of a model that has it.
    #[arg(long, value_name = "FILE.safetensors")]
    attentions: Option<PathBuf>,
    /// Stops after this many batches.
    #[arg(long, value_name = "N")]
    limit_batches: Option<usize>,
}

/// Predicts and writes a row per sample.
///
/// # Errors
/// What ended the prediction; the output file is then not there, or as it was.
pub fn run(options: &Options, mut args: PredictArgs) -> Result<(), Error> {
    Format::of(&args.output)?;
    if args.attentions.is_some() {
        args.trained.ask_for_attentions();
    }
    let mut trained = args.trained.open(options, args.config.as_deref(), Stage::Predict)?;
    let inference = &mut trained.inference;
    let config = inference.config();
    let input = args.split.used_on(inference, args.input.as_deref())?;
    let mut inputs = Inputs::default().checkpoint(&trained.checkpoint).config(config);
    if let Some(input) = &args.input {
        inputs = inputs.file(input);
    }
    inputs.refuse("--output", &args.output)?;
    if let Some(path) = &args.attentions {
        inputs.file(&args.output).refuse("--attentions", path)?;
    }
    let (data, defaults) = (inference.data_config()?, input_defaults(inference.model()));
    let (sample, data) = match input {
        UsedOn::Path(path) => {
            (if data.has_pictures() { "file" } else { "row" }, PredictData::open(data, path, &defaults)?)
        }
        UsedOn::Split(split, given) => {
            ("sample", PredictData::of_samples(&given.samples, split, &given.config, &defaults)?)
        }
    };
    let classes = trained.checkpoint.state.given.class_names.clone();
    let predictions = Predictions::new(inference.model().task(), classes, args.outputs);
    let predictions = of_labels(predictions, args.threshold, inference.config())?;
    let limits = PredictOptions { limit_batches: args.limit_batches };
    let mut attentions = args.attentions.as_deref().map(Attentions::create).transpose()?;
    let mut file = PredictionFile::create(&args.output, sample, args.all)?;
    let mut order = InputOrder::new(data.is_sequential());
    inference.predict(&data, limits, |batch| {
        if let Some(attentions) = &mut attentions {
            attentions.add(&batch)?;
        }
        for sample in order.add(predictions.samples(&batch)?) {
            file.write(data.id(sample.index), &sample, &predictions)?;
        }
        Ok::<_, Error>(())
    })?;
    for sample in order.rest() {
        file.write(data.id(sample.index), &sample, &predictions)?;
    }
    let rows = file.finish(&predictions)?;
    if let Some(attentions) = attentions {
        attentions.write()?;
    }
    if options.quiet {
        return Ok(());
    }
    let left_out = left_out(data.skipped().len());
    let predictions = if rows == 1 { "prediction" } else { "predictions" };
    Ok(print_wrapped(format_args!("{}: {rows} {predictions}{left_out}", args.output.display()), 4)?)
}

/// Predictions of several labels per sample, where the run's loss is of such.
fn of_labels(
    predictions: Predictions,
    threshold: Option<f32>,
    config: &RunConfig,
) -> Result<Predictions, Error> {
    match threshold {
        threshold if config.is_multi_label() => Ok(predictions.several_labels(threshold.unwrap_or(0.5))),
        None => Ok(predictions),
        Some(_) => {
            let reason =
                "--threshold is for models whose samples have several labels: the run's loss is not `bce`";
            Err(Error::Usage(reason.to_owned()))
        }
    }
}

fn left_out(pictures: usize) -> String {
    match pictures {
        0 => String::new(),
        1 => ", 1 picture left out".to_owned(),
        count => format!(", {count} pictures left out"),
    }
}

/// A probability that can be passed.
fn threshold(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number| (0.0..1.0).contains(number));
    number.ok_or_else(|| "expected a number of at least 0 and below 1".to_owned())
}
