//! Which models of a plugin are looked at whole: a file may offer dozens that differ in little but their
//! size.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use thaw_plugin_api::abi::{Item, Kind};

/// On which models of a plugin a check runs. Models with the same keys are a family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// On every one.
    All,
    /// On the smallest of each family, and on others of up to 12 million parameters.
    Small,
    /// On the smallest of each family alone.
    Smallest,
}

/// Parameters with which a step of training takes well under a second.
const SMALL: u64 = 12_000_000;

impl Reach {
    /// Whether a model is left out that is not the smallest of its family.
    pub fn leaves_out(self, parameters: Option<u64>) -> bool {
        match self {
            Self::All => false,
            Self::Small => parameters.is_none_or(|parameters| parameters > SMALL),
            Self::Smallest => true,
        }
    }
}

/// A model on which not every check ran.
#[derive(Clone, Debug, Serialize)]
pub struct Sampled {
    /// Its id.
    pub id: String,
    /// How many parameters it has with the configuration of the checks; none where it could not be built.
    pub parameters: Option<u64>,
    /// The smallest of its family, on which every check ran.
    pub smallest: String,
    /// The checks that ran.
    pub checks: Vec<&'static str>,
}

/// Ids of models with the same keys, where there are several.
pub fn families<'i>(items: impl Iterator<Item = &'i Item>) -> Vec<Vec<String>> {
    let mut families: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for model in items.filter(|item| item.kind == Kind::Model) {
        families.entry(keys(model)).or_default().push(model.id.clone());
    }
    families.into_values().filter(|ids| ids.len() > 1).collect()
}

/// The keys of an id's configuration with their types, whatever their defaults.
fn keys(item: &Item) -> String {
    let properties = item.schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(key, property)| format!("{key}: {}\n", property["type"])).collect()
}

/// A text on what was left out; empty where nothing was.
pub fn text(sampled: &[Sampled]) -> String {
    let mut groups: BTreeMap<(&str, &[&str]), Vec<String>> = BTreeMap::new();
    for model in sampled {
        let size = model.parameters.map(|parameters| match parameters {
            ..1_000_000 => format!(" ({} k parameters)", parameters / 1000),
            _ => format!(" ({:.1} M parameters)", parameters as f64 / 1e6),
        });
        groups.entry((&model.smallest, &model.checks)).or_default().push(format!(
            "{}{}",
            model.id,
            size.unwrap_or_default()
        ));
    }
    let line = |((smallest, checks), ids): (&(&str, &[&str]), &Vec<String>)| {
        format!(
            "\nsampled: {}\n  only {}; every check ran on {smallest}, the smallest with these keys",
            ids.join(", "),
            checks.join(", ")
        )
    };
    let lines: String = groups.iter().map(line).collect();
    if lines.is_empty() { lines } else { lines + "\n--all runs every check on each of them, --id on one" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn model(id: &str, keys: &[&str], default: i64) -> Item {
        let properties: serde_json::Map<_, _> = keys
            .iter()
            .map(|key| ((*key).to_owned(), json!({ "type": "integer", "default": default })))
            .collect();
        Item {
            kind: Kind::Model,
            id: id.to_owned(),
            description: String::new(),
            schema: json!({ "properties": properties }),
            metrics: None,
            other_names: Vec::new(),
        }
    }

    #[test]
    fn models_of_the_same_keys_are_a_family_whatever_their_defaults() {
        let items =
            [model("a18", &["depth"], 18), model("b", &["depth", "width"], 1), model("a34", &["depth"], 34)];
        assert_eq!(families(items.iter()), [["a18", "a34"]]);
    }

    #[test]
    fn what_was_left_out_is_told_by_family() {
        let sampled = |id: &str, parameters| Sampled {
            id: id.to_owned(),
            parameters,
            smallest: "a18".to_owned(),
            checks: vec!["builds"],
        };
        let text = text(&[sampled("a34", Some(21_800_000)), sampled("a50", None)]);
        assert!(
            text.contains("sampled: a34 (21.8 M parameters), a50\n  only builds; every check ran on a18"),
            "{text}"
        );
        assert_eq!(super::text(&[]), "");
    }
}
