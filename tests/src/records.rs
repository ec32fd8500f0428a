//! Records of runs, to be compared.

use serde_json::{Value, json};

/// Keys of a record that differ from run to run.
const OF_THE_CLOCK: [&str; 2] = ["time", "seconds"];

/// Records of `metrics.jsonl` or `groups.jsonl` without the time of day and the seconds since the start. A
/// line that is no record stays as it is.
pub fn without_times(records: &[u8]) -> String {
    String::from_utf8_lossy(records).split_inclusive('\n').map(line_without_times).collect()
}

fn line_without_times(line: &str) -> String {
    let Ok(Value::Object(mut record)) = serde_json::from_str(line) else { return line.to_owned() };
    OF_THE_CLOCK.iter().for_each(|key| drop(record.shift_remove(*key)));
    format!("{}\n", Value::Object(record))
}

/// What a checkpoint says of the length of a file of records, as a number of records: in bytes they differ
/// with the times in them. A length that ends inside of a record stays as it is.
pub fn records_until(length: &Value, records: &[u8]) -> Value {
    let until = length.as_u64().and_then(|length| records.get(..usize::try_from(length).ok()?));
    match until {
        Some(until) if until.is_empty() || until.ends_with(b"\n") => {
            json!({ "records": until.iter().filter(|byte| **byte == b'\n').count() })
        }
        _ => length.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_two_runs_differ_in_their_times_alone() {
        let record =
            |time: &str| format!("{{\"epoch\":0,\"time\":\"{time}\",\"seconds\":1.5,\"val_loss\":0.25}}\n");
        let (one, other) = (record("2026-11-30T20:41:11.123Z"), record("2026-11-30T20:41:12.5Z"));
        assert_eq!(without_times(one.as_bytes()), "{\"epoch\":0,\"val_loss\":0.25}\n");
        assert_eq!(without_times(one.as_bytes()), without_times(other.as_bytes()));
        assert_eq!(without_times(b"{\"epoch\""), "{\"epoch\"");
    }

    #[test]
    fn lengths_are_counted_in_records() {
        let records = b"{}\n{\"a\":1}\n";
        assert_eq!(records_until(&json!(3), records), json!({ "records": 1 }));
        assert_eq!(records_until(&json!(11), records), json!({ "records": 2 }));
        assert_eq!(records_until(&json!(5), records), json!(5));
    }
}
