use crate::testing::{config, open, refusal};
use crate::{Batch, DataModule, InputDefaults, PredictData, Split};
use std::path::Path;
use tch::Tensor;

/// A BERT-like tokenizer: lower case, words of a small vocabulary, `[CLS] a [SEP] b [SEP]`.
const TOKENIZER: &str = r###"{
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [],
  "normalizer": {"type": "Lowercase"},
  "pre_tokenizer": {"type": "Whitespace"},
  "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
  "decoder": null,
  "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
    "vocab": {"[PAD]": 9, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3,
      "the": 4, "cat": 5, "sat": 6, "##s": 7, "dog": 8}}
}"###;

const TEXT: &str = "kind = \"text\"\npath = \"{dir}/t.csv\"\ntokenizer = \"{dir}/tokenizer.json\"\nshuffle = \
                    false\nbucket = false\n";

fn folder(table: &str, content: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("folder");
    std::fs::write(dir.path().join("tokenizer.json"), TOKENIZER).expect("written");
    std::fs::write(dir.path().join(table), content).expect("written");
    dir
}

fn walk(data: &DataModule, epoch: u64) -> Vec<Batch> {
    let loader = data.loader(Split::Train, epoch, 0).expect("starts").expect("there");
    loader.map(|batch| batch.expect("made")).collect()
}

fn rows(tensor: &Tensor) -> Vec<Vec<i64>> {
    Vec::try_from(tensor).expect("i64 matrix")
}

#[test]
fn texts_become_ids_padded_to_the_longest_of_the_batch() {
    let dir = folder("t.csv", "text,label\nThe cats sat,yes\ndog,no\n");
    let data = open(dir.path(), TEXT).expect("opens");
    let batch = &walk(&data, 0)[0];
    let names: Vec<&str> = batch.inputs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["input_ids", "attention_mask", "token_type_ids"]);
    assert_eq!(rows(&batch.inputs[0].1), [[1, 4, 5, 7, 6, 2], [1, 8, 2, 9, 9, 9]]);
    assert_eq!(rows(&batch.inputs[1].1), [[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]]);
    assert_eq!(rows(&batch.inputs[2].1), [[0; 6], [0; 6]]);
    let targets: Vec<i64> = batch.targets.as_ref().expect("labels").try_into().expect("i64");
    assert_eq!(targets, [1, 0]);
    assert_eq!(data.class_names(), ["no", "yes"]);
}

#[test]
fn pairs_get_type_ids_and_the_longer_text_is_cut_first() {
    let content = "{\"sentence1\": \"the cat sat\", \"sentence2\": \"dog\", \"gold_label\": \"neutral\"}\n\
                   {\"sentence1\": \"the\", \"sentence2\": \"bird\", \"gold_label\": \"-\"}\n";
    let dir = folder("t.jsonl", content);
    let lines = "kind = \"text\"\npath = \"{dir}/t.jsonl\"\ntokenizer = \"{dir}/tokenizer.json\"\ntext \
                 = \"sentence1\"\n\
                 text_pair = \"sentence2\"\nlabel = \"gold_label\"\nclasses = \
                 [\"entailment\", \"neutral\", \"contradiction\"]\n\
                 ignore_labels = [\"-\"]\n";
    let data = open(dir.path(), lines).expect("opens");
    assert_eq!(data.samples(Split::Train), 1);
    let batch = &walk(&data, 0)[0];
    assert_eq!(rows(&batch.inputs[0].1), [[1, 4, 5, 6, 2, 8, 2]]);
    assert_eq!(rows(&batch.inputs[2].1), [[0, 0, 0, 0, 0, 1, 1]]);
    let targets: Vec<i64> = batch.targets.as_ref().expect("labels").try_into().expect("i64");
    assert_eq!(targets, [1]);
    let data = open(dir.path(), &format!("{lines}max_length = 6")).expect("opens");
    let batch = &walk(&data, 0)[0];
    assert_eq!(rows(&batch.inputs[0].1), [[1, 4, 5, 2, 8, 2]]);
}

#[test]
fn rows_can_all_have_one_length() {
    let dir = folder("t.csv", "text,label\nthe cat sat the cat,0\ndog,1\n");
    let lines = format!("{TEXT}max_length = 5\npadding = \"max-length\"\npad_token_id = 0\nbatch_size = 1");
    let data = open(dir.path(), &lines).expect("opens");
    let batches = walk(&data, 0);
    assert_eq!(rows(&batches[0].inputs[0].1), [[1, 4, 5, 6, 2]]);
    assert_eq!(rows(&batches[1].inputs[0].1), [[1, 8, 2, 0, 0]]);
    assert!(data.fixed_inputs(Split::Train));
}

#[test]
fn no_row_is_longer_than_the_model_takes() {
    let dir = folder("t.csv", "text,label\nthe cat sat the cat,0\n");
    let longest = |lines: &str, max_length: Option<usize>| {
        let defaults = InputDefaults { max_length, ..InputDefaults::default() };
        let data = DataModule::open(&config(dir.path(), &format!("{TEXT}{lines}")), 0, &defaults)
            .map_err(|error| error.to_string())?;
        Ok::<_, String>(rows(&walk(&data, 0)[0].inputs[0].1)[0].len())
    };
    assert_eq!(longest("", None), Ok(7));
    assert_eq!(longest("", Some(5)), Ok(5));
    assert_eq!(longest("max_length = 4", Some(5)), Ok(4));
    let error = longest("max_length = 6", Some(5)).unwrap_err();
    assert_eq!(
        error,
        "[data] `max_length`: found 6, expected at most 5, the longest text that the model takes"
    );
    let truncation =
        r#""truncation": {"max_length": 6, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}"#;
    std::fs::write(dir.path().join("tokenizer.json"), TOKENIZER.replace("\"truncation\": null", truncation))
        .expect("written");
    assert_eq!(longest("", Some(9)), Ok(6), "the tokenizer's");
    assert_eq!(longest("", Some(5)), Ok(5), "the tokenizer asks for more than the model takes");
}

#[test]
fn buckets_put_similar_lengths_together_and_lose_nothing() {
    let words = |n: usize| vec!["cat"; n].join(" ");
    let rows_: Vec<String> = (0..41).map(|i| format!("{},0", words(1 + i * 7 % 13))).collect();
    let dir = folder("t.csv", &format!("text,label\n{}\n", rows_.join("\n")));
    let padded = |lines: &str| {
        let data = open(dir.path(), lines).expect("opens");
        let batches = walk(&data, 1);
        let mut seen: Vec<usize> = batches.iter().flat_map(|b| b.indices.clone()).collect();
        let sizes: Vec<usize> = batches.iter().map(Batch::len).collect();
        assert_eq!(sizes, [4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 1]);
        let cells: i64 = batches.iter().map(|b| b.inputs[0].1.numel() as i64).sum();
        let order = seen.clone();
        seen.sort_unstable();
        assert_eq!(seen, (0..41).collect::<Vec<_>>());
        (cells, order)
    };
    let base =
        "kind = \"text\"\npath = \"{dir}/t.csv\"\ntokenizer = \"{dir}/tokenizer.json\"\nbatch_size = 4\n";
    let (bucketed, order) = padded(base);
    let (mixed, _) = padded(&format!("{base}bucket = false"));
    assert!(bucketed < mixed, "{bucketed} {mixed}");
    assert_eq!(padded(&format!("{base}workers = 5")).1, order);
}

#[test]
fn an_epoch_of_buckets_follows_from_seed_and_epoch_and_can_be_taken_up_inside() {
    let rows: String = (0..50).map(|i| format!("{},0\n", vec!["cat"; 1 + i * 7 % 13].join(" "))).collect();
    let dir = folder("t.csv", &format!("text,label\n{rows}"));
    let config = config(
        dir.path(),
        "kind = \"text\"\npath = \"{dir}/t.csv\"\ntokenizer = \"{dir}/tokenizer.json\"\nbatch_size = 4\n",
    );
    let batches = |seed: u64, epoch: u64, start: usize| -> Vec<Vec<usize>> {
        let data = DataModule::open(&config, seed, &InputDefaults::default()).expect("opens");
        let loader = data.loader(Split::Train, epoch, start).expect("starts").expect("there");
        loader.map(|batch| batch.expect("made").indices).collect()
    };
    let whole = batches(1, 3, 0);
    assert_eq!(batches(1, 3, 0), whole);
    assert_eq!(batches(1, 3, 5), whole[5..]);
    assert_ne!(batches(1, 4, 0), whole);
    assert_ne!(batches(2, 3, 0), whole);
}

#[test]
fn what_cannot_be_tokenized_or_opened_is_named() {
    let dir = folder("t.csv", "text,label\ncat,0\n,1\n");
    // An empty text still has its special tokens.
    let data = open(dir.path(), TEXT).expect("opens");
    assert_eq!(rows(&walk(&data, 0)[0].inputs[0].1)[1], [1, 2, 9]);
    let text = refusal(dir.path(), &TEXT.replace("tokenizer.json", "t.csv"));
    assert!(text.contains("not readable as a tokenizer.json"), "{text}");
    let text = refusal(dir.path(), &TEXT.replace("tokenizer.json", "gone.json"));
    assert!(text.contains("gone.json"), "{text}");
    std::fs::write(dir.path().join("tokenizer.json"), TOKENIZER.replace("[PAD]", "[FILL]")).expect("written");
    let text = refusal(dir.path(), TEXT);
    assert!(text.contains("pad_token_id"), "{text}");
}

#[test]
fn texts_to_predict_on_come_from_tables_and_plain_lines() {
    let dir = folder("t.txt", "the cat\ndog\n");
    std::fs::write(dir.path().join("p.csv"), "id,text\n7,the cat\n8,dog\n").expect("written");
    std::fs::write(dir.path().join("p.tsv"), "text\tid\nthe cat\t7\ndog\t8\n").expect("written");
    std::fs::write(dir.path().join("p.jsonl"), "{\"text\": \"the cat\"}\n{\"text\": \"dog\"}\n")
        .expect("written");
    let config = config(dir.path(), TEXT);
    for input in ["t.txt", "p.csv", "p.tsv", "p.jsonl"] {
        let data = PredictData::open(&config, &dir.path().join(input), &InputDefaults::default());
        let data = data.expect(input);
        let batch = data.loader().expect("starts").next().expect("one").expect("made");
        assert_eq!(rows(&batch.inputs[0].1), [[1, 4, 5, 2], [1, 8, 2, 9]]);
        assert!(batch.targets.is_none());
        assert_eq!(data.id(1), "1");
    }
    assert!(Path::new(&dir.path().join("t.txt")).is_file());
}

#[test]
fn reference_texts_get_the_reference_ids() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures");
    let reference = std::fs::read(fixtures.join("models/arch/minilm.json")).expect("a fixture");
    let reference: serde_json::Value = serde_json::from_slice(&reference).expect("JSON");
    let dir = tempfile::tempdir().expect("folder");
    let tokenizer = fixtures.join("text/tokenizer.json");
    for (key, columns) in [("sentences", &["text"][..]), ("pairs", &["a", "b"])] {
        let rows_ = reference[key].as_array().expect("rows");
        let lines: String = rows_
            .iter()
            .map(|row| {
                let texts = columns.iter().zip(["text", "text_pair"]);
                let row: serde_json::Map<_, _> =
                    texts.map(|(from, to)| (to.to_string(), row[from].clone())).collect();
                serde_json::to_string(&row).expect("JSON") + "\n"
            })
            .collect();
        let path = dir.path().join(format!("{key}.jsonl"));
        std::fs::write(&path, lines).expect("written");
        let table = format!(
            "kind = \"text\"\npath = \"nowhere.csv\"\nbucket = false\ntokenizer = \"{}\"",
            tokenizer.display()
        );
        let data =
            PredictData::open(&config(dir.path(), &table), &path, &InputDefaults::default()).expect("opens");
        let batch = data.loader().expect("starts").next().expect("one").expect("made");
        let [ids, mask, types] = [0, 1, 2].map(|i| rows(&batch.inputs[i].1));
        for (i, row) in rows_.iter().enumerate() {
            let length = mask[i].iter().sum::<i64>() as usize;
            let list =
                |name: &str| -> Vec<i64> { serde_json::from_value(row[name].clone()).expect("integers") };
            assert_eq!(ids[i][..length], list("ids"), "{row}");
            assert_eq!(types[i][..length], list("type_ids"), "{row}");
            assert!(ids[i][length..].iter().all(|&id| id == 0));
        }
    }
}

#[test]
fn numbers_taken_for_classes_are_told_how_to_become_values_where_no_split_can_be_made() {
    let dir = folder("t.csv", "text,label\nThe cats sat,0.5\ndog,1.5\nthe dog,2.25\nthe,3\n");
    let text = refusal(dir.path(), &format!("{TEXT}val_split = 0.2\n"));
    assert!(text.contains("4 classes") && text.contains("`target = \"value\"`"), "{text}");
    let data = open(dir.path(), &format!("{TEXT}val_split = 0.3\ntarget = \"value\"\n")).expect("opens");
    assert_eq!(data.samples(Split::Val), 1);
}

#[test]
fn the_first_batches_of_a_validation_are_not_its_shortest_texts() {
    let rows = "text,label\nthe cat sat the cat,a\nthe cat sat,b\ndog,a\nsat,b\nthe cat sat dog,a\n";
    let dir = folder("t.csv", rows);
    let lines = TEXT.replace("bucket = false\n", "batch_size = 2\nval_path = \"{dir}/t.csv\"\n");
    let data = open(dir.path(), &lines).expect("opens");
    let loader = data.first_of_validation(0, 1).expect("starts").expect("there");
    let batches: Vec<Vec<usize>> = loader.map(|batch| batch.expect("made").indices).collect();
    assert_eq!(batches, [[1, 0]], "rows 0 and 1, by length");
}
