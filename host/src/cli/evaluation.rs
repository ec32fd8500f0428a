//! What a validation or a test found, as text, as JSON, and sample by sample.

mod matrix;
mod samples;
mod shown;
mod uncertainty;
mod written;

use std::path::PathBuf;

use clap::Args;

use super::outputs::Inputs;
use super::print;
use super::trained::Trained;
use crate::Error;
use crate::predict::Format;
use crate::width::print_wrapped;
use shown::Shown;
use thaw_metrics::Metric;
use thaw_train::fit::Evaluation;
use uncertainty::Uncertainty;

/// What is told of a validation or a test.
#[derive(Args)]
pub struct EvaluationArgs {
    /// Gives 95% confidence intervals of loss and metrics, from so many resamples of the data; the seed is
    /// the run's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    bootstrap: Option<u32>,
    /// Writes a row for each sample, .csv or .jsonl: target, prediction, probability, loss.
    #[arg(long, value_name = "FILE")]
    per_sample: Option<PathBuf>,
    /// Where what was found is written, as JSON. Default: `evaluations/` of the checkpoint's run directory,
    /// under a new name; nowhere where the checkpoint lies in none.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Prints one JSON object, with all digits.
    #[arg(long)]
    json: bool,
}

/// What is evaluated.
pub struct Evaluated<'e> {
    /// `validate` or `test`.
    pub what: &'static str,
    /// What it is of: a path, a split.
    pub input: &'e str,
    /// Names of the classes.
    pub names: &'e [String],
}

impl EvaluationArgs {
    /// Has samples kept where they are asked for.
    ///
    /// # Errors
    /// A file that says no format, or is one of those that are read; samples with several labels.
    pub fn prepare(&self, trained: &mut Trained) -> Result<(), Error> {
        if let Some(path) = &self.per_sample {
            Format::of(path)?;
            let inputs = Inputs::default().checkpoint(&trained.checkpoint).config(trained.inference.config());
            inputs.refuse("--per-sample", path)?;
        }
        if let Some(path) = &self.output {
            let inputs = Inputs::default().checkpoint(&trained.checkpoint).config(trained.inference.config());
            inputs.refuse("--output", path)?;
            written::refuse_other(path)?;
        }
        if self.per_sample.is_some() || self.bootstrap.is_some() {
            if trained.inference.config().is_multi_label() {
                let reason = "--per-sample and --bootstrap are for samples with one label or with numbers: \
                              the run's loss is `bce`";
                return Err(Error::Usage(reason.to_owned()));
            }
            trained.inference.keep_samples();
        }
        Ok(())
    }

    /// Prints what was found, and writes it and the rows; `id` gives a sample's name.
    ///
    /// # Errors
    /// The answer or a file that was asked for is lost.
    pub fn tell(
        &self,
        trained: &Trained,
        evaluation: &Evaluation,
        evaluated: &Evaluated<'_>,
        id: impl Fn(usize) -> String,
    ) -> Result<(), Error> {
        let Evaluated { what, input, names } = *evaluated;
        if let (Some(path), Some(samples)) = (&self.per_sample, &evaluation.samples) {
            samples::write(path, samples, names, id)?;
        }
        let is_told = |name: &str| {
            let own = name.split_once('_').map_or(name, |(_, own)| own);
            evaluation.note.as_ref().is_some_and(|note| note.starts_with(&format!("`{own}` is NaN")))
        };
        let mut no_numbers =
            evaluation.metrics.means().filter(|(name, mean)| mean.is_nan() && !is_told(name));
        if let Some((name, _)) = no_numbers.next() {
            tracing::warn!(
                "`{name}` is NaN: inputs, targets or the model's weights have values that are no numbers, \
                 and other metrics count what came of them"
            );
        }
        if let Some(note) = &evaluation.note {
            tracing::warn!("{note}");
        }
        let uncertainty =
            self.bootstrap.map(|resamples| Uncertainty::of(evaluation, &trained.inference, resamples));
        let config = trained.inference.config();
        let has_matrix = config.trainer.metrics.contains(&Metric::Confusion);
        let checkpoint = trained.checkpoint.shown();
        let shown = Shown { what, input, has_matrix, checkpoint, evaluation, names, uncertainty };
        let found = shown.json();
        let written = written::write(&found, self.output.as_deref(), &trained.checkpoint, what)?;
        let place = written.map(|path| format!("written to {}", path.display()));
        if self.json {
            print(found)?;
            // Beside the answer, which is the same each time.
            place.into_iter().for_each(|place| tracing::info!("{place}"));
            return Ok(());
        }
        let lines = shown.lines().into_iter().chain(place);
        Ok(lines.into_iter().try_for_each(|line| print_wrapped(line, 4))?)
    }
}
