//! What a plugin says of itself, as JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a plugin file is and offers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Metadata {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// Package description.
    #[serde(default)]
    pub description: String,
    /// Package authors.
    #[serde(default)]
    pub authors: String,
    /// Version of `thaw-plugin-api`.
    pub plugin_api: String,
    /// Compiler.
    pub rustc: String,
    /// Target triple.
    #[serde(default)]
    pub target: String,
    /// Whether a panic unwinds; a plugin that aborts is refused.
    pub panic_unwinds: bool,
    /// libtorch, where the plugin uses it.
    #[serde(default)]
    pub torch: Option<TorchVersions>,
    /// What the file offers.
    pub items: Vec<Item>,
    /// The data sets among it, until [`Metadata::read`] puts them there: a host before 1.2 does not know the
    /// kind, and reads the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<Item>,
    /// Why it cannot say what it offers; `items` is empty then, and the plugin is to be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Metadata {
    /// Of a plugin that offers all of these.
    pub fn offering(self, items: Vec<Item>) -> Self {
        let (datasets, items) = items.into_iter().partition(|item| item.kind == Kind::Dataset);
        Self { items, datasets, ..self }
    }

    /// Reads what a plugin says of itself; all that it offers is in `items`.
    ///
    /// # Errors
    /// It is no JSON of this form.
    pub fn read(text: &str) -> serde_json::Result<Self> {
        let mut metadata: Self = serde_json::from_str(text)?;
        metadata.items.append(&mut metadata.datasets);
        Ok(metadata)
    }
}

/// What must be equal on both sides before a tensor crosses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TorchVersions {
    /// libtorch that the plugin was built for, such as `2.11.0`.
    pub libtorch: String,
    /// tch's version.
    pub tch: String,
    /// Whether libstdc++'s C++11 ABI is used.
    pub cxx11_abi: bool,
}

impl std::fmt::Display for TorchVersions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let abi = if self.cxx11_abi { "C++11 ABI" } else { "pre-C++11 ABI" };
        write!(f, "libtorch {} (tch {}, {abi})", self.libtorch, self.tch)
    }
}

/// One strategy, callback, model or data set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Name in run configs.
    pub id: String,
    /// One line on what it does.
    #[serde(default)]
    pub description: String,
    /// JSON Schema of its configuration.
    pub schema: Value,
    /// The metrics that it logs; none where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Vec<String>>,
    /// Of a model: what other libraries call it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_names: Vec<String>,
}

/// What an id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A strategy.
    Strategy,
    /// A callback.
    Callback,
    /// A model.
    Model,
    /// A data set.
    Dataset,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Strategy => "strategy",
            Self::Callback => "callback",
            Self::Model => "model",
            Self::Dataset => "dataset",
        })
    }
}
