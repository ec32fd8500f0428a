//! Which way a metric improves, by its name.

use super::Mode;
use crate::error::{Error, ErrorKind, Result};

/// Words of metrics of which less is better.
const LESS: &[&str] = &[
    "bce",
    "brier",
    "ce",
    "cer",
    "cost",
    "crossentropy",
    "deviance",
    "dist",
    "distance",
    "divergence",
    "ece",
    "eer",
    "entropy",
    "err",
    "error",
    "fid",
    "hinge",
    "kl",
    "lpips",
    "loss",
    "mae",
    "mape",
    "mse",
    "msle",
    "nll",
    "perplexity",
    "ppl",
    "regret",
    "rmse",
    "rmsle",
    "smape",
    "wape",
    "wer",
];

/// Words of metrics of which more is better.
const MORE: &[&str] = &[
    "acc",
    "accuracy",
    "ap",
    "auc",
    "auprc",
    "auroc",
    "bertscore",
    "bleu",
    "chrf",
    "corr",
    "corrcoef",
    "correlation",
    "dice",
    "em",
    "explained",
    "f1",
    "f2",
    "fbeta",
    "fscore",
    "hits",
    "iou",
    "jaccard",
    "kappa",
    "kendall",
    "likelihood",
    "map",
    "match",
    "matthews",
    "mcc",
    "meteor",
    "miou",
    "mrr",
    "ndcg",
    "npv",
    "pcc",
    "pearson",
    "ppv",
    "precision",
    "psnr",
    "r2",
    "recall",
    "roc",
    "rouge",
    "score",
    "sensitivity",
    "similarity",
    "spearman",
    "specificity",
    "ssim",
    "top",
];

/// Whether less or more of a metric is better, where its name says so: accuracies, scores and correlations
/// are to rise, losses and errors to fall. The last word that is known decides, so that `calibration_error`
/// falls and `loss_acc` would rise; `neg` or `negative` before it turns it round.
///
/// ```
/// use thaw_plugin_api::monitor::{Mode, sense};
///
/// assert_eq!(sense("val_f1_macro"), Some(Mode::Max));
/// assert_eq!(sense("val_mean_absolute_error"), Some(Mode::Min));
/// assert_eq!(sense("my_number"), None);
/// ```
pub fn sense(metric: &str) -> Option<Mode> {
    // `BinaryF1Score` is three words, `mIoU` is one.
    of_words(&words(metric)).or_else(|| of_words(&words(&metric.to_lowercase())))
}

fn of_words(words: &[String]) -> Option<Mode> {
    let (position, mode) =
        words.iter().enumerate().rev().find_map(|(position, word)| Some((position, of_word(word)?)))?;
    let negated = words[..position].iter().any(|word| word == "neg" || word == "negative");
    Some(if negated { mode.opposite() } else { mode })
}

/// Lower case, split where words of `snake_case`, `CamelCase`, `a/b` and `a-b` begin.
fn words(metric: &str) -> Vec<String> {
    let mut text = String::with_capacity(metric.len());
    let mut before = ' ';
    for letter in metric.chars() {
        if letter.is_uppercase() && before.is_lowercase() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
        before = letter;
    }
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn of_word(word: &str) -> Option<Mode> {
    let known = |word: &str| {
        let is_in = |list: &[&str]| list.contains(&word);
        is_in(LESS).then_some(Mode::Min).or(is_in(MORE).then_some(Mode::Max))
    };
    // `acc5`, `top1`, `mse2`.
    let numbered = || known(word.trim_end_matches(|letter: char| letter.is_ascii_digit()));
    // `MulticlassAUROC`, `f1score`, `valloss`: long words at the end of one that is not split.
    let joined = || {
        let ends = |list: &[&str]| list.iter().any(|known| known.len() >= 4 && word.ends_with(known));
        ends(LESS).then_some(Mode::Min).or(ends(MORE).then_some(Mode::Max))
    };
    known(word).or_else(numbered).or_else(joined)
}

/// The way a monitored metric improves: what the run config says, else what the name says.
///
/// # Errors
/// Neither says it.
pub fn mode_of(metric: &str, mode: Option<Mode>) -> Result<Mode> {
    mode.or_else(|| sense(metric)).ok_or_else(|| {
        let message = format_args!(
            "the name of metric `{metric}` does not say whether less or more of it is better: set mode = \
             \"min\" or mode = \"max\""
        );
        Error::of(ErrorKind::Config, message)
    })
}

/// Names that every run has, or most: what a misspelt one is meant to be.
const COMMON: [&str; 6] = ["val_loss", "val_acc", "val_mae", "train_loss", "train_acc", "train_mae"];

/// What can be said of a monitored metric before the run: [`mode_of`] has to know which way it improves. A
/// name that is nearly one of those that runs have is left to the run, which says how it is spelt.
///
/// # Errors
/// As [`mode_of`].
pub fn check(metric: &str, mode: Option<Mode>) -> Result<()> {
    match crate::nearest(metric, COMMON) {
        Some(_) => Ok(()),
        None => mode_of(metric, mode).map(drop),
    }
}

/// A warning where `mode` looks for the worst value of a metric, as its name has it.
pub fn contradiction(metric: &str, mode: Option<Mode>) -> Option<String> {
    let (given, named) = (mode?, sense(metric)?);
    let (looks_for, direction) = if given == Mode::Min { ("smallest", "more") } else { ("largest", "less") };
    (given != named).then(|| {
        format!(
            "mode = \"{given}\" looks for the {looks_for} `{metric}`, of which {direction} is better by its \
             name"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_to_rise_and_losses_to_fall() {
        for metric in [
            "val_acc",
            "acc",
            "train_accuracy",
            "val_f1",
            "val_f1_macro",
            "auroc",
            "val_auc",
            "precision",
            "val_recall@5",
            "top5",
            "val_top_5",
            "acc1",
            "mcc",
            "r2",
            "val_r2",
            "pearson",
            "spearman",
            "balanced_accuracy",
            "MulticlassAUROC",
            "BinaryF1Score",
            "val/mIoU",
            "cohen_kappa",
            "dice",
            "bleu",
            "exact_match",
            "neg_mean_squared_error",
            "log_likelihood",
            "val_acc_epoch",
            "specificity",
            "map50",
        ] {
            assert_eq!(sense(metric), Some(Mode::Max), "{metric}");
        }
        for metric in [
            "val_loss",
            "loss",
            "train_loss_step",
            "val_mae",
            "mse",
            "rmse",
            "mean_absolute_error",
            "error_rate",
            "perplexity",
            "wer",
            "nll",
            "negative_log_likelihood",
            "calibration_error",
            "brier_score_loss",
            "kl_div",
            "val-cross-entropy",
            "CrossEntropyLoss",
            "valloss",
        ] {
            assert_eq!(sense(metric), Some(Mode::Min), "{metric}");
        }
        for metric in ["", "val_", "my_number", "grad_norm", "lr-head", "epoch", "val_temperature", "42"] {
            assert_eq!(sense(metric), None, "{metric}");
        }
    }

    #[test]
    fn what_the_run_config_says_counts_and_an_unknown_metric_needs_it() {
        assert_eq!(mode_of("val_acc", None).unwrap(), Mode::Max);
        assert_eq!(mode_of("val_acc", Some(Mode::Min)).unwrap(), Mode::Min);
        assert_eq!(mode_of("temperature", Some(Mode::Min)).unwrap(), Mode::Min);
        let error = mode_of("temperature", None).unwrap_err().to_string();
        assert!(error.contains("`temperature`") && error.contains("mode = \"min\""), "{error}");
    }

    #[test]
    fn a_mode_against_the_name_is_warned_of() {
        let text = contradiction("val_acc", Some(Mode::Min)).unwrap();
        assert!(text.contains("smallest `val_acc`") && text.contains("mode = \"min\""), "{text}");
        assert_eq!(contradiction("val_acc", Some(Mode::Max)), None);
        assert_eq!(contradiction("val_acc", None), None);
        assert_eq!(contradiction("temperature", Some(Mode::Min)), None);
    }
}
