//! How many batches' gradients are added before a step, in which epoch.

use std::fmt;

use serde_json::{Map, Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key};

/// What the key takes.
const EXPECTED: &str = "a number of at least 1, or a table of epochs, from 0, with the number from each on, \
                        as { 0 = 8, 4 = 4 }";

/// Batches of an accumulation window, by epoch: Lightning's `GradientAccumulationScheduler`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accumulation {
    /// In the first epoch.
    first: usize,
    /// From which epochs on, in rising order, it is another number.
    later: Vec<(usize, usize)>,
}

impl Accumulation {
    /// The same in each epoch.
    pub const fn of(batches: usize) -> Self {
        Self { first: batches, later: Vec::new() }
    }

    /// Batches whose gradients are added before a step of this epoch, 1 or more.
    pub fn at(&self, epoch: usize) -> usize {
        let begun = self.later.iter().rev().find(|(from, _)| *from <= epoch);
        begun.map_or(self.first, |(_, batches)| *batches)
    }

    /// From which epochs on, in rising order, it is another number than in the epoch before.
    pub fn later(&self) -> &[(usize, usize)] {
        &self.later
    }

    /// Whether it is not the same in all epochs.
    pub fn changes(&self) -> bool {
        !self.later.is_empty()
    }

    /// An epoch that nothing is said of has 1, as in Lightning.
    fn of_table(table: &Map<String, Value>, key: &Key) -> Result<Self, ConfigError> {
        let read = |(epoch, batches): (&String, &Value)| {
            let of_epoch = key.child(epoch);
            // `parse` takes a sign, which the schema does not.
            let digits = epoch.bytes().all(|byte| byte.is_ascii_digit()).then_some(epoch);
            let from =
                digits.and_then(|digits| digits.parse::<usize>().ok()).ok_or_else(|| ConfigError::Value {
                    key: of_epoch.clone(),
                    found: "no number of an epoch".to_owned(),
                    expected: "0 for the first epoch, 1 for the second, …".to_owned(),
                })?;
            Ok((from, number(batches).ok_or_else(|| at_least_1(&of_epoch, batches))?))
        };
        let mut all = table.iter().map(read).collect::<Result<Vec<_>, ConfigError>>()?;
        if all.is_empty() {
            return Err(ConfigError::mismatch(key, &Value::Object(table.clone()), EXPECTED));
        }
        all.sort_unstable();
        if let Some(twice) = all.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let reason = format!("epoch {} is there twice", twice[0].0);
            return Err(ConfigError::Invalid { key: key.clone(), reason });
        }
        if all[0].0 > 0 {
            all.insert(0, (0, 1));
        }
        all.dedup_by_key(|(_, batches)| *batches);
        let (_, first) = all.remove(0);
        Ok(Self { first, later: all })
    }
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0)
}

fn at_least_1(key: &Key, value: &Value) -> ConfigError {
    ConfigError::mismatch(key, value, "a number of at least 1")
}

impl fmt::Display for Accumulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_value())
    }
}

impl Config for Accumulation {
    fn schema() -> Value {
        let number = json!({ "type": "integer", "minimum": 1 });
        json!({ "anyOf": [
            number,
            {
                "type": "object",
                "patternProperties": { r"^\d+$": number },
                "additionalProperties": false,
                "minProperties": 1,
            },
        ] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        match value {
            Value::Number(_) => number(value).map(Self::of).ok_or_else(|| at_least_1(key, value)),
            Value::Object(table) => Self::of_table(table, key),
            _ => Err(ConfigError::mismatch(key, value, EXPECTED)),
        }
    }

    fn to_value(&self) -> Value {
        if !self.changes() {
            return json!(self.first);
        }
        let all = std::iter::once((0, self.first)).chain(self.later.iter().copied());
        Value::Object(all.map(|(epoch, batches)| (epoch.to_string(), json!(batches))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<Accumulation, String> {
        Accumulation::from_value(&value, &Key::root().child("accumulate")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_epoch_has_the_number_that_was_begun_last() {
        let all = read(json!({ "10": 2, "0": 8, "4": 4 })).unwrap();
        let found = [0, 3, 4, 9, 10, 99].map(|epoch| all.at(epoch));
        assert_eq!(found, [8, 8, 4, 4, 2, 2]);
        assert_eq!(read(all.to_value()).unwrap(), all);
        let late = read(json!({ "3": 2 })).unwrap();
        assert_eq!([0, 2, 3].map(|epoch| late.at(epoch)), [1, 1, 2]);
    }

    #[test]
    fn what_is_the_same_throughout_is_a_number() {
        assert_eq!(read(json!({ "0": 4, "2": 4 })).unwrap(), Accumulation::of(4));
        assert_eq!(read(json!(4)).unwrap().to_value(), json!(4));
    }

    #[test]
    fn another_form_is_refused_with_its_key() {
        for (value, says) in [
            (json!(0), "`accumulate` is 0, expected a number of at least 1"),
            (json!({ "2": 0 }), "`accumulate.2` is 0"),
            (json!({ "first": 2 }), "`accumulate.first` is no number of an epoch"),
            (json!({ "-1": 2 }), "0 for the first epoch"),
            (json!({ "+1": 2 }), "`accumulate.+1` is no number of an epoch"),
            (json!({ "1": 2, "01": 3 }), "epoch 1 is there twice"),
            (json!({}), "as { 0 = 8, 4 = 4 }"),
            (json!("4"), "a table of epochs"),
            (json!(1.5), "at least 1"),
        ] {
            let error = read(value).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
