//! Values for the keys of a schema: those to complete a configuration with, random ones, wrong ones.

use serde_json::{Map, Value, json};

use thaw_data::CounterRng;

/// How large random numbers may be where a schema leaves it open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sizes {
    /// A few dozen above the minimum.
    Small,
    /// Up to what the type holds.
    Any,
}

/// The given keys, and for required ones that are missing a value where one can be guessed.
///
/// # Errors
/// The keys for which none can.
pub fn complete(schema: &Value, given: Map<String, Value>) -> Result<Map<String, Value>, Vec<String>> {
    let mut config = given;
    let mut open = Vec::new();
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    for key in required.iter().filter_map(Value::as_str) {
        if config.contains_key(key) {
            continue;
        }
        match schema.get("properties").and_then(|properties| properties.get(key)).and_then(guess) {
            Some(value) => drop(config.insert(key.to_owned(), value)),
            None => open.push(format!("`{key}`")),
        }
    }
    if open.is_empty() { Ok(config) } else { Err(open) }
}

/// A value that a key without a default will probably take.
fn guess(property: &Value) -> Option<Value> {
    if let Some(first) = property.get("enum").and_then(Value::as_array).and_then(|words| words.first()) {
        return Some(first.clone());
    }
    if let Some(forms) = forms(property) {
        return forms.iter().find_map(guess);
    }
    let range = Range::of(property);
    match kind(property) {
        "integer" => Some(json!(range.low_integer().max(1))),
        "number" => Some(json!(range.low.map_or(0.5, |low| if range.open_low { low + 0.5 } else { low }))),
        "boolean" => Some(json!(false)),
        _ => None,
    }
}

/// A random configuration within the schema: some keys of `usual` changed, or all of them. Those that are
/// `given` stay.
pub fn random(
    schema: &Value,
    usual: &Map<String, Value>,
    given: &Map<String, Value>,
    numbers: &mut CounterRng,
    sizes: Sizes,
) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let open: Vec<_> =
        properties.into_iter().flatten().filter(|(key, _)| !given.contains_key(*key)).collect();
    // Sizes that go together seldom do when all of them are random.
    let few = (numbers.below(2) == 0).then(|| {
        (0..=numbers.below(3)).map(|_| numbers.below(open.len().max(1) as u64) as usize).collect::<Vec<_>>()
    });
    let mut config = usual.clone();
    for (index, (key, property)) in open.into_iter().enumerate() {
        let has_value = property.get("default").is_some() || usual.contains_key(key);
        let stays = match &few {
            Some(few) => has_value && !few.contains(&index),
            None => has_value && numbers.below(5) < 2,
        };
        if !stays {
            config.insert(key.clone(), value(property, numbers, sizes));
        }
    }
    config
}

/// Whether a key of this schema takes a value of this type.
pub fn fits(property: &Value, value: &Value) -> bool {
    match value {
        Value::Array(elements) => {
            let length = |key: &str| {
                property.get(key).and_then(Value::as_u64).is_none_or(|length| length == elements.len() as u64)
            };
            let items = property.get("items").unwrap_or(&Value::Null);
            kind(property) == "array"
                && length("minItems")
                && length("maxItems")
                && elements.iter().all(|element| fits(items, element))
        }
        Value::Number(number) => kind(property) == if number.is_i64() { "integer" } else { "number" },
        _ => false,
    }
}

fn value(schema: &Value, numbers: &mut CounterRng, sizes: Sizes) -> Value {
    if schema.get("nullable").and_then(Value::as_bool) == Some(true) && numbers.below(4) == 0 {
        return Value::Null;
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array).filter(|words| !words.is_empty()) {
        return words[numbers.below(words.len() as u64) as usize].clone();
    }
    if let Some(forms) = forms(schema) {
        return value(&forms[numbers.below(forms.len() as u64) as usize], numbers, sizes);
    }
    match kind(schema) {
        "boolean" => json!(numbers.below(2) == 1),
        "integer" => integer(&Range::of(schema), numbers, sizes),
        "number" => number(&Range::of(schema), numbers, sizes),
        "string" => {
            let words = ["", "backbone", "head", "*", "no such thing", "ü/…"];
            let default =
                schema.get("default").filter(|default| default.is_string() && numbers.below(2) == 0);
            default.cloned().unwrap_or_else(|| json!(words[numbers.below(words.len() as u64) as usize]))
        }
        "array" => {
            let items = schema.get("items").cloned().unwrap_or_default();
            let length = |key: &str| schema.get(key).and_then(Value::as_u64);
            let shortest = length("minItems").unwrap_or(0);
            let longest = length("maxItems").unwrap_or(shortest + 3);
            let length = shortest + numbers.below(longest.saturating_sub(shortest) + 1);
            (0..length).map(|_| value(&items, numbers, sizes)).collect()
        }
        "object" => match schema.get("additionalProperties").filter(|more| more.is_object()) {
            Some(more) => Value::Object(
                (0..numbers.below(3))
                    .map(|index| (format!("key{index}"), value(more, numbers, sizes)))
                    .collect(),
            ),
            None => Value::Object(random(schema, &Map::new(), &Map::new(), numbers, sizes)),
        },
        _ => schema.get("default").cloned().unwrap_or(Value::Null),
    }
}

fn integer(range: &Range, numbers: &mut CounterRng, sizes: Sizes) -> Value {
    let low = range.low_integer();
    let high = range.high.map(|high| high as i64 - i64::from(range.open_high));
    let near = low.saturating_add(numbers.below(33) as i64);
    let number = match (numbers.below(8), sizes, high) {
        (0, _, _) => low,
        (1, Sizes::Any, Some(high)) => high,
        (1, Sizes::Any, None) => i64::MAX,
        (_, _, Some(high)) => near.min(high),
        (_, _, None) => near,
    };
    json!(number)
}

fn number(range: &Range, numbers: &mut CounterRng, sizes: Sizes) -> Value {
    let low = range.low.unwrap_or(0.0);
    let high = range.high.unwrap_or(low + 2.0);
    // A factor on widths or depths is a size, too.
    let high = if sizes == Sizes::Small { high.min(low.max(0.0) + 1.0) } else { high };
    match numbers.below(8) {
        0 if !range.open_low => json!(low),
        1 if !range.open_high => json!(high),
        // Not the lower end itself.
        _ => json!(high - (high - low) * (0.999 * numbers.unit() + 0.0005)),
    }
}

/// Values that a key must refuse: just outside of its range, of another type, none of its words.
pub fn wrong_values(property: &Value) -> Vec<Value> {
    let mut wrong = Vec::new();
    let range = Range::of(property);
    let kind = kind(property);
    if property.get("enum").is_some() {
        wrong.push(json!("no-such-word"));
    }
    // Inside of a list where the range is that of its elements.
    let wrap = |value: Value| if kind == "array" { json!([value]) } else { value };
    let step = |limit: f64| if range.is_integer { 1.0 } else { 1e-3 * limit.abs().max(1.0) };
    let numeral = |number: f64| if range.is_integer { json!(number as i64) } else { json!(number) };
    if let Some(low) = range.low {
        wrong.push(wrap(numeral(if range.open_low { low } else { low - step(low) })));
    }
    if let Some(high) = range.high {
        wrong.push(wrap(numeral(if range.open_high { high } else { high + step(high) })));
    }
    match kind {
        "integer" => wrong.extend([json!(1.5), json!("no number"), json!([1])]),
        "number" if !takes_text(property) => wrong.push(json!("no number")),
        "boolean" => wrong.extend([json!(1), json!("true")]),
        "string" => wrong.extend([json!(1), json!(["list"])]),
        "array" => wrong.push(json!({ "no": "list" })),
        "object" => wrong.push(json!(["no table"])),
        _ => {}
    }
    wrong
}

/// The forms that a value may have, where it may have several.
fn forms(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("anyOf").and_then(Value::as_array).filter(|forms| !forms.is_empty())
}

/// The first type that a schema names: the others are further ways to write it.
fn kind(schema: &Value) -> &str {
    let kind = schema.get("type");
    let first = kind.and_then(Value::as_array).and_then(|kinds| kinds.first());
    first.or(kind).and_then(Value::as_str).unwrap_or_default()
}

fn takes_text(schema: &Value) -> bool {
    schema
        .get("type")
        .and_then(Value::as_array)
        .is_some_and(|kinds| kinds.iter().any(|kind| kind == "string"))
}

/// What a schema says of a number, or of the numbers of a list.
struct Range {
    low: Option<f64>,
    high: Option<f64>,
    open_low: bool,
    open_high: bool,
    is_integer: bool,
}

impl Range {
    fn of(schema: &Value) -> Self {
        let schema = schema.get("items").unwrap_or(schema);
        let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
        let (open_low, open_high) = (limit("exclusiveMinimum"), limit("exclusiveMaximum"));
        Self {
            low: limit("minimum").or(open_low),
            high: limit("maximum").or(open_high),
            open_low: open_low.is_some(),
            open_high: open_high.is_some(),
            is_integer: kind(schema) == "integer",
        }
    }

    fn low_integer(&self) -> i64 {
        self.low.map_or(0, |low| low as i64 + i64::from(self.open_low))
    }
}

/// Whether two values are the same to a reader: 1 is 1.0, keys may be in any order.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object", "required": ["size", "path"],
            "properties": {
                "size": { "type": "integer", "minimum": 1, "maximum": 9 },
                "path": { "type": "string", "format": "path" },
                "rate": { "type": "number", "exclusiveMinimum": 0.0, "maximum": 1.0, "default": 0.5 },
                "sizes": { "type": "array", "items": { "type": "integer", "minimum": 1 }, "default": [] },
                "mode": { "type": "string", "enum": ["train", "eval"], "default": "eval" },
                "layers": { "type": "array", "items": { "type": "integer" }, "minItems": 2, "maxItems": 2,
                    "default": [3, 4] },
            },
        })
    }

    #[test]
    fn required_keys_are_guessed_where_the_schema_says_enough() {
        assert_eq!(complete(&schema(), Map::new()), Err(vec!["`path`".to_owned()]));
        let rates = json!({ "anyOf": [
            { "type": "object" },
            { "type": "number", "exclusiveMinimum": 0.0 },
        ] });
        let rates = json!({ "required": ["rates"], "properties": { "rates": rates } });
        assert_eq!(complete(&rates, Map::new()).unwrap().get("rates"), Some(&json!(0.5)));
        let given = Map::from_iter([("path".to_owned(), json!("here"))]);
        assert_eq!(complete(&schema(), given).unwrap().get("size"), Some(&json!(1)));
    }

    #[test]
    fn random_values_keep_to_the_schema() {
        let mut numbers = CounterRng::new(&[7]);
        for _ in 0..500 {
            let config = random(&schema(), &Map::new(), &Map::new(), &mut numbers, Sizes::Any);
            let size = config["size"].as_i64().unwrap();
            assert!((1..=9).contains(&size), "{size}");
            if let Some(rate) = config.get("rate").and_then(Value::as_f64) {
                assert!(rate > 0.0 && rate <= 1.0, "{rate}");
            }
            assert!(config.get("mode").is_none_or(|mode| mode == "train" || mode == "eval"));
            assert!(
                config
                    .get("layers")
                    .is_none_or(|layers| layers.as_array().is_some_and(|layers| layers.len() == 2))
            );
        }
    }

    #[test]
    fn half_of_the_random_configurations_differ_in_few_keys_from_the_usual_one() {
        let mut numbers = CounterRng::new(&[8]);
        let usual = Map::from_iter(
            ["size", "path", "rate", "sizes", "mode", "layers"].map(|key| (key.to_owned(), json!("usual"))),
        );
        let given = Map::from_iter([("path".to_owned(), json!("usual"))]);
        let configs: Vec<_> =
            (0..500).map(|_| random(&schema(), &usual, &given, &mut numbers, Sizes::Any)).collect();
        let usual_keys =
            |config: &Map<String, Value>| config.values().filter(|value| **value == json!("usual")).count();
        let near = configs.iter().filter(|config| usual_keys(config) >= 4).count();
        assert!((230..400).contains(&near), "{near} of 500");
        assert!(configs.iter().all(|config| config["path"] == "usual"));
    }

    #[test]
    fn a_value_fits_a_key_of_its_type_and_length() {
        let fits = |key: &str, value: Value| fits(&schema()["properties"][key], &value);
        assert!(fits("size", json!(3)) && !fits("size", json!(0.5)) && !fits("size", json!([1])));
        assert!(fits("rate", json!(0.5)) && !fits("rate", json!(1)));
        assert!(
            fits("layers", json!([1, 1]))
                && !fits("layers", json!([1, 1, 1]))
                && !fits("layers", json!([0.5, 0.5]))
        );
    }

    #[test]
    fn wrong_values_lie_just_outside() {
        let wrong = |key: &str| wrong_values(&schema()["properties"][key]);
        assert!(wrong("size").contains(&json!(0)) && wrong("size").contains(&json!(10)));
        assert!(wrong("rate").contains(&json!(0.0)), "the limit itself where it is excluded");
        assert!(wrong("sizes").contains(&json!([0])));
        assert!(wrong("mode").contains(&json!("no-such-word")));
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(same(&json!({ "a": 1, "b": [2.0] }), &json!({ "b": [2], "a": 1.0 })));
        assert!(!same(&json!({ "a": 1 }), &json!({ "a": 1, "b": null })));
    }
}
