//! What the data of a run holds, in words.

use super::super::config::OnError;
use std::fmt;
use thaw_terminal::escape::shorten;

/// What the data of a run holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The kind of data.
    pub kind: String,
    /// Inputs of a sample, such as `x 3x224x224`.
    pub input: String,
    /// Class names.
    pub classes: Vec<String>,
    /// The training split.
    pub train: SplitSummary,
    /// The validation split.
    pub val: Option<SplitSummary>,
    /// Further validation sets with their samples.
    pub further: Vec<(String, usize)>,
    /// What becomes of pictures that cannot be read: until they are met, they are among the counts.
    pub on_error: OnError,
}

/// Counts of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitSummary {
    /// Number of samples.
    pub samples: usize,
    /// Samples of each class, in the order of the indices; empty without classes, and where classes are known
    /// only with their samples.
    pub per_class: Vec<usize>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} training", self.kind, self.train.samples)?;
        match &self.val {
            Some(val) => write!(f, " and {} validation samples", val.samples)?,
            None => write!(f, " samples, no validation")?,
        }
        for (name, samples) in &self.further {
            write!(f, ", {name} {samples}")?;
        }
        write!(f, " ({})", self.input)?;
        if self.on_error == OnError::Skip {
            f.write_str(", with pictures that may turn out unreadable and be left out")?;
        }
        if self.classes.is_empty() {
            return Ok(());
        }
        write!(f, ", {} classes: ", self.classes.len())?;
        const SHOWN: usize = 20;
        for (i, class) in self.classes.iter().take(SHOWN).enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{}", shorten(class))?;
            let Some(train) = self.train.per_class.get(i) else { continue };
            write!(f, " {train}")?;
            if let Some(val) = self.val.as_ref().and_then(|val| val.per_class.get(i)) {
                write!(f, "+{val}")?;
            }
        }
        match self.classes.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
