//! From and to TOML: one flat table is dealt out to the structs that own its keys.

use super::*;
use serde::{Deserializer, Serializer};
use toml::{Table, Value};

impl DataConfig {
    /// Reads the `[data]` table; an unknown key is refused with the nearest one.
    pub fn from_table(table: &Table) -> Result<DataConfig, DataError> {
        let mut table = table.clone();
        let kind = match table.remove("kind") {
            Some(Value::String(kind)) => kind,
            Some(other) => return Err(DataError::value("kind", other, one_of_kinds())),
            None => return Err(DataError::value("kind", "nothing", one_of_kinds())),
        };
        let mut keys = Keys::new(table);
        let loading = keys.take::<LoadingConfig>()?;
        let has_pictures = ["image-folder", "list", "cifar10"].contains(&kind.as_str());
        let images = if has_pictures { keys.take()? } else { ImageConfig::default() };
        let source = match kind.as_str() {
            "image-folder" => Source::ImageFolder(keys.take()?),
            "list" => Source::List(keys.take()?),
            "cifar10" => Source::Cifar10(keys.take()?),
            "tensors" => Source::Tensors(keys.take()?),
            "text" => Source::Text(keys.take()?),
            "plugin" => Source::Plugin(PluginConfig {
                id: keys.take_one("id")?.ok_or_else(|| {
                    DataError::value("id", "nothing", "the id of a plugin's data set (`host plugin list`)")
                })?,
                // Which keys the data set has, is known once its plugin is loaded.
                keys: std::mem::take(&mut keys.table),
                order: None,
            }),
            _ => {
                let hint = format!("{}; {}", one_of_kinds(), nearest(&kind, KINDS));
                return Err(DataError::value("kind", format!("\"{kind}\""), hint));
            }
        };
        let config = DataConfig { source, loading, images };
        if let Some(key) = keys.table.keys().next() {
            return Err(DataError::UnknownKey {
                key: key.clone(),
                kind,
                hint: nearest(key, keys.known.iter().map(String::as_str)),
            });
        }
        for (key, path) in config.paths() {
            if path.as_os_str().is_empty() {
                return Err(DataError::value(key, "nothing", "a path"));
            }
        }
        config.check()?;
        Ok(config)
    }

    /// The table that [`from_table`](Self::from_table) reads back as this config.
    pub fn to_table(&self) -> Result<Table, toml::ser::Error> {
        let mut table = Table::new();
        table.insert("kind".into(), Value::String(self.kind().into()));
        let own = match &self.source {
            Source::ImageFolder(c) => Table::try_from(c)?,
            Source::List(c) => Table::try_from(c)?,
            Source::Cifar10(c) => Table::try_from(c)?,
            Source::Tensors(c) => Table::try_from(c)?,
            Source::Text(c) => Table::try_from(c)?,
            Source::Plugin(c) => {
                let id = ("id".to_owned(), Value::String(c.id.clone()));
                std::iter::once(id).chain(c.keys.clone()).collect()
            }
        };
        table.extend(own);
        table.extend(Table::try_from(&self.loading)?);
        if self.has_pictures() {
            table.extend(Table::try_from(&self.images)?);
        }
        Ok(table)
    }
}

fn one_of_kinds() -> String {
    format!("one of {}", KINDS.map(|kind| format!("\"{kind}\"")).join(", "))
}

/// What serde expected, in words for people; the value that it found is named by who reports it.
fn expected(message: &str) -> String {
    let wanted = message.rsplit_once(", expected ").map_or(message, |(_, wanted)| wanted);
    match wanted.trim() {
        "usize" | "u64" | "u32" => "a whole number of at least 0".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "path string" => "a text".to_owned(),
        other => other.to_owned(),
    }
}

/// Keys of the table not yet dealt out, and all keys that some struct knows.
pub(super) struct Keys {
    table: Table,
    known: Vec<String>,
}

/// The keys that `T` has. Its default, written out, is the list of them.
pub(super) fn keys_of<T: Serialize + Default>() -> Vec<String> {
    match serde_json::to_value(T::default()) {
        Ok(serde_json::Value::Object(fields)) => fields.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

impl Keys {
    pub(super) fn new(table: Table) -> Keys {
        Keys { table, known: Vec::new() }
    }

    /// Takes the keys that `T` has.
    pub(super) fn take<T: DeserializeOwned + Serialize + Default>(&mut self) -> Result<T, DataError> {
        self.take_of(&keys_of::<T>())
    }

    /// Takes some of the keys that `T` has; the others keep their defaults.
    pub(super) fn take_of<T: DeserializeOwned>(&mut self, keys: &[impl AsRef<str>]) -> Result<T, DataError> {
        let mut own = Table::new();
        for key in keys.iter().map(AsRef::as_ref) {
            self.known.push(key.to_owned());
            if let Some(value) = self.table.remove(key) {
                // Alone, so that the message of a wrong type can name the key.
                let alone = Table::from_iter([(key.to_owned(), value.clone())]);
                if let Err(error) = alone.try_into::<T>() {
                    return Err(DataError::value(key, &value, expected(error.message())));
                }
                own.insert(key.to_owned(), value);
            }
        }
        let text = own.to_string();
        own.try_into().map_err(|e| DataError::value("data", text, e.message().to_string()))
    }

    /// Takes one key, where it is there.
    pub(super) fn take_one<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, DataError> {
        self.known.push(key.to_owned());
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        let read = value.clone().try_into();
        read.map(Some)
            .map_err(|error: toml::de::Error| DataError::value(key, &value, expected(error.message())))
    }

    /// What nobody took.
    pub(super) fn rest(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.table.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl<'de> Deserialize<'de> for DataConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Table::deserialize(deserializer)?;
        DataConfig::from_table(&table).map_err(serde::de::Error::custom)
    }
}

impl Serialize for DataConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_table().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}
