//! Names of metrics, as run configs have them.

use std::fmt;

use serde_json::{Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key};

use super::average::Average;
use super::metric::{Disagreement, Metric, Score};

/// The scores of classes.
const SCORES: [Score; 5] = [Score::Precision, Score::Recall, Score::F1, Score::Specificity, Score::Jaccard];

impl Metric {
    /// Every metric, `top5` in place of every number.
    pub fn all() -> Vec<Self> {
        let scores =
            SCORES.into_iter().flat_map(|score| Average::ALL.map(|average| Self::Score(score, average)));
        let kappas = [Disagreement::Equal, Disagreement::Linear, Disagreement::Quadratic].map(Self::Kappa);
        let areas = [Average::Macro, Average::Weighted];
        [Self::Accuracy, Self::Top(5)]
            .into_iter()
            .chain(scores)
            .chain([Self::Matthews])
            .chain(kappas)
            .chain(areas.map(Self::Auroc))
            .chain(areas.map(Self::AveragePrecision))
            .chain([
                Self::CalibrationError,
                Self::Confusion,
                Self::AbsoluteError,
                Self::SquaredError,
                Self::RootSquaredError,
                Self::PercentageError,
                Self::SymmetricPercentageError,
                Self::R2,
                Self::ExplainedVariance,
                Self::Pearson,
                Self::Spearman,
            ])
            .collect()
    }

    /// The metric of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        let top = name.strip_prefix("top").filter(|digits| !digits.starts_with(['0', '+']));
        let top = top.and_then(|digits| digits.parse().ok()).map(Self::Top);
        top.or_else(|| Self::all().into_iter().find(|metric| metric.to_string() == name))
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of areas the plain name is the mean over classes, torchmetrics' default.
        let of_area = |average: &Average| if *average == Average::Macro { Average::Binary } else { *average };
        match self {
            Self::Accuracy => f.write_str("acc"),
            Self::Top(k) => write!(f, "top{k}"),
            Self::Score(score, average) => write!(f, "{score}{average}"),
            Self::Matthews => f.write_str("mcc"),
            Self::Kappa(Disagreement::Equal) => f.write_str("kappa"),
            Self::Kappa(Disagreement::Linear) => f.write_str("kappa_linear"),
            Self::Kappa(Disagreement::Quadratic) => f.write_str("kappa_quadratic"),
            Self::Auroc(average) => write!(f, "auroc{}", of_area(average)),
            Self::AveragePrecision(average) => write!(f, "average_precision{}", of_area(average)),
            Self::CalibrationError => f.write_str("ece"),
            Self::Confusion => f.write_str("confusion"),
            Self::AbsoluteError => f.write_str("mae"),
            Self::SquaredError => f.write_str("mse"),
            Self::RootSquaredError => f.write_str("rmse"),
            Self::PercentageError => f.write_str("mape"),
            Self::SymmetricPercentageError => f.write_str("smape"),
            Self::R2 => f.write_str("r2"),
            Self::ExplainedVariance => f.write_str("explained_variance"),
            Self::Pearson => f.write_str("pearson"),
            Self::Spearman => f.write_str("spearman"),
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::F1 => "f1",
            Self::Specificity => "specificity",
            Self::Jaccard => "jaccard",
        })
    }
}

impl Config for Metric {
    fn schema() -> Value {
        let names: Vec<String> = Self::all().iter().map(Self::to_string).collect();
        json!({ "anyOf": [{ "enum": names }, { "type": "string", "pattern": "^top[1-9][0-9]*$" }] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        value.as_str().and_then(Self::of_name).ok_or_else(|| {
            let names: Vec<String> = Self::all().iter().map(Self::to_string).collect();
            match value.as_str().and_then(elsewhere) {
                Some(name) => {
                    let expected = format!("one of {}, did you mean `{name}`?", names.join(", "));
                    ConfigError::mismatch(key, value, expected)
                }
                None => {
                    ConfigError::no_choice(key, value, &names.iter().map(String::as_str).collect::<Vec<_>>())
                }
            }
        })
    }

    fn to_value(&self) -> Value {
        json!(self.to_string())
    }
}

/// What scikit-learn, torchmetrics and others call metrics, by the words of the name.
const ELSEWHERE: [(&str, &str); 30] = [
    ("accuracy", "acc"),
    ("accuracyscore", "acc"),
    ("auc", "auroc"),
    ("rocauc", "auroc"),
    ("rocaucscore", "auroc"),
    ("ap", "average_precision"),
    ("map", "average_precision"),
    ("prauc", "average_precision"),
    ("averageprecisionscore", "average_precision"),
    ("balancedaccuracy", "recall_macro"),
    ("uar", "recall_macro"),
    ("calibrationerror", "ece"),
    ("cohenkappa", "kappa"),
    ("confusionmatrix", "confusion"),
    ("multiclassconfusionmatrix", "confusion"),
    ("qwk", "kappa_quadratic"),
    ("f1score", "f1"),
    ("f1scoremacro", "f1_macro"),
    ("macrof1", "f1_macro"),
    ("iou", "jaccard"),
    ("miou", "jaccard_macro"),
    ("matthews", "mcc"),
    ("matthewscorrcoef", "mcc"),
    ("meanabsoluteerror", "mae"),
    ("meansquarederror", "mse"),
    ("pearsonr", "pearson"),
    ("pearsoncorrcoef", "pearson"),
    ("spearmanr", "spearman"),
    ("r2score", "r2"),
    ("sensitivity", "recall"),
];

/// The metric that another name is one of, however it is spelled.
fn elsewhere(name: &str) -> Option<&'static str> {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters = letters.to_ascii_lowercase();
    let named = ELSEWHERE.iter().find(|(known, _)| *known == letters);
    named.map(|(_, metric)| *metric)
}

#[cfg(test)]
mod tests {
    use thaw_plugin_api::monitor::{Mode, sense};

    use super::*;

    #[test]
    fn a_name_is_read_as_what_it_was_written_from() {
        for metric in Metric::all() {
            assert_eq!(Metric::from_value(&metric.to_value(), &Key::root()).unwrap(), metric);
        }
        assert_eq!(Metric::of_name("top3"), Some(Metric::Top(3)));
        for name in ["top0", "top", "top+3", "top03", "F1", "f1-macro", "auroc_macro"] {
            assert_eq!(Metric::of_name(name), None, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_told_the_nearest_one() {
        let error = Metric::from_value(&json!("f1-macro"), &Key::root()).unwrap_err().to_string();
        assert!(error.contains("did you mean `f1_macro`?"), "{error}");
    }

    #[test]
    fn a_name_of_elsewhere_is_told_the_one_here() {
        for (name, expected) in
            [("accuracy", "acc"), ("ROC-AUC", "auroc"), ("MulticlassF1Score", ""), ("F1Score", "f1")]
        {
            let error = Metric::from_value(&json!(name), &Key::root()).unwrap_err().to_string();
            assert!(error.contains(&format!("did you mean `{expected}")) || expected.is_empty(), "{error}");
        }
        for (name, metric) in ELSEWHERE {
            assert!(Metric::of_name(metric).is_some() && Metric::of_name(name).is_none(), "{name}");
        }
    }

    #[test]
    fn every_name_says_which_way_it_improves() {
        let less = ["ece", "mae", "mse", "rmse", "mape", "smape"];
        let numbers = Metric::all().into_iter().filter(|metric| metric.is_number());
        for name in numbers.map(|metric| metric.to_string()) {
            let expected = if less.contains(&name.as_str()) { Mode::Min } else { Mode::Max };
            assert_eq!(sense(&format!("val_{name}")), Some(expected), "{name}");
        }
        assert_eq!(sense("val_confusion"), None);
    }
}
