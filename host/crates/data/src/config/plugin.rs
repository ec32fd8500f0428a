//! `kind = "plugin"`: one flat table, dealt out between the host and the data set.

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key, TableSchema};
use thaw_plugin_api::dataset::Form;

use super::{ImageConfig, LoadingConfig, Padding, TextConfig};
use crate::DataError;

/// How samples are prepared and batched.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SamplesConfig {
    /// Batches, order, threads, `val_split`.
    pub loading: LoadingConfig,
    /// How pictures become inputs; unused for other samples.
    pub images: ImageConfig,
    /// How texts become inputs, of which the columns are unused; needed for texts.
    pub texts: Option<TextConfig>,
    /// Names of the classes in the order of the model's outputs. Default: as the samples say.
    pub classes: Option<Vec<String>>,
}

/// `kind = "plugin"`: the data set of a loaded plugin.
///
/// Beside `id` stand the data set's own keys and those of the host: of loading, and of pictures or texts
/// where it gives such. A key that both have is the data set's; those of loading are the host's alone.
#[derive(Debug, Clone, PartialEq, Default, Config)]
pub struct PluginConfig {
    /// Id of a plugin's data set.
    pub id: String,
    /// All keys but `kind`, `id` and those of loading. Which ones the data set has, is known once its plugin
    /// is loaded.
    #[config(rest)]
    pub keys: Map<String, Value>,
    /// Names of the classes in the order of the model's outputs, where the table does not list them.
    #[config(skip)]
    pub(super) order: Option<Vec<String>>,
}

/// Keys of the host where a data set gives pictures.
#[derive(Config)]
struct Pictures {
    classes: Option<Vec<String>>,
    #[config(flatten)]
    images: ImageConfig,
}

/// Keys of the host where a data set gives texts: there are no columns to be named.
#[derive(Config)]
struct Texts {
    classes: Option<Vec<String>>,
    tokenizer: PathBuf,
    #[config(range = 2..)]
    max_length: Option<usize>,
    #[config(default = Padding::Longest)]
    padding: Padding,
    pad_token_id: Option<u32>,
    #[config(default = true)]
    bucket: bool,
}

/// Keys of the host where a data set gives arrays.
#[derive(Config)]
struct Arrays {
    classes: Option<Vec<String>>,
}

impl PluginConfig {
    /// The schema of a table with the data set `id`, whose own keys have the schema `own`: these, and the
    /// host's for samples of every form, since which one it gives is not known before it is open.
    pub fn schema_of(id: &str, own: Value) -> TableSchema {
        let mut table = TableSchema::tagged("id", id);
        table.property("kind", &[], json!({ "const": "plugin" }), "", None);
        for mut hosts in [LoadingConfig::schema(), Pictures::schema(), Texts::schema()] {
            // A tokenizer is required of texts alone.
            hosts["required"].take();
            table.flatten(hosts);
        }
        if own.get("properties").is_none() {
            table.open();
        }
        table.flatten(own);
        table
    }

    /// The keys of the data set's own, by the JSON Schema of its configuration.
    ///
    /// # Errors
    /// A key that neither the data set nor the host has, or one of loading that the data set has, too.
    pub fn own(&self, schema: &Value) -> Result<Value, ConfigError> {
        let reserved: Vec<String> = ["kind".to_owned(), "id".to_owned()]
            .into_iter()
            .chain(keys_of::<LoadingConfig>())
            .filter(|key| has(schema, key))
            .collect();
        if let Some(key) = reserved.first() {
            let expected =
                format!("another name: the key is the host's, and dataset `{}` has it, too", self.id);
            return Err(ConfigError::value(key, "a key of the data set's", expected).within(&table_key()));
        }
        let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let mut own = Map::new();
        for (key, value) in &self.keys {
            if has(schema, key) || !is_closed && !is_hosts(key) {
                own.insert(key.clone(), value.clone());
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
    ) -> Result<SamplesConfig, ConfigError> {
        let mut config = SamplesConfig { loading: loading.clone(), ..SamplesConfig::default() };
        let classes = match form {
            Form::Pictures => {
                let Pictures { classes, images } = self.hosts(schema, form)?;
                config.images = images;
                classes
            }
            Form::Texts | Form::TextPairs => {
                let Texts { classes, tokenizer, max_length, padding, pad_token_id, bucket } =
                    self.hosts(schema, form)?;
                let texts =
                    TextConfig { tokenizer, max_length, padding, pad_token_id, bucket, ..Default::default() };
                config.texts = Some(texts);
                classes
            }
            Form::Arrays(_) => self.hosts::<Arrays>(schema, form)?.classes,
        };
        config.classes = classes.or_else(|| self.order.clone());
        Ok(config)
    }

    /// The host's keys of the table, which are those for samples of this form.
    fn hosts<T: Config>(&self, schema: &Value, form: &Form) -> Result<T, ConfigError> {
        let table: Map<String, Value> =
            self.keys.iter().filter(|(key, _)| !has(schema, key) && is_hosts(key)).map(owned).collect();
        let known = keys_of::<T>();
        if let Some((key, value)) = table.iter().find(|(key, _)| !known.contains(key)) {
            let expected = format!("no such key: dataset `{}` gives {}", self.id, form.name());
            return Err(ConfigError::mismatch(&table_key().child(key), value, expected));
        }
        let lacks_tokenizer = || table.get(TOKENIZER).is_none_or(|tokenizer| tokenizer == "");
        if known.iter().any(|key| key == TOKENIZER) && lacks_tokenizer() {
            let expected = format!("a tokenizer.json: dataset `{}` gives {}", self.id, form.name());
            return Err(ConfigError::MissingKey { key: table_key().child(TOKENIZER), expected });
        }
        T::from_value(&Value::Object(table), &table_key())
    }

    /// The refusal of whoever opens data without plugins.
    pub(crate) fn without_plugin(&self) -> DataError {
        let found = format!("the data set `{}` of a plugin", self.id);
        DataError::value("kind", found, "data of a kind that is read from files alone")
    }

    fn unknown(&self, key: &str, schema: &Value) -> ConfigError {
        let own = schema.get("properties").and_then(Value::as_object);
        let known: Vec<String> =
            own.into_iter().flat_map(|own| own.keys().cloned()).chain(hosts_keys()).collect();
        ConfigError::UnknownKey {
            key: table_key().child(key),
            nearest: thaw_plugin_api::nearest(key, known.iter().map(String::as_str)).map(str::to_owned),
            known,
        }
    }
}

const TOKENIZER: &str = "tokenizer";

/// Where a run config has the table.
fn table_key() -> Key {
    Key::root().child("data")
}

fn owned((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// Whether the schema of a table has a key.
fn has(schema: &Value, key: &str) -> bool {
    schema.get("properties").is_some_and(|properties| properties.get(key).is_some())
}

/// The keys that a table may have.
fn keys_of<T: Config>() -> Vec<String> {
    T::table_keys(&Map::new()).unwrap_or_default()
}

fn hosts_keys() -> impl Iterator<Item = String> {
    let of_samples = keys_of::<Pictures>().into_iter().chain(keys_of::<Texts>());
    keys_of::<LoadingConfig>().into_iter().chain(of_samples)
}

fn is_hosts(key: &str) -> bool {
    hosts_keys().any(|known| known == key)
}
