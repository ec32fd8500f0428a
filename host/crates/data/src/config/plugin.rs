//! `kind = "plugin"`: one flat table, dealt out between the host and the data set.

use serde_json::{Map, Value};
use thaw_plugin_api::dataset::Form;
use toml::Table;

use super::table::{Keys, keys_of};
use super::{DataError, ImageConfig, LoadingConfig, TextConfig};
use crate::SamplesConfig;
use crate::error::nearest;

/// `kind = "plugin"`: the data set of a loaded plugin.
///
/// Beside `id` stand the data set's own keys and those of the host: of loading, and of pictures or texts where
/// it gives such. A key that both have is the data set's; those of loading are the host's alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PluginConfig {
    /// The data set's id.
    pub id: String,
    /// All keys but `kind`, `id` and those of loading.
    pub keys: Table,
    /// Names of the classes in the order of the model's outputs, where the table does not list them.
    pub(super) order: Option<Vec<String>>,
}

/// Keys of texts that come from elsewhere: there are no columns to be named.
const TEXT_KEYS: [&str; 5] = ["tokenizer", "max_length", "padding", "pad_token_id", "bucket"];

/// Names of the classes, in the order of the model's outputs.
const CLASSES: &str = "classes";

impl PluginConfig {
    /// The keys of the data set's own, by the JSON Schema of its configuration.
    ///
    /// # Errors
    /// A key that neither the data set nor the host has, or one of loading that the data set has, too.
    pub fn own(&self, schema: &Value) -> Result<Value, DataError> {
        let reserved: Vec<String> = ["kind".to_owned(), "id".to_owned()]
            .into_iter()
            .chain(keys_of::<LoadingConfig>())
            .filter(|key| has(schema, key))
            .collect();
        if let Some(key) = reserved.first() {
            let expected =
                format!("another name: the key is the host's, and dataset `{}` has it, too", self.id);
            return Err(DataError::value(key, "a key of the data set's", expected));
        }
        let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let mut own = Map::new();
        for (key, value) in &self.keys {
            if has(schema, key) || !is_closed && !is_hosts(key) {
                own.insert(key.clone(), serde_json::to_value(value).unwrap_or_default());
            } else if !is_hosts(key) {
                return Err(self.unknown(key, schema));
            }
        }
        Ok(Value::Object(own))
    }

    /// How samples of this form are prepared.
    ///
    /// # Errors
    /// A key of pictures or texts where samples are none, or a value that does not fit.
    pub fn samples(
        &self,
        schema: &Value,
        form: &Form,
        loading: &LoadingConfig,
    ) -> Result<SamplesConfig, DataError> {
        let hosts = self.keys.iter().filter(|(key, _)| !has(schema, key) && is_hosts(key));
        let table = hosts.map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut keys = Keys::new(table);
        let mut config = SamplesConfig { loading: loading.clone(), ..SamplesConfig::default() };
        config.classes = keys.take_one(CLASSES)?.or_else(|| self.order.clone());
        match form {
            Form::Pictures => {
                config.images = keys.take()?;
                config.images.check()?;
            }
            Form::Texts | Form::TextPairs => {
                let texts: TextConfig = keys.take_of(&TEXT_KEYS)?;
                texts.check()?;
                if texts.tokenizer.as_os_str().is_empty() {
                    let expected = format!("a tokenizer.json: dataset `{}` gives {}", self.id, form.name());
                    return Err(DataError::value("tokenizer", "nothing", expected));
                }
                config.texts = Some(texts);
            }
            Form::Arrays(_) => {}
        }
        match keys.rest().next() {
            Some((key, value)) => {
                let expected = format!("no such key: dataset `{}` gives {}", self.id, form.name());
                Err(DataError::value(key, value, expected))
            }
            None => Ok(config),
        }
    }

    /// The refusal of whoever opens data without plugins.
    pub(crate) fn without_plugin(&self) -> DataError {
        let found = format!("the data set `{}` of a plugin", self.id);
        DataError::value("kind", found, "data of a kind that is read from files alone")
    }

    fn unknown(&self, key: &str, schema: &Value) -> DataError {
        let own = schema.get("properties").and_then(Value::as_object);
        let known: Vec<String> =
            own.into_iter().flat_map(|own| own.keys().cloned()).chain(hosts_keys()).collect();
        DataError::UnknownKey {
            key: key.to_owned(),
            kind: "plugin".to_owned(),
            hint: format!("dataset `{}`: {}", self.id, nearest(key, known.iter().map(String::as_str))),
        }
    }
}

/// Whether the schema of a table has a key.
fn has(schema: &Value, key: &str) -> bool {
    schema.get("properties").is_some_and(|properties| properties.get(key).is_some())
}

fn hosts_keys() -> impl Iterator<Item = String> {
    let of_texts = TEXT_KEYS.into_iter().chain([CLASSES]).map(str::to_owned);
    keys_of::<LoadingConfig>().into_iter().chain(keys_of::<ImageConfig>()).chain(of_texts)
}

fn is_hosts(key: &str) -> bool {
    hosts_keys().any(|known| known == key)
}
