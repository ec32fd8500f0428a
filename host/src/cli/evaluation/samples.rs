//! A row for each sample.

use std::path::Path;

use serde_json::{Map, Value, json};
use thaw_metrics::Outcomes;

use crate::predict::{PredictError, RowFile};
use thaw_train::fit::Samples;

/// Writes the samples in the order of the data: `sample`; for classes `target`, `prediction` and the
/// prediction's `probability`; for numbers `target` and `prediction`, with `_0`, `_1`, … in CSV and as lists
/// in JSON where a sample has several; `loss`.
///
/// # Errors
/// The file cannot be written.
pub fn write(
    path: &Path,
    samples: &Samples,
    names: &[String],
    id: impl Fn(usize) -> String,
) -> Result<(), PredictError> {
    let mut order: Vec<usize> = (0..samples.positions.len()).collect();
    order.sort_by_key(|place| samples.positions[*place]);
    let mut file = RowFile::create(path)?;
    let columns = Columns { outcomes: &samples.outcomes, names };
    file.header(|| [vec!["sample".to_owned()], columns.names(), vec!["loss".to_owned()]].concat())?;
    for place in order {
        let id = id(samples.positions[place]);
        let loss = samples.losses.get(place).copied().unwrap_or(f64::NAN);
        let fields = || [vec![id.clone()], columns.fields(place), vec![loss.to_string()]].concat();
        let object = || {
            let mut object = Map::from_iter([("sample".to_owned(), json!(id))]);
            object.extend(columns.values(place));
            object.insert("loss".to_owned(), json!(loss));
            Value::Object(object)
        };
        file.row(fields, object)?;
    }
    file.finish()
}

/// What was right and what was predicted.
struct Columns<'s> {
    outcomes: &'s Outcomes,
    names: &'s [String],
}

impl Columns<'_> {
    fn class(&self, index: usize) -> String {
        self.names.get(index).cloned().unwrap_or_else(|| index.to_string())
    }

    fn names(&self) -> Vec<String> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match self.outcomes {
            Outcomes::Labelled(_) => names(&["target", "prediction", "probability"]),
            Outcomes::Numbers(numbers) if numbers.width == 1 => names(&["target", "prediction"]),
            Outcomes::Numbers(numbers) => {
                let of = |name: &'static str| (0..numbers.width).map(move |index| format!("{name}_{index}"));
                of("target").chain(of("prediction")).collect()
            }
            Outcomes::None | Outcomes::Tagged(_) | Outcomes::Sums(_) => Vec::new(),
        }
    }

    fn fields(&self, place: usize) -> Vec<String> {
        match self.outcomes {
            Outcomes::Labelled(samples) => vec![
                self.class(samples.labels[place]),
                self.class(samples.predicted[place]),
                samples.confidences[place].to_string(),
            ],
            Outcomes::Numbers(samples) => {
                let row = place * samples.width..(place + 1) * samples.width;
                let numbers = samples.targets[row.clone()].iter().chain(&samples.predicted[row]);
                numbers.map(f64::to_string).collect()
            }
            Outcomes::None | Outcomes::Tagged(_) | Outcomes::Sums(_) => Vec::new(),
        }
    }

    fn values(&self, place: usize) -> Vec<(String, Value)> {
        match self.outcomes {
            Outcomes::Labelled(samples) => vec![
                ("target".to_owned(), json!(self.class(samples.labels[place]))),
                ("prediction".to_owned(), json!(self.class(samples.predicted[place]))),
                ("probability".to_owned(), json!(samples.confidences[place])),
            ],
            Outcomes::Numbers(samples) => {
                let of = |numbers: &[f64]| match &numbers[place * samples.width..(place + 1) * samples.width]
                {
                    [one] => json!(one),
                    several => json!(several),
                };
                vec![
                    ("target".to_owned(), of(&samples.targets)),
                    ("prediction".to_owned(), of(&samples.predicted)),
                ]
            }
            Outcomes::None | Outcomes::Tagged(_) | Outcomes::Sums(_) => Vec::new(),
        }
    }
}
