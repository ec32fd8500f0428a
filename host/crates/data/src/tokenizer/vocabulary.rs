//! From a vocabulary to the `tokenizer.json` that transformers makes of it: WordPiece of BERT's kin, and
//! RoBERTa's BPE of bytes.

use serde_json::{Map, Value, json};
use std::path::Path;

/// What a folder without a word on it is taken for, by its files.
const OF_VOCAB_TXT: &str = "BertTokenizer";
const OF_MERGES: &str = "RobertaTokenizer";

/// The classes that are WordPiece, and the one whose texts are joined as RoBERTa's.
const WORD_PIECE: [&str; 4] = ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", MPNET];
const MPNET: &str = "MPNetTokenizer";

/// The `tokenizer.json` of a folder's vocabulary.
///
/// # Errors
/// Why there is none: another kind of tokenizer, a file that is missing or damaged, a special token that the
/// vocabulary lacks.
pub(super) fn tokenizer(folder: &Path) -> Result<Value, String> {
    let settings = Settings::read(folder)?;
    let class = settings.class(folder);
    if WORD_PIECE.contains(&class.as_str()) {
        return word_piece(folder, &class, &settings);
    }
    if class == OF_MERGES { bytes(folder, &settings) } else { Err(format!("it is of class {class}")) }
}

fn word_piece(folder: &Path, class: &str, settings: &Settings) -> Result<Value, String> {
    let text = read(&folder.join("vocab.txt"))?;
    let lines = text.lines().enumerate();
    let words: Map<String, Value> = lines.map(|(id, word)| (word.to_owned(), json!(id))).collect();
    let usual = match class {
        MPNET => ["<s>", "</s>", "<pad>", "<mask>"],
        _ => ["[CLS]", "[SEP]", "[PAD]", "[MASK]"],
    };
    let [cls, sep, pad, mask] = ["cls_token", "sep_token", "pad_token", "mask_token"];
    let unknown = settings.token("unk_token", "[UNK]");
    let cls = settings.found(cls, usual[0], &words)?;
    let sep = settings.found(sep, usual[1], &words)?;
    let others = [settings.token(pad, usual[2]), unknown.clone()];
    let mask = settings.token(mask, usual[3]);
    let usual_space = if class == MPNET { Space::Taken } else { Space::Stays };
    let space = settings.space("mask_token", usual_space);
    let id = |token: &str| words.get(token).and_then(Value::as_u64);
    id(&unknown).ok_or_else(|| format!("vocab.txt has no {unknown}"))?;
    let plain = [&cls.0, &sep.0, &others[0], &others[1]].into_iter();
    let mut added: Vec<Value> =
        plain.filter_map(|name| Some(special(name, id(name)?, Space::Stays))).collect();
    added.extend(id(&mask).map(|number| special(&mask, number, space)));
    let template = |token: &str, kind: u32| json!({ "SpecialToken": { "id": token, "type_id": kind } });
    let sequence = |name: &str, kind: u32| json!({ "Sequence": { "id": name, "type_id": kind } });
    let entry =
        |(token, id): &(String, u64)| (token.clone(), json!({ "id": token, "ids": [id], "tokens": [token] }));
    let joined = if class == MPNET {
        json!({ "type": "RobertaProcessing", "sep": [sep.0, sep.1], "cls": [cls.0, cls.1],
            "trim_offsets": true, "add_prefix_space": false })
    } else {
        json!({
            "type": "TemplateProcessing",
            "single": [template(&cls.0, 0), sequence("A", 0), template(&sep.0, 0)],
            "pair": [template(&cls.0, 0), sequence("A", 0), template(&sep.0, 0), sequence("B", 1),
                template(&sep.0, 1)],
            "special_tokens": Map::from_iter([entry(&cls), entry(&sep)]),
        })
    };
    Ok(whole(
        added,
        json!({
            "type": "BertNormalizer", "clean_text": true,
            "handle_chinese_chars": settings.flag("tokenize_chinese_chars").unwrap_or(true),
            "strip_accents": settings.flag("strip_accents"),
            "lowercase": settings.flag("do_lower_case").unwrap_or(true),
        }),
        json!({ "type": "BertPreTokenizer" }),
        joined,
        json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }),
        json!({
            "type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": words,
        }),
    ))
}

fn bytes(folder: &Path, settings: &Settings) -> Result<Value, String> {
    let words = read(&folder.join("vocab.json"))?;
    let words: Map<String, Value> =
        serde_json::from_str(&words).map_err(|error| format!("vocab.json: {error}"))?;
    let merges = read(&folder.join("merges.txt"))?;
    let merges: Vec<&str> =
        merges.lines().filter(|line| !line.is_empty() && !line.starts_with("#version")).collect();
    let cls = settings.found("cls_token", "<s>", &words)?;
    let sep = settings.found("sep_token", "</s>", &words)?;
    let prefix = settings.flag("add_prefix_space").unwrap_or(false);
    let id = |token: &str| words.get(token).and_then(Value::as_u64);
    let others = [settings.token("pad_token", "<pad>"), settings.token("unk_token", "<unk>")];
    let mask = settings.token("mask_token", "<mask>");
    let plain = [&cls.0, &sep.0, &others[0], &others[1]].into_iter();
    let mut added: Vec<Value> =
        plain.filter_map(|name| Some(special(name, id(name)?, Space::Stays))).collect();
    let space = settings.space("mask_token", Space::Stays);
    added.extend(id(&mask).map(|number| special(&mask, number, space)));
    let level = json!({
        "type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": true,
    });
    Ok(whole(
        added,
        Value::Null,
        level.clone(),
        json!({ "type": "RobertaProcessing", "sep": [sep.0, sep.1], "cls": [cls.0, cls.1],
            "trim_offsets": settings.flag("trim_offsets").unwrap_or(true), "add_prefix_space": prefix }),
        level,
        json!({
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "vocab": words,
            "merges": merges,
        }),
    ))
}

fn whole(
    mut added: Vec<Value>,
    normalizer: Value,
    pre_tokenizer: Value,
    post_processor: Value,
    decoder: Value,
    model: Value,
) -> Value {
    added.sort_by_key(|token| token["id"].as_u64());
    added.dedup_by_key(|token| token["id"].as_u64());
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": post_processor,
        "decoder": decoder, "model": model,
    })
}

/// Whether a token takes the space before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Stays,
    Taken,
}

fn special(token: &str, id: u64, space: Space) -> Value {
    json!({
        "id": id, "content": token, "single_word": false, "lstrip": space == Space::Taken, "rstrip": false,
        "normalized": false, "special": true,
    })
}

/// What `tokenizer_config.json`, `special_tokens_map.json` and `config.json` say, as far as they are there.
struct Settings {
    tokenizer: Value,
    special: Value,
    model: Value,
}

impl Settings {
    fn read(folder: &Path) -> Result<Self, String> {
        let json = |name: &str| -> Result<Value, String> {
            let file = folder.join(name);
            if !file.is_file() {
                return Ok(Value::Null);
            }
            serde_json::from_str(&read(&file)?).map_err(|error| format!("{name}: {error}"))
        };
        Ok(Self {
            tokenizer: json("tokenizer_config.json")?,
            special: json("special_tokens_map.json")?,
            model: json("config.json")?,
        })
    }

    /// transformers' class, without `Fast`.
    fn class(&self, folder: &Path) -> String {
        let named = self.tokenizer.get("tokenizer_class").and_then(Value::as_str);
        let named = named.map(|name| name.trim_end_matches("Fast").to_owned());
        let by_model = || {
            let class = match self.model.get("model_type").and_then(Value::as_str)? {
                "bert" => "BertTokenizer",
                "distilbert" => "DistilBertTokenizer",
                "electra" => "ElectraTokenizer",
                "mpnet" => MPNET,
                "roberta" => "RobertaTokenizer",
                _ => return None,
            };
            Some(class.to_owned())
        };
        let by_files = || {
            if folder.join("vocab.txt").is_file() { OF_VOCAB_TXT.to_owned() } else { OF_MERGES.to_owned() }
        };
        named.or_else(by_model).unwrap_or_else(by_files)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.tokenizer.get(key).and_then(Value::as_bool)
    }

    /// A special token, as a text or with its properties.
    fn token(&self, key: &str, usual: &str) -> String {
        let of = |file: &Value| -> Option<String> {
            let token = file.get(key)?;
            token.as_str().or_else(|| token.get("content")?.as_str()).map(str::to_owned)
        };
        of(&self.tokenizer).or_else(|| of(&self.special)).unwrap_or_else(|| usual.to_owned())
    }

    /// Whether a special token takes the space before it, as its properties say where they are given.
    fn space(&self, key: &str, usual: Space) -> Space {
        let files = [&self.tokenizer, &self.special].into_iter();
        let given = files.filter_map(|file| file.get(key)?.get("lstrip")?.as_bool()).next();
        given.map_or(usual, |takes| if takes { Space::Taken } else { Space::Stays })
    }

    /// A special token with its number.
    fn found(&self, key: &str, usual: &str, words: &Map<String, Value>) -> Result<(String, u64), String> {
        let token = self.token(key, usual);
        let id = words.get(&token).and_then(Value::as_u64);
        let id = id.ok_or_else(|| format!("its vocabulary has no {token}"))?;
        Ok((token, id))
    }
}

fn read(path: &Path) -> Result<String, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::{encode, open};

    fn folder(name: &str) -> std::path::PathBuf {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/vocabularies")).join(name)
    }

    #[test]
    fn ids_are_transformers() {
        let expected: Value = serde_json::from_str(&read(&folder("expected.json")).unwrap()).unwrap();
        let expected = expected.as_object().unwrap();
        assert_eq!(expected.len(), 5);
        for (name, rows) in expected {
            let (_, tokenizer) = open(&folder(name)).unwrap();
            for row in rows.as_array().unwrap() {
                let text = row["text"].as_str().unwrap();
                let encoded = encode(&tokenizer, text, row["pair"].as_str()).unwrap();
                assert_eq!(json!(encoded.get_ids()), row["ids"], "{name}: {text:?}");
                assert_eq!(json!(encoded.get_type_ids()), row["types"], "{name}: {text:?}");
            }
        }
    }

    #[test]
    fn what_is_no_such_vocabulary_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n");
        tokenizer(folder.path()).unwrap();
        write("tokenizer_config.json", "{\"tokenizer_class\": \"BertJapaneseTokenizer\"}");
        assert!(tokenizer(folder.path()).unwrap_err().contains("BertJapaneseTokenizer"));
        write("tokenizer_config.json", "{\"sep_token\": {\"content\": \"[END]\"}}");
        assert!(tokenizer(folder.path()).unwrap_err().contains("[END]"));
        write("tokenizer_config.json", "{");
        assert!(tokenizer(folder.path()).unwrap_err().contains("tokenizer_config.json"));
    }
}
