//! Which values the keys of a sweep take.

use std::str::FromStr;

/// Every value of a key: `optimizer.lr=1e-4,3e-4,1e-3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The key of the run config.
    pub key: String,
    /// Its values, as `--set` takes them.
    pub values: Vec<String>,
}

/// What a key is drawn from: `log:1e-5..1e-2`, `0.1..0.5`, `2..8` and `log:2..64` (whole numbers, as their
/// ends are), or values.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The key of the run config.
    pub key: String,
    from: From,
}

#[derive(Clone, Debug, PartialEq)]
enum From {
    /// Any number between these, each as likely as another.
    Uniform(f64, f64),
    /// Any number between these, each order of magnitude as likely as another.
    Logarithmic(f64, f64),
    /// Any whole number from the one to the other, both included.
    Whole(i64, i64),
    /// The same, each order of magnitude as likely as another: Optuna's `suggest_int(log=True)`.
    WholeLogarithmic(i64, i64),
    /// One of these.
    Values(Vec<String>),
}

/// What a sweep goes through.
#[derive(Clone, Debug, Default)]
pub struct Space {
    /// All combinations of these.
    pub grid: Vec<Choice>,
    /// Each draw has a value of each of these.
    pub samples: Vec<Sample>,
    /// How many draws there are.
    pub draws: usize,
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, values) = key_and_values(text)?;
        if From::range(values)?.is_some() {
            return Err(
                "a range has no list of values; draw from it: --sample KEY=LOW..HIGH --random N".into()
            );
        }
        Ok(Self { key, values: listed(values)? })
    }
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, values) = key_and_values(text)?;
        let from = match From::range(values)? {
            Some(range) => range,
            None => From::Values(listed(values)?),
        };
        Ok(Self { key, from })
    }
}

fn key_and_values(text: &str) -> Result<(String, &str), String> {
    let wrong = || "expected KEY=VALUE,VALUE,…, such as optimizer.lr=1e-4,1e-3".to_owned();
    let (key, values) = text.split_once('=').ok_or_else(wrong)?;
    let (key, values) = (key.trim(), values.trim());
    if key.is_empty() || values.is_empty() { Err(wrong()) } else { Ok((key.to_owned(), values)) }
}

/// Values between commas; those inside of brackets, braces and quotes belong to a value.
fn listed(text: &str) -> Result<Vec<String>, String> {
    let (mut values, mut value, mut depth, mut quote) = (Vec::new(), String::new(), 0_usize, None);
    for character in text.chars() {
        match (character, quote) {
            (',', None) if depth == 0 => values.push(std::mem::take(&mut value)),
            (quoted, Some(open)) => {
                quote = (quoted != open).then_some(open);
                value.push(quoted);
            }
            (other, None) => {
                match other {
                    '"' | '\'' => quote = Some(other),
                    '[' | '{' => depth += 1,
                    ']' | '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                value.push(other);
            }
        }
    }
    values.push(value);
    let values: Vec<String> = values.iter().map(|value| value.trim().to_owned()).collect();
    if values.iter().any(String::is_empty) {
        return Err("a value between two commas is missing".to_owned());
    }
    for (place, value) in values.iter().enumerate() {
        match values[..place].iter().find(|before| is_same(before, value)) {
            Some(before) if before == value => return Err(format!("the value {value} is there twice")),
            Some(before) => return Err(format!("the values {before} and {value} are the same")),
            None => {}
        }
    }
    Ok(values)
}

/// Whether two spellings are one value: `1e-3` and `0.001`, `"sgd"` and `sgd`.
fn is_same(one: &str, other: &str) -> bool {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => unquoted(one) == unquoted(other),
    }
}

fn unquoted(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

impl From {
    /// A range; none where the text is something else.
    fn range(text: &str) -> Result<Option<Self>, String> {
        let (is_log, ends) = match text.strip_prefix("log:") {
            Some(ends) => (true, ends),
            None => (false, text),
        };
        let ends = ends.split_once("..").map(|(low, high)| (low.trim(), high.trim()));
        let numbers = ends.and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
        let Some((low, high)): Option<(f64, f64)> = numbers else {
            return match is_log {
                true => Err("expected log:LOW..HIGH, such as log:1e-5..1e-2".to_owned()),
                false => Ok(None),
            };
        };
        if !(low < high && low.is_finite() && high.is_finite()) {
            return Err(format!("expected LOW..HIGH with LOW below HIGH, found {text}"));
        }
        if is_log && low <= 0.0 {
            return Err(format!("a logarithmic range is of numbers above 0, found {text}"));
        }
        let whole = ends.and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
        Ok(Some(match whole {
            Some((low, high)) if is_log => Self::WholeLogarithmic(low, high),
            _ if is_log => Self::Logarithmic(low, high),
            Some((low, high)) => Self::Whole(low, high),
            None => Self::Uniform(low, high),
        }))
    }

    fn draw(&self, random: &mut fastrand::Rng) -> String {
        let short = |value: f64| {
            let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
            format!("{rounded:?}")
        };
        match self {
            Self::Uniform(low, high) => short(low + (high - low) * random.f64()),
            Self::Logarithmic(low, high) => {
                short((low.ln() + (high.ln() - low.ln()) * random.f64()).exp().clamp(*low, *high))
            }
            Self::Whole(low, high) => random.i64(*low..=*high).to_string(),
            Self::WholeLogarithmic(low, high) => {
                // Each whole number has its half on both sides.
                let (from, to) = ((*low as f64 - 0.5).ln(), (*high as f64 + 0.5).ln());
                let drawn = (from + (to - from) * random.f64()).exp().round();
                (drawn as i64).clamp(*low, *high).to_string()
            }
            Self::Values(values) => values[random.usize(..values.len())].clone(),
        }
    }
}

impl Space {
    /// Keys that it sets, in their order.
    pub fn keys(&self) -> Vec<&str> {
        let sampled = self.samples.iter().map(|sample| sample.key.as_str());
        self.grid.iter().map(|choice| choice.key.as_str()).chain(sampled).collect()
    }

    /// What each trial sets, `KEY=VALUE`: all combinations of the grid, each with every draw. The same seed
    /// draws the same values.
    pub fn settings(&self, seed: u64) -> Vec<Vec<String>> {
        let mut settings: Vec<Vec<String>> = vec![Vec::new()];
        for Choice { key, values } in &self.grid {
            let with = |setting: &Vec<String>, value: &String| {
                let mut setting = setting.clone();
                setting.push(format!("{key}={value}"));
                setting
            };
            settings = settings
                .iter()
                .flat_map(|setting| values.iter().map(move |value| with(setting, value)))
                .collect();
        }
        if self.samples.is_empty() {
            return settings;
        }
        let mut random = fastrand::Rng::with_seed(seed);
        let mut draw = || -> Vec<String> {
            let of = |sample: &Sample| format!("{}={}", sample.key, sample.from.draw(&mut random));
            self.samples.iter().map(of).collect()
        };
        let draws: Vec<Vec<String>> = (0..self.draws).map(|_| draw()).collect();
        let with = |setting: &Vec<String>, draw: &Vec<String>| [setting.clone(), draw.clone()].concat();
        settings.iter().flat_map(|setting| draws.iter().map(move |draw| with(setting, draw))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_all_combinations_and_lists_stay_whole() {
        let grid = vec!["a=1, 2".parse().unwrap(), "b=[1,2],\"x,y\"".parse().unwrap()];
        let space = Space { grid, ..Space::default() };
        let expected = [["a=1", "b=[1,2]"], ["a=1", "b=\"x,y\""], ["a=2", "b=[1,2]"], ["a=2", "b=\"x,y\""]];
        assert_eq!(space.settings(0), expected);
    }

    #[test]
    fn draws_lie_in_their_range_and_come_again_with_their_seed() {
        let samples: Vec<Sample> =
            ["lr=log:1e-5..1e-2", "p=0.25..0.5", "n=2..4", "id=sgd,adam", "size=log:2..64"]
                .map(|text| text.parse().unwrap())
                .into();
        let space = Space { samples, draws: 200, ..Space::default() };
        let settings = space.settings(7);
        assert_eq!((settings.len(), &settings), (200, &space.settings(7)));
        assert_ne!(settings, space.settings(8));
        let values = |at: usize| settings.iter().map(move |setting| setting[at].split_once('=').unwrap().1);
        let rates: Vec<f64> = values(0).map(|value| value.parse().unwrap()).collect();
        assert!(rates.iter().all(|rate| (1e-5..=1e-2).contains(rate)));
        // Each of three orders of magnitude has its third.
        let below = rates.iter().filter(|rate| **rate < 1e-4).count();
        assert!((40..95).contains(&below), "{below}");
        assert!(values(1).all(|value| (0.25..=0.5).contains(&value.parse::<f64>().unwrap())));
        for whole in ["2", "3", "4"] {
            assert!(values(2).any(|value| value == whole));
        }
        assert!(values(2).all(|value| ["2", "3", "4"].contains(&value)));
        // Whole numbers where the ends are: half of them below the middle of the magnitudes.
        let sizes: Vec<i64> = values(4).map(|value| value.parse().unwrap()).collect();
        assert!(sizes.iter().all(|size| (2..=64).contains(size)), "{sizes:?}");
        let below = sizes.iter().filter(|size| **size < 11).count();
        assert!((70..130).contains(&below) && sizes.contains(&2), "{below}");
        assert!(values(3).any(|value| value == "sgd") && values(3).any(|value| value == "adam"));
    }

    #[test]
    fn what_is_no_range_or_list_is_refused_with_what_it_should_be() {
        for (text, expected) in [
            ("lr", "expected KEY=VALUE"),
            ("lr=", "expected KEY=VALUE"),
            ("lr=1,,2", "missing"),
            ("lr=1,1", "the value 1 is there twice"),
            ("lr=1e-3,2,0.001", "the values 1e-3 and 0.001 are the same"),
            ("id=sgd,\"sgd\"", "are the same"),
            ("lr=log:0..1", "above 0"),
            ("lr=log:1", "expected log:LOW..HIGH"),
            ("lr=2..1", "LOW below HIGH"),
        ] {
            let error = text.parse::<Sample>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!("lr=1e-5..1e-2".parse::<Choice>().unwrap_err().contains("--sample"));
    }
}
