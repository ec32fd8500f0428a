//! What run configs say, key by key.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;

/// Every value of a run config by its dotted key, as TOML writes it, texts without their quotes.
pub fn settings(table: &toml::Table) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    table.iter().for_each(|(key, value)| add(key, value, &mut settings));
    settings
}

fn add(key: &str, value: &toml::Value, settings: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            table.iter().for_each(|(name, value)| add(&format!("{key}.{name}"), value, settings));
        }
        toml::Value::Array(values) if values.iter().any(toml::Value::is_table) => {
            let each = values.iter().enumerate();
            each.for_each(|(index, value)| add(&format!("{key}.{index}"), value, settings));
        }
        toml::Value::String(text) => drop(settings.insert(key.to_owned(), text.clone())),
        value => drop(settings.insert(key.to_owned(), value.to_string())),
    }
}

/// Of each run the keys, with its values, that are not the same in all of them: a run that lacks one has
/// nothing there.
pub fn differing(runs: &[Found]) -> Vec<BTreeMap<String, String>> {
    let all: Vec<BTreeMap<String, String>> = runs.iter().map(|found| settings(&found.run.table)).collect();
    let keys: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let differs = |key: &&&String| all.iter().any(|settings| settings.get(**key) != all[0].get(**key));
    let keys: Vec<&String> = keys.iter().filter(differs).copied().collect();
    let of_run = |settings: &BTreeMap<String, String>| {
        let own = keys.iter().filter_map(|key| Some(((*key).clone(), settings.get(*key)?.clone())));
        own.collect()
    };
    all.iter().map(of_run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_tables_and_lists_of_tables_are_dotted() {
        let table: toml::Table = "seed = 1\n[trainer]\nmetrics = [\"acc\"]\n[[callbacks]]\nid = \"ema\"\n\
                                  [[callbacks]]\nid = \"swa\"\nlr = 0.5\n"
            .parse()
            .unwrap();
        let found: Vec<(String, String)> = settings(&table).into_iter().collect();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            found,
            [
                pair("callbacks.0.id", "ema"),
                pair("callbacks.1.id", "swa"),
                pair("callbacks.1.lr", "0.5"),
                pair("seed", "1"),
                pair("trainer.metrics", "[\"acc\"]"),
            ]
        );
    }
}
