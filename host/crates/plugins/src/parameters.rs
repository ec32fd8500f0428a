//! The parameters of an id, read out of the JSON Schema of its configuration.

use serde_json::{Value, json};

/// One key of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Dotted key; `phases[].lr` is the key `lr` of each table in the list `phases`.
    pub key: String,
    /// What it takes, in words.
    pub kind: String,
    /// Value where the key is missing; `None` for a required key.
    pub default: Option<Value>,
    /// Allowed numbers or words; empty where anything of the type goes.
    pub range: String,
    /// The author's doc comment.
    pub help: String,
    /// The meaning of each word in `range`, where the author wrote one.
    pub choices: Vec<(String, String)>,
}

impl Parameter {
    /// The parameter as `host plugin inspect --json` gives it.
    pub fn to_json(&self) -> Value {
        json!({
            "key": self.key, "type": self.kind, "required": self.default.is_none(), "default": self.default,
            "range": self.range, "description": self.help,
        })
    }
}

/// Every key of a table's schema, those of nested tables below the table's own.
pub fn parameters(schema: &Value) -> Vec<Parameter> {
    let mut rows = Vec::new();
    collect(schema, "", &mut rows);
    rows
}

fn collect(schema: &Value, prefix: &str, rows: &mut Vec<Parameter>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    // The tag of one of several tables stands among the keys that they have in common.
    let keys = properties.into_iter().flatten().filter(|(_, property)| property.get("const").is_none());
    for (name, property) in keys {
        let key = format!("{prefix}{name}");
        rows.push(Parameter {
            kind: kind(property),
            default: property.get("default").cloned(),
            range: range(property),
            help: property.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
            choices: choices(property),
            key: key.clone(),
        });
        collect(property, &format!("{key}."), rows);
        if let Some(items) = property.get("items") {
            collect(items, &format!("{key}[]."), rows);
        }
    }
    for table in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        let mut own = Vec::new();
        collect(table, prefix, &mut own);
        let title = table.get("title").and_then(Value::as_str).unwrap_or_default();
        own.iter_mut().for_each(|row| row.help = format!("Of `{title}`: {}", row.help));
        rows.append(&mut own);
    }
}

/// A schema's type in the words of run configs.
fn kind(schema: &Value) -> String {
    let name = |name: &str| match name {
        "boolean" => "true/false",
        "integer" => "integer",
        "number" => "number",
        "string" if schema.get("format").and_then(Value::as_str) == Some("path") => "path",
        "string" => "text",
        "array" => "list",
        "object" => "table",
        "null" => "none",
        _ => "value",
    };
    let text = match schema.get("type") {
        Some(Value::String(one)) if one == "array" => match schema.get("items") {
            Some(items) => format!("list of {}", kind(items)),
            None => "list".to_owned(),
        },
        Some(Value::String(one)) => name(one).to_owned(),
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).map(name).collect::<Vec<_>>().join(" or ")
        }
        _ => "any value".to_owned(),
    };
    if schema.get("nullable").and_then(Value::as_bool) == Some(true) {
        format!("{text} or none")
    } else {
        text
    }
}

fn range(schema: &Value) -> String {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().map(plain).collect::<Vec<_>>().join(" | ");
    }
    let schema = schema.get("items").unwrap_or(schema);
    let limit = |key: &str| schema.get(key).map(plain);
    let low = limit("minimum")
        .map(|limit| format!("≥ {limit}"))
        .or_else(|| limit("exclusiveMinimum").map(|limit| format!("> {limit}")));
    let high = limit("maximum")
        .map(|limit| format!("≤ {limit}"))
        .or_else(|| limit("exclusiveMaximum").map(|limit| format!("< {limit}")));
    [low, high].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn choices(schema: &Value) -> Vec<(String, String)> {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let helps = list("enumDescriptions").into_iter().map(|help| plain(&help).replace('\n', " "));
    list("enum").iter().map(plain).zip(helps).filter(|(_, help)| !help.is_empty()).collect()
}

/// A value without the quotes that JSON puts around text.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
