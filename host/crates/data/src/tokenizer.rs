//! Tokenizers: the file found, read and tried before the run, and panics of the library kept in.

mod vocabulary;

use super::DataError;
use super::folder::require_file;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use tokenizers::{EncodeInput, Encoding, Tokenizer};

/// What Hugging Face calls it.
const FILE: &str = "tokenizer.json";

/// Texts that reach what a tokenizer is made of: words, parts of words, signs, other scripts, nothing at all.
const TRIALS: [&str; 6] = [
    "",
    "a",
    "The quick brown fox!",
    "unbelievably 1,234.5 %",
    "\u{fffd} \u{4f60}\u{597d} \u{1f600}",
    "\t\n ",
];

/// Reads a `tokenizer.json` and tries it; a folder stands for the one in it, or for the one that its
/// vocabulary makes.
///
/// # Errors
/// There is none, it is another file, or it breaks down on a text: the file is named, with what it lacks.
pub(crate) fn open(path: &Path) -> Result<(PathBuf, Tokenizer), DataError> {
    let made = converted(path)?;
    let path = if path.is_dir() { path.join(FILE) } else { path.to_path_buf() };
    let fail = |message: String| DataError::Tokenizer { path: path.clone(), message };
    let text = match made {
        Some(text) => text,
        None => {
            require_file(&path, "tokenizer")?;
            std::fs::read_to_string(&path).map_err(DataError::io(&path))?
        }
    };
    let json: Value =
        serde_json::from_str(&text).map_err(|error| fail(format!("not readable as a {FILE}: {error}")))?;
    if let Some(message) = broken_template(json.get("post_processor").unwrap_or(&Value::Null)) {
        return Err(fail(message));
    }
    let read = contained(|| Tokenizer::from_bytes(text.as_bytes()).map_err(|error| error.to_string()));
    let tokenizer = read.map_err(|error| fail(format!("not readable as a {FILE}: {error}")))?;
    Ok((path, tokenizer))
}

/// The `tokenizer.json` that transformers would make of a folder's `vocab.txt`, or its `vocab.json` and
/// `merges.txt`, where that file is not there. None where there is no folder of a vocabulary alone.
///
/// # Errors
/// A vocabulary of another kind, with the line that converts it.
pub fn converted(path: &Path) -> Result<Option<String>, DataError> {
    let path = if path.is_dir() { path.join(FILE) } else { path.to_path_buf() };
    let Some(folder) = of_vocabulary(&path) else { return Ok(None) };
    let made = vocabulary::tokenizer(folder);
    let made = made.map_err(|reason| DataError::Tokenizer {
        path: path.clone(),
        message: format!(
            "only its vocabulary is there, without {FILE} ({reason}); make that with\n  python -c \"from \
             transformers import AutoTokenizer; \
             AutoTokenizer.from_pretrained('{0}').save_pretrained('{0}')\"",
            folder.display()
        ),
    })?;
    Ok(Some(made.to_string()))
}

/// Tries the tokenizer on some texts and pairs, as it is set up for the run.
///
/// # Errors
/// It breaks down: the text is named.
pub(crate) fn try_out(tokenizer: &Tokenizer) -> Result<(), String> {
    for text in TRIALS {
        for pair in [None, Some(text)] {
            if let Err(Broken::Panic(reason)) = try_encode(tokenizer, text, pair) {
                let of = if pair.is_some() { "a pair of texts" } else { "a text" };
                return Err(format!("it breaks down on {of} ({text:?}): {reason}"));
            }
        }
    }
    Ok(())
}

/// Token ids of a text or a pair of texts.
///
/// # Errors
/// The tokenizer refuses the text, or breaks down on it.
pub(crate) fn encode(tokenizer: &Tokenizer, text: &str, pair: Option<&str>) -> Result<Encoding, String> {
    try_encode(tokenizer, text, pair).map_err(|broken| match broken {
        Broken::Refused(reason) => reason,
        Broken::Panic(reason) => format!("the tokenizer breaks down on it: {reason}"),
    })
}

enum Broken {
    /// An error of the library.
    Refused(String),
    /// A panic of the library.
    Panic(String),
}

fn try_encode(tokenizer: &Tokenizer, text: &str, pair: Option<&str>) -> Result<Encoding, Broken> {
    let input = match pair {
        Some(pair) => EncodeInput::Dual(text.into(), pair.into()),
        None => EncodeInput::Single(text.into()),
    };
    match catch_unwind(AssertUnwindSafe(|| tokenizer.encode_fast(input, true))) {
        Ok(encoding) => encoding.map_err(|error| Broken::Refused(error.to_string())),
        Err(panic) => Err(Broken::Panic(words(panic.as_ref()))),
    }
}

/// A panic of the library as an error.
fn contained<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(words(panic.as_ref())))
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a word").to_owned()
}

/// The folder of a vocabulary without the file that is made of it: `path` is the vocabulary, or the missing
/// file beside it.
fn of_vocabulary(path: &Path) -> Option<&Path> {
    const VOCABULARIES: [&str; 4] = ["vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model"];
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_one = VOCABULARIES.contains(&name) && path.is_file();
    let has_one = VOCABULARIES.iter().any(|name| folder.join(name).is_file());
    (is_one || (name == FILE && !path.exists() && has_one)).then_some(folder)
}

/// What a template of a post-processor says that it does not have; the library panics over it.
fn broken_template(processor: &Value) -> Option<String> {
    if let Some(parts) = processor.get("processors").and_then(Value::as_array) {
        return parts.iter().find_map(broken_template);
    }
    let known = processor.get("special_tokens").and_then(Value::as_object);
    for (key, sequences) in [("single", &["A"][..]), ("pair", &["A", "B"][..])] {
        for piece in processor.get(key).and_then(Value::as_array).into_iter().flatten() {
            if let Some(token) = piece.pointer("/SpecialToken/id").and_then(Value::as_str)
                && !known.is_some_and(|known| known.contains_key(token))
            {
                let mut names: Vec<&str> =
                    known.into_iter().flat_map(|known| known.keys()).map(String::as_str).collect();
                names.sort_unstable();
                return Some(format!(
                    "its post-processor puts the special token `{token}` into `{key}`, but `special_tokens` \
                     has only {}",
                    names.join(", ")
                ));
            }
            if let Some(sequence) = piece.pointer("/Sequence/id").and_then(Value::as_str)
                && !sequences.contains(&sequence)
            {
                return Some(format!(
                    "its post-processor asks for the text {sequence} in `{key}`, where there is none"
                ));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A tokenizer of whole words with a template.
    fn tokenizer() -> Value {
        let token = |id: &str, number: u32| json!({ "id": id, "ids": [number], "tokens": [id] });
        let special = |id: &str| json!({ "SpecialToken": { "id": id, "type_id": 0 } });
        let sequence = |id: &str| json!({ "Sequence": { "id": id, "type_id": 0 } });
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "Whitespace" }, "decoder": null,
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [special("[CLS]"), sequence("A")],
                "pair": [special("[CLS]"), sequence("A"), sequence("B")],
                "special_tokens": { "[CLS]": token("[CLS]", 1) },
            },
            "model": { "type": "WordLevel", "vocab": { "[UNK]": 0, "[CLS]": 1, "a": 2 },
                "unk_token": "[UNK]" },
        })
    }

    fn opened(json: &Value) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), json.to_string()).unwrap();
        let (_, tokenizer) = open(folder.path()).map_err(|error| error.to_string())?;
        try_out(&tokenizer)
    }

    #[test]
    fn a_template_with_a_token_or_a_text_that_is_not_there_is_named() {
        opened(&tokenizer()).unwrap();
        for (place, value, expected) in [
            ("/post_processor/special_tokens", json!({}), "`[CLS]`"),
            ("/post_processor/single/0/SpecialToken/id", json!("[SEP]"), "`[SEP]` into `single`"),
            ("/post_processor/pair/0/SpecialToken/id", json!("[SEP]"), "`[SEP]` into `pair`"),
            ("/post_processor/single/1/Sequence/id", json!("B"), "the text B in `single`"),
        ] {
            let mut broken = tokenizer();
            *broken.pointer_mut(place).unwrap() = value;
            let error = opened(&broken).unwrap_err();
            assert!(error.contains(expected) && error.contains(FILE), "{error}");
            let within = json!({ "type": "Sequence", "processors": [broken["post_processor"]] });
            broken["post_processor"] = within;
            assert!(opened(&broken).unwrap_err().contains(expected));
        }
    }

    /// Whatever a changed file holds, reading and trying it ends in an error or a tokenizer that holds.
    #[test]
    fn changed_files_never_panic() {
        let text = tokenizer().to_string();
        let values = ["null", "0", "-1", "\"x\"", "[]", "{}", "4294967295", "true"];
        let json: Value = serde_json::from_str(&text).unwrap();
        let mut places = Vec::new();
        pointers(&json, String::new(), &mut places);
        for place in places {
            for value in values {
                let mut changed = json.clone();
                *changed.pointer_mut(&place).unwrap() = serde_json::from_str(value).unwrap();
                let _ = opened(&changed);
            }
        }
        for end in 0..text.len() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(FILE);
            std::fs::write(&path, &text[..end]).unwrap();
            assert!(open(&path).unwrap_err().to_string().contains(FILE));
        }
    }

    fn pointers(value: &Value, at: String, places: &mut Vec<String>) {
        places.push(at.clone());
        match value {
            Value::Object(table) => {
                table.iter().for_each(|(key, value)| pointers(value, format!("{at}/{key}"), places))
            }
            Value::Array(list) => {
                list.iter()
                    .enumerate()
                    .for_each(|(key, value)| pointers(value, format!("{at}/{key}"), places));
            }
            _ => {}
        }
    }

    #[test]
    fn a_vocabulary_alone_is_refused_with_the_line_that_converts_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("vocab.txt"), "[PAD]\n[UNK]\n").unwrap();
        for path in [folder.path().to_path_buf(), folder.path().join("vocab.txt"), folder.path().join(FILE)] {
            let error = open(&path).unwrap_err().to_string();
            assert!(error.contains("save_pretrained") && error.contains(FILE), "{error}");
        }
    }
}
