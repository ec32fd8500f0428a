//! JSON Schema of tables, put together key by key.

use serde_json::{Map, Value, json};

use super::Config;

/// The schema of a value with everything that it refers to, for a file of its own.
pub fn document<C: Config>() -> Value {
    let mut schema = C::schema();
    let mut definitions = Definitions::default();
    C::definitions(&mut definitions);
    if let (Some(object), false) = (schema.as_object_mut(), definitions.schemas.is_empty()) {
        object.insert(Definitions::KEY.to_owned(), Value::Object(definitions.schemas));
    }
    schema
}

/// Schemas that are written once and referred to by name.
#[derive(Debug, Default)]
pub struct Definitions {
    schemas: Map<String, Value>,
}

impl Definitions {
    /// Where a document keeps them.
    pub const KEY: &'static str = "$defs";

    /// A schema that stands for a definition.
    pub fn reference(name: &str) -> Value {
        json!({ "$ref": format!("#/{}/{name}", Self::KEY) })
    }

    /// Adds a definition; false where it is there already.
    pub fn add(&mut self, name: &str, schema: impl FnOnce() -> Value) -> bool {
        let is_new = !self.schemas.contains_key(name);
        if is_new {
            self.schemas.insert(name.to_owned(), schema());
        }
        is_new
    }
}

/// A table's schema in the making.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct TableSchema {
    properties: Map<String, Value>,
    required: Vec<Value>,
    is_open: bool,
    /// Tables of which it also is one, where one of its keys says which.
    choices: TaggedSchema,
}

impl TableSchema {
    pub fn new() -> Self {
        Self::default()
    }

    /// A table in which the key `tag` is `name`.
    pub fn tagged(tag: &str, name: &str) -> Self {
        Self::with_tag(tag, json!({ "const": name }))
    }

    /// A table in which the key `tag` is one of several names.
    pub fn with_tag(tag: &str, names: Value) -> Self {
        let mut schema = Self::new();
        schema.properties.insert(tag.to_owned(), names);
        schema.required.push(tag.into());
        schema
    }

    /// Adds a key. One with another spelling is never required: either of them will do.
    pub fn property(
        &mut self,
        key: &str,
        aliases: &[&str],
        mut schema: Value,
        help: &str,
        default: Option<Value>,
    ) {
        if let Some(object) = schema.as_object_mut() {
            if !help.is_empty() {
                object.insert("description".to_owned(), help.into());
            }
            match default {
                Some(default) => drop(object.insert("default".to_owned(), default)),
                None if aliases.is_empty() => self.required.push(key.into()),
                None => {}
            }
        }
        for alias in aliases {
            self.properties.insert((*alias).to_owned(), schema.clone());
        }
        self.properties.insert(key.to_owned(), schema);
    }

    /// Puts a nested table's keys into this one.
    pub fn flatten(&mut self, nested: Value) {
        if let Some(Value::Array(choices)) = nested.get("oneOf") {
            self.choices.choices.extend(choices.iter().cloned());
            self.choices.tag = tag_of(&nested).to_owned();
            return;
        }
        if let Some(Value::Object(table)) = nested.get("properties") {
            self.properties.extend(table.clone());
        }
        if let Some(Value::Array(keys)) = nested.get("required") {
            self.required.extend(keys.iter().cloned());
        }
        self.is_open |= nested.get("additionalProperties").is_some_and(|more| *more != json!(false));
    }

    /// Takes keys that it does not name.
    pub fn open(&mut self) {
        self.is_open = true;
    }

    pub fn finish(mut self, help: &str) -> Value {
        let choices = std::mem::take(&mut self.choices);
        if choices.choices.is_empty() {
            return json!({
                "type": "object", "description": help, "properties": self.properties,
                "required": self.required, "additionalProperties": self.is_open,
            });
        }
        let merged = choices.choices.into_iter().map(|choice| self.merged(choice)).collect();
        TaggedSchema { tag: choices.tag, choices: merged }.finish(help)
    }

    /// A choice with this table's keys beside its own.
    fn merged(&self, choice: Value) -> Value {
        let help = choice.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        let title = choice.get("title").cloned();
        let mut table = Self::new();
        table.flatten(choice);
        table.properties.extend(self.properties.clone());
        table.required.extend(self.required.iter().cloned());
        table.is_open |= self.is_open;
        let mut schema = table.finish(&help);
        if let Some(title) = title {
            schema["title"] = title;
        }
        schema
    }
}

/// The schema of a table whose tag says which keys it has.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct TaggedSchema {
    tag: String,
    choices: Vec<Value>,
}

impl TaggedSchema {
    pub fn new(tag: &str) -> Self {
        Self { tag: tag.to_owned(), choices: Vec::new() }
    }

    /// Adds what the table is where its tag is `name`.
    pub fn choice(&mut self, name: &str, help: &str, schema: TableSchema) {
        let mut schema = schema.finish(help);
        schema["title"] = name.into();
        self.choices.push(schema);
    }

    /// The tag with all that it may say stands in the schema itself, too: what is said of an unknown one is
    /// short then.
    pub fn finish(self, help: &str) -> Value {
        let tag = self.tag;
        let list = |key: &str| self.choices.iter().map(|choice| choice[key].clone()).collect::<Vec<_>>();
        json!({
            "type": "object", "description": help, "required": [tag],
            "properties": {
                &tag: { "type": "string", "enum": list("title"), "enumDescriptions": list("description") },
            },
            "oneOf": self.choices,
        })
    }
}

/// The key that says which of its choices a table is.
fn tag_of(schema: &Value) -> &str {
    schema.pointer("/required/0").and_then(Value::as_str).unwrap_or_default()
}

/// The schema of a table, or of the value of the one key that may stand for it.
#[doc(hidden)]
pub fn short_schema(short: Value, table: Value) -> Value {
    let help = table.get("description").cloned().unwrap_or_default();
    json!({ "description": help, "anyOf": [short, table] })
}
