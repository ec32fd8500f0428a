//! A run config as a list of keys: hyperparameters for programs that know no tables.

use serde_json::Value;

/// Every key with its value, as `optimizer.lr`; elements of a list by number, as `callbacks.0.id`. A list
/// without tables is one value. Keys without a value are left out.
pub(crate) fn flat(config: &Value) -> Vec<(String, Value)> {
    let mut keys = Vec::new();
    add("", config, &mut keys);
    keys
}

fn add(key: &str, value: &Value, keys: &mut Vec<(String, Value)>) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        Value::Object(table) => table.iter().for_each(|(name, value)| add(&below(name), value, keys)),
        Value::Array(elements) if elements.iter().any(Value::is_object) => {
            for (index, element) in elements.iter().enumerate() {
                add(&below(&index.to_string()), element, keys);
            }
        }
        Value::Null => {}
        value => keys.push((key.to_owned(), value.clone())),
    }
}

/// A value as text: texts as they are, others as JSON.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_of_tables_and_of_tables_in_lists_have_their_path() {
        let config = json!({
            "seed": 1,
            "model": { "id": "tiny", "weights": null },
            "optimizer": { "betas": [0.9, 0.99] },
            "callbacks": [{ "id": "a" }, { "id": "b", "on": true }],
        });
        let found: Vec<String> =
            flat(&config).into_iter().map(|(key, value)| format!("{key}={}", text(&value))).collect();
        let expected = [
            "seed=1",
            "model.id=tiny",
            "optimizer.betas=[0.9,0.99]",
            "callbacks.0.id=a",
            "callbacks.1.id=b",
            "callbacks.1.on=true",
        ];
        assert_eq!(found, expected);
    }
}
