//! Names of plugin crates.

use std::str::FromStr;

use super::ScaffoldError;

/// A name that serves as package, folder, library and id: words of `a-z` and `0-9`, joined by `-` or `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateName(String);

/// As long as crates.io allows, and short enough for every line of the templates.
const LONGEST: usize = 64;

/// What cargo refuses: keywords, and crates of the compiler.
const CARGO: [&str; 56] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Plugins that ship, and the API: a name in a run config would mean two things.
const THAW: [&str; 14] = [
    "autoencoder",
    "autoencoder_classifier",
    "backbone_finetuning",
    "early_stopping",
    "idx",
    "layer_decay",
    "layerwise_finetuning",
    "phased_finetuning",
    "text",
    "thaw_plugin_api",
    "torch_export",
    "torchscript",
    "vision",
    "weight_averaging",
];

/// What the templates use under this name.
const TEMPLATES: [&str; 15] = [
    "activation",
    "activation_kind",
    "callback",
    "config",
    "context",
    "err",
    "linear",
    "model",
    "ok",
    "result",
    "sequential",
    "sizes",
    "stage",
    "strategy",
    "tensors",
];

impl FromStr for CrateName {
    type Err = ScaffoldError;

    fn from_str(text: &str) -> Result<Self, ScaffoldError> {
        let refused =
            |reason: &str| Err(ScaffoldError::Name { name: text.to_owned(), reason: reason.to_owned() });
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if !text.starts_with(|first: char| first.is_ascii_lowercase()) || !text.split(['-', '_']).all(is_word)
        {
            return refused(
                "expected words of a-z and 0-9, joined by - or _, the first one beginning with a letter, \
                 such as `head-first`",
            );
        }
        if text.len() > LONGEST {
            return refused("expected at most 64 characters");
        }
        let name = text.replace('-', "_");
        if CARGO.contains(&name.as_str()) {
            return refused("Rust uses it itself");
        }
        if THAW.contains(&name.as_str()) {
            return refused("a plugin that ships has it");
        }
        if TEMPLATES.contains(&name.as_str()) {
            return refused("it says what every plugin is; say what this one does");
        }
        Ok(Self(text.to_owned()))
    }
}

impl CrateName {
    /// As given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As an id in run configs.
    pub fn id(&self) -> String {
        self.0.replace('_', "-")
    }

    /// As a type.
    pub fn type_name(&self) -> String {
        let capitalised = |word: &str| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        };
        self.0.split(['-', '_']).map(capitalised).collect()
    }
}
