//! How long a run may take.

use std::fmt;

use serde_json::{Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key, ObjectReader};

/// What the key takes.
const EXPECTED: &str = "a text DD:HH:MM:SS, or a table of weeks, days, hours, minutes and seconds";
/// The parts of a table, with their seconds.
const PARTS: [(&str, u64); 5] =
    [("weeks", 604_800), ("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1)];

/// A time as Lightning's `max_time` takes it: `"00:12:00:00"` is twelve hours, as `{ hours = 12 }` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxTime {
    seconds: u64,
}

impl MaxTime {
    /// Whether a run that takes so many seconds has used it up.
    pub fn is_reached(self, seconds: f64) -> bool {
        seconds >= self.seconds as f64
    }

    /// `DD:HH:MM:SS`, with any number of days.
    fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.trim().split(':').collect();
        let [days, small @ ..] = parts.as_slice() else { return None };
        let has_digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if small.len() != 3 || small.iter().any(|part| part.len() != 2) || !parts.iter().all(has_digits) {
            return None;
        }
        let numbers: Vec<u64> = small.iter().map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let days: u64 = days.parse().ok()?;
        let seconds =
            days.checked_mul(86_400)?.checked_add(numbers[0] * 3600 + numbers[1] * 60 + numbers[2])?;
        Some(Self { seconds })
    }
}

impl fmt::Display for MaxTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, seconds) = (self.seconds / 60, self.seconds % 60);
        let (hours, days) = (minutes / 60 % 24, minutes / 60 / 24);
        write!(f, "{days:02}:{hours:02}:{:02}:{seconds:02}", minutes % 60)
    }
}

impl Config for MaxTime {
    fn schema() -> Value {
        let parts = PARTS.map(|(name, _)| (name.to_owned(), json!({ "type": "integer", "minimum": 0 })));
        let parts: serde_json::Map<_, _> = parts.into_iter().collect();
        json!({ "anyOf": [
            { "type": "string", "pattern": r"^\s*\d+:\d\d:\d\d:\d\d\s*$" },
            { "type": "object", "properties": parts, "additionalProperties": false },
        ] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let mismatch = || ConfigError::mismatch(key, value, EXPECTED);
        match value {
            Value::String(text) => Self::read(text).ok_or_else(mismatch),
            Value::Object(_) => {
                let mut reader = ObjectReader::new(value, key)?;
                let mut all = Some(0_u64);
                for (name, of_one) in PARTS {
                    let number = reader.field::<u64>(name, Some(0))?;
                    all = number.checked_mul(of_one).and_then(|part| all?.checked_add(part));
                }
                reader.finish()?;
                Ok(Self { seconds: all.ok_or_else(mismatch)? })
            }
            _ => Err(mismatch()),
        }
    }

    fn to_value(&self) -> Value {
        json!(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<MaxTime, String> {
        MaxTime::from_value(&value, &Key::root().child("max_time")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_time_is_a_text_or_a_table() {
        let time = read(json!("01:02:03:04")).unwrap();
        assert_eq!(time.seconds, 86_400 + 2 * 3600 + 3 * 60 + 4);
        assert_eq!(read(json!({ "days": 1, "hours": 2, "minutes": 3, "seconds": 4 })).unwrap(), time);
        assert_eq!(read(time.to_value()).unwrap(), time);
        assert_eq!(read(json!({ "weeks": 2, "seconds": 90 })).unwrap().to_string(), "14:00:01:30");
        assert!(time.is_reached(93_784.0) && !time.is_reached(93_783.9));
    }

    #[test]
    fn another_form_is_refused_with_the_right_one() {
        for value in [json!("12:00:00"), json!("0:1:2:3"), json!("a:00:00:00"), json!(60), json!("")] {
            let error = read(value).unwrap_err();
            assert!(error.contains("`max_time`") && error.contains("DD:HH:MM:SS"), "{error}");
        }
        let error = read(json!({ "minute": 3 })).unwrap_err();
        assert!(error.contains("did you mean `minutes`?"), "{error}");
    }
}
