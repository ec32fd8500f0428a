//! Pins: the SHA-256 of every plugin, written into a run config.

use std::path::Path;

use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Value};

use super::ConfigError;

/// A run config as text, to be written back with all its comments.
pub struct PinnedConfig {
    document: DocumentMut,
}

/// A plugin that a config names, and its pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Name or path, as the config has it.
    pub path: String,
    /// SHA-256, where there is one.
    pub sha256: Option<String>,
}

const PLUGINS: &str = "plugins";
const PATH: &str = "path";
const SHA256: &str = "sha256";

impl PinnedConfig {
    /// Reads the text of a run config that [`RunConfig::read`](super::RunConfig::read) took.
    ///
    /// # Errors
    /// Text that is no TOML.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let document = text.parse().map_err(|error: toml_edit::TomlError| ConfigError::Toml {
            path: path.to_path_buf(),
            message: error.to_string(),
        })?;
        Ok(Self { document })
    }

    /// Pins every plugin by what `sha256_of` gives for its name or path; gives the pins that were there.
    ///
    /// # Errors
    /// Those of `sha256_of`.
    pub fn pin<E>(&mut self, mut sha256_of: impl FnMut(&str) -> Result<String, E>) -> Result<Vec<Pin>, E> {
        let mut before = Vec::new();
        match self.document.get_mut(PLUGINS) {
            Some(Item::Value(Value::Array(entries))) => {
                for entry in entries.iter_mut() {
                    before.push(pin_value(entry, &mut sha256_of)?);
                }
            }
            Some(Item::ArrayOfTables(entries)) => pin_tables(entries, &mut before, &mut sha256_of)?,
            _ => {}
        }
        Ok(before)
    }

    /// The text, with everything else as it was.
    pub fn text(&self) -> String {
        self.document.to_string()
    }
}

/// `"name"` becomes `{ path = "name", sha256 = "…" }`; a table gets or keeps its key.
fn pin_value<E>(entry: &mut Value, sha256_of: &mut impl FnMut(&str) -> Result<String, E>) -> Result<Pin, E> {
    if let Some(path) = entry.as_str().map(str::to_owned) {
        let mut table = InlineTable::new();
        table.insert(PATH, path.as_str().into());
        table.insert(SHA256, sha256_of(&path)?.into());
        let decor = entry.decor().clone();
        *entry = Value::InlineTable(table);
        *entry.decor_mut() = decor;
        return Ok(Pin { path, sha256: None });
    }
    let Some(table) = entry.as_inline_table_mut() else {
        return Ok(Pin { path: String::new(), sha256: None });
    };
    let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let pin = Pin { path: text(PATH).unwrap_or_default(), sha256: text(SHA256) };
    let found = sha256_of(&pin.path)?;
    if pin.sha256.as_ref() != Some(&found) {
        table.insert(SHA256, found.into());
    }
    Ok(pin)
}

fn pin_tables<E>(
    entries: &mut ArrayOfTables,
    before: &mut Vec<Pin>,
    sha256_of: &mut impl FnMut(&str) -> Result<String, E>,
) -> Result<(), E> {
    for table in entries.iter_mut() {
        let text = |key: &str| table.get(key).and_then(Item::as_str).map(str::to_owned);
        let pin = Pin { path: text(PATH).unwrap_or_default(), sha256: text(SHA256) };
        let found = sha256_of(&pin.path)?;
        if pin.sha256.as_ref() != Some(&found) {
            table.insert(SHA256, toml_edit::value(found));
        }
        before.push(pin);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(text: &str) -> String {
        let mut config = PinnedConfig::parse(Path::new("run.toml"), text).unwrap();
        config.pin(|path| Ok::<_, ()>(format!("digest-of-{path}"))).unwrap();
        config.text()
    }

    #[test]
    fn names_become_pins_and_the_rest_stays() {
        let text = "# Mine.\nseed = 1 # one\nplugins = [\n  \"vision\", # the \
                    models\n  \"./mine.so\",\n]\n\n[model]\nid=\"x\"\n";
        let expected = "# Mine.\nseed = 1 # one\nplugins = [\n  { path = \"vision\", sha256 \
                        = \"digest-of-vision\" }, # the models\n  \
                        { path = \"./mine.so\", sha256 = \"digest-of-./mine.so\" \
                        },\n]\n\n[model]\nid=\"x\"\n";
        assert_eq!(pinned(text), expected);
        assert_eq!(pinned(expected), expected, "a second time changes nothing");
    }

    #[test]
    fn stale_pins_are_replaced_in_either_form() {
        assert_eq!(
            pinned("plugins = [{ path = \"a\", sha256 = \"old\" }]\n"),
            "plugins = [{ path = \"a\", sha256 = \"digest-of-a\" }]\n"
        );
        let tables = "[[plugins]]\npath = \"a\" # first\n\n[[plugins]]\npath = \"b\"\nsha256 = \"old\"\n";
        let expected = "[[plugins]]\npath = \"a\" # first\nsha256 = \"digest-of-a\"\n\n[[plugins]]\npath \
                        = \"b\"\nsha256 = \"digest-of-b\"\n";
        assert_eq!(pinned(tables), expected);
    }
}
