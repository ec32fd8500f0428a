//! Which metrics there are.

use super::average::Average;

/// A metric of a whole pass over data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Share of the samples whose likeliest class is theirs.
    Accuracy,
    /// Share of the samples whose class is among so many likeliest ones.
    Top(usize),
    /// Precision, recall, … with an average.
    Score(Score, Average),
    /// Matthews' correlation coefficient.
    Matthews,
    /// Cohen's kappa.
    Kappa(Disagreement),
    /// Area under the receiver operating characteristic, of each class against the rest.
    Auroc(Average),
    /// Area under the curve of precision over recall, of each class against the rest, as a sum of steps.
    AveragePrecision(Average),
    /// Expected calibration error of 15 bins.
    CalibrationError,
    /// Samples by class and predicted class: a matrix, of which [`super::Outcomes::value`] has no number.
    Confusion,
    /// Mean absolute error.
    AbsoluteError,
    /// Mean squared error.
    SquaredError,
    /// The root of the mean squared error.
    RootSquaredError,
    /// Mean absolute error as a share of the target.
    PercentageError,
    /// Mean absolute error as a share of the mean of target and prediction.
    SymmetricPercentageError,
    /// Coefficient of determination.
    R2,
    /// Share of the targets' variance that is explained.
    ExplainedVariance,
    /// Pearson's correlation coefficient.
    Pearson,
    /// Spearman's correlation of ranks.
    Spearman,
}

/// A score of a class, from what was taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// Share of what was predicted as the class that is of it.
    Precision,
    /// Share of the class's samples that were predicted as it.
    Recall,
    /// The harmonic mean of both.
    F1,
    /// Share of the samples of other classes that were not predicted as this one.
    Specificity,
    /// Hits as a share of what is of the class or was predicted as it.
    Jaccard,
}

/// How much it counts that classes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// All differences alike.
    Equal,
    /// By the distance of the classes' positions.
    Linear,
    /// By its square.
    Quadratic,
}

/// What the outputs of a model are, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Classes, one label a sample; how many, where that is known.
    Classes(Option<usize>),
    /// Any number of labels a sample; how many there are, where that is known.
    Labels(Option<usize>),
    /// Numbers for a sample.
    Numbers,
    /// Numbers that are too many to be kept: those of a reconstruction.
    ManyNumbers,
}

/// Why a metric is none of these outputs, with what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit(pub String);

impl Metric {
    /// Whether it is of classes.
    pub fn is_of_classes(self) -> bool {
        match self {
            Self::Accuracy
            | Self::Top(_)
            | Self::Score(..)
            | Self::Matthews
            | Self::Kappa(_)
            | Self::Auroc(_)
            | Self::AveragePrecision(_)
            | Self::CalibrationError
            | Self::Confusion => true,
            Self::AbsoluteError
            | Self::SquaredError
            | Self::RootSquaredError
            | Self::PercentageError
            | Self::SymmetricPercentageError
            | Self::R2
            | Self::ExplainedVariance
            | Self::Pearson
            | Self::Spearman => false,
        }
    }

    /// Whether it is of several labels a sample.
    fn is_of_labels(self) -> bool {
        match self {
            Self::Accuracy | Self::Auroc(_) | Self::AveragePrecision(_) => true,
            Self::Score(_, average) => average != Average::Binary,
            _ => false,
        }
    }

    /// Whether it is one number, which ranks, is waited for and has a curve.
    pub fn is_number(self) -> bool {
        self != Self::Confusion
    }

    /// Whether it needs the probability of each class for each sample.
    pub fn needs_probabilities(self) -> bool {
        matches!(self, Self::Auroc(_) | Self::AveragePrecision(_))
    }

    /// Whether sums over batches are enough for it.
    fn is_of_sums(self) -> bool {
        matches!(self, Self::AbsoluteError | Self::SquaredError | Self::RootSquaredError)
    }

    /// Whether it is a metric of such outputs.
    ///
    /// # Errors
    /// Why it is none.
    pub fn check(self, outputs: Of) -> Result<(), Misfit> {
        let others = |fits: &dyn Fn(Self) -> bool| {
            let names =
                Self::all().into_iter().filter(|metric| fits(*metric)).map(|metric| metric.to_string());
            names.collect::<Vec<_>>().join(", ")
        };
        match outputs {
            Of::Classes(_) if !self.is_of_classes() => Err(Misfit(format!(
                "the model tells classes apart, and `{self}` is of numbers; there are {}",
                others(&Self::is_of_classes)
            ))),
            Of::Labels(Some(1)) if matches!(self, Self::Score(..)) => Ok(()),
            Of::Labels(_) if !self.is_of_labels() => Err(Misfit(format!(
                "a sample has several labels, and `{self}` is not of such; there are {}, and without being \
                 named `acc`, `exact_match`, `f1_micro` and `f1_macro`",
                others(&Self::is_of_labels)
            ))),
            Of::Numbers if self.is_of_classes() => Err(Misfit(format!(
                "the model gives numbers, and `{self}` is of classes; there are {}",
                others(&|metric| !metric.is_of_classes())
            ))),
            Of::ManyNumbers if !self.is_of_sums() => Err(Misfit(format!(
                "the model reconstructs its input, and `{self}` is not measured on that; there are {}",
                others(&Self::is_of_sums)
            ))),
            Of::Classes(Some(classes)) => self.check_classes(classes),
            Of::Classes(None) | Of::Labels(_) | Of::Numbers | Of::ManyNumbers => Ok(()),
        }
    }

    fn check_classes(self, classes: usize) -> Result<(), Misfit> {
        match self {
            Self::Top(k) if k > classes => {
                Err(Misfit(format!("the model has {classes} classes: `top{classes}` is the widest")))
            }
            Self::Score(score, Average::Binary) if classes != 2 => Err(Misfit(format!(
                "the model has {classes} classes, and `{self}` is of the second of two: say how it is to be \
                 averaged over classes, with `{score}_macro`, `{score}_weighted` or `{score}_micro`"
            ))),
            _ => Ok(()),
        }
    }
}
