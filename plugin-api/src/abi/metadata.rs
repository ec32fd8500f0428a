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
    /// Why it cannot say what it offers; `items` is empty then, and the plugin is to be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
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

/// One strategy, callback or model.
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
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Strategy => "strategy",
            Self::Callback => "callback",
            Self::Model => "model",
        })
    }
}
