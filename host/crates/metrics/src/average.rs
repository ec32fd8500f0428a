//! From a score per class to one number.

use std::fmt;

/// How scores of classes become one, by torchmetrics' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// Of two classes, the score of the second one.
    Binary,
    /// Of the counts of all classes together.
    Micro,
    /// The mean over classes; those that neither occur nor were predicted are left out.
    Macro,
    /// The mean over classes by how many samples each has.
    Weighted,
}

impl Average {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Binary, Self::Micro, Self::Macro, Self::Weighted];
}

/// What a metric's name has at its end.
impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Binary => "",
            Self::Micro => "_micro",
            Self::Macro => "_macro",
            Self::Weighted => "_weighted",
        })
    }
}

/// The mean of values by weights; 0 where nothing weighs anything.
pub fn weighted_mean(values: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let (sum, weights) = values.into_iter().fold((0.0, 0.0), |(sum, weights), (value, weight)| {
        // A class that does not weigh may have no value.
        if weight == 0.0 { (sum, weights) } else { (sum + value * weight, weights + weight) }
    });
    if weights == 0.0 { 0.0 } else { sum / weights }
}
