//! Tokenizer of an export: the run's own file, and what transformers has to know of it.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::Error;
use crate::error::io;
use thaw_data::Source;
use thaw_train::config::RunConfig;
use thaw_train::model::HostModel;

pub(super) const FILE: &str = "tokenizer.json";
pub(super) const CONFIG: &str = "tokenizer_config.json";

/// What transformers calls the special tokens, and how they are usually written.
const SPECIAL: [(&str, &[&str]); 6] = [
    ("unk_token", &["[UNK]", "<unk>"]),
    ("cls_token", &["[CLS]", "<s>"]),
    ("sep_token", &["[SEP]", "</s>"]),
    ("mask_token", &["[MASK]", "<mask>"]),
    ("bos_token", &["<s>"]),
    ("eos_token", &["</s>"]),
];

/// The files of a tokenizer.
pub(super) struct Made {
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// `tokenizer_config.json`.
    pub config: Value,
}

/// The tokenizer at `file`; `model_config` is the export's `config.json`.
pub(super) fn of(
    file: &Path,
    config: &RunConfig,
    model: &HostModel,
    model_config: &Value,
) -> Result<Made, Error> {
    let bytes = std::fs::read(file).map_err(io(file))?;
    let json: Value = serde_json::from_slice(&bytes).map_err(|error| io(file)(error.into()))?;
    let names = Names::of(&json);
    let mut keys = Map::new();
    keys.insert("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast"));
    keys.insert("clean_up_tokenization_spaces".to_owned(), json!(false));
    for (key, usual) in SPECIAL {
        if let Some(token) = usual.iter().find(|token| names.has(token)) {
            keys.insert(key.to_owned(), json!(token));
        }
    }
    let text = match config.data.as_ref().map(|data| &data.source) {
        Some(Source::Text(text)) => Some(text),
        _ => None,
    };
    let padding = text
        .and_then(|text| names.token(text.pad_token_id?))
        .or_else(|| json.pointer("/padding/pad_token").and_then(Value::as_str).map(str::to_owned))
        .or_else(|| ["[PAD]", "<pad>"].into_iter().find(|token| names.has(token)).map(str::to_owned));
    if let Some(token) = padding {
        keys.insert("pad_token".to_owned(), json!(token));
    }
    let longest = text.and_then(|text| text.max_length).or(model.description().input.max_length);
    if let Some(longest) = longest {
        keys.insert("model_max_length".to_owned(), json!(longest));
    }
    let types = model_config.get("type_vocab_size").and_then(Value::as_i64).unwrap_or(0);
    let inputs: &[&str] = if types > 1 {
        &["input_ids", "token_type_ids", "attention_mask"]
    } else {
        &["input_ids", "attention_mask"]
    };
    keys.insert("model_input_names".to_owned(), json!(inputs));
    Ok(Made { tokenizer: bytes, config: Value::Object(keys) })
}

/// The tokens of a `tokenizer.json`.
struct Names<'t> {
    json: &'t Value,
}

impl<'t> Names<'t> {
    fn of(json: &'t Value) -> Self {
        Self { json }
    }

    fn added(&self) -> impl Iterator<Item = &'t Value> {
        self.json.get("added_tokens").and_then(Value::as_array).into_iter().flatten()
    }

    fn has(&self, token: &str) -> bool {
        let vocabulary = self.json.pointer("/model/vocab");
        self.added().any(|added| added["content"] == token)
            || match vocabulary {
                Some(Value::Object(words)) => words.contains_key(token),
                Some(Value::Array(pieces)) => pieces.iter().any(|piece| piece[0] == token),
                _ => false,
            }
    }

    fn token(&self, id: u32) -> Option<String> {
        let added = self.added().find(|added| added["id"] == id).and_then(|added| added["content"].as_str());
        let word = || match self.json.pointer("/model/vocab")? {
            Value::Object(words) => {
                words.iter().find(|(_, number)| **number == id).map(|(word, _)| word.as_str())
            }
            Value::Array(pieces) => pieces.get(usize::try_from(id).ok()?)?[0].as_str(),
            _ => None,
        };
        added.or_else(word).map(str::to_owned)
    }
}
