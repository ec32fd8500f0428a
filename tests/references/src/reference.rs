//! One reference file.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thaw_plugin_api::model::Tensors;
use thaw_plugin_api::tch::{Kind, Tensor};

use crate::{Deviation, Outcome, formula};

/// The folder of the references.
pub fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/models")
}

/// A JSON file of `tests/fixtures/models`.
pub struct Reference {
    name: String,
    json: Value,
}

impl Reference {
    /// Reads `arch/NAME.json`.
    pub fn arch(name: &str) -> Self {
        Self::read(&format!("arch/{name}.json"))
    }

    /// All of `arch`, by name.
    pub fn architectures() -> Vec<Self> {
        let entries =
            std::fs::read_dir(fixtures().join("arch")).unwrap_or_else(|error| panic!("arch: {error}"));
        let files = entries.map(|entry| entry.unwrap_or_else(|error| panic!("arch: {error}")).path());
        let mut files: Vec<PathBuf> =
            files.filter(|file| file.extension().is_some_and(|extension| extension == "json")).collect();
        files.sort();
        files.iter().map(|file| Self::open(file).unwrap_or_else(|error| panic!("{error}"))).collect()
    }

    /// Reads a file by its path in the folder.
    pub fn read(path: &str) -> Self {
        let file = fixtures().join(path);
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self {
            name: path.to_owned(),
            json: serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}")),
        }
    }

    /// Reads a file of any folder; its name is the file's.
    ///
    /// # Errors
    /// A file that cannot be read, or no JSON.
    pub fn open(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let json =
            serde_json::from_str(&text).map_err(|error| format!("{} is no JSON: {error}", file.display()))?;
        Ok(Self { name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), json })
    }

    /// The same with other `inputs` and `eval`, which the file has under `key`.
    pub fn with_eval(&self, key: &str) -> Self {
        let mut json = self.json.clone();
        json["inputs"] = json[key]["inputs"].clone();
        json["eval"] = json[key].clone();
        self.named(key, json)
    }

    /// A part of the file that has the same form as a whole one.
    pub fn part(&self, key: &str) -> Self {
        self.named(key, self.json[key].clone())
    }

    /// `finetune_pairs` in the form of a whole file: a linear layer on all `pairs` as one batch, padded with
    /// zeros.
    pub fn fine_tuning(&self) -> Option<Self> {
        let mut json = self.json.get("finetune_pairs")?.clone();
        let length = usize::try_from(json["padded_length"].as_u64()?).ok()?;
        let pairs = self.json["pairs"].as_array()?;
        let padded = |values: Vec<Value>| {
            values.into_iter().chain(std::iter::repeat(json!(0))).take(length).collect::<Value>()
        };
        let column = |key: &str| {
            pairs
                .iter()
                .map(|row| padded(row[key].as_array().cloned().unwrap_or_default()))
                .collect::<Value>()
        };
        let tokens = |row: &Value| row["ids"].as_array().map_or(0, Vec::len);
        let mask: Value = pairs.iter().map(|row| padded(vec![json!(1); tokens(row)])).collect();
        json["inputs"] = json!({ "input_ids": column("ids"), "attention_mask": mask,
            "token_type_ids": column("type_ids") });
        json["config"] = self.json["config"].clone();
        for (key, value) in [
            ("library", json!("transformers")),
            ("model", json!("BertMNLIFinetuner")),
            ("num_labels", json!(3)),
        ] {
            json["config"][key] = value;
        }
        json["weights"] = self.json["weights"].clone();
        Some(self.named("finetune_pairs", json))
    }

    /// Something of the file in the form of a whole one.
    pub(crate) fn named(&self, part: &str, json: Value) -> Self {
        Self { name: format!("{}, {part}", self.name), json }
    }

    /// Where it was read.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole of it.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// What is recorded under `key` of a part of the file.
    ///
    /// # Errors
    /// Nothing is: a comparison with it would pass whatever the model does.
    pub fn recorded<'v>(&self, part: &'v Value, key: &str) -> Result<&'v Value, String> {
        let is_empty = |value: &Value| {
            value.is_null()
                || value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(serde_json::Map::is_empty)
        };
        part.get(key)
            .filter(|value| !is_empty(value))
            .ok_or_else(|| format!("{} records nothing under `{key}`", self.name))
    }

    /// Factor of the weights' formula.
    pub fn gain(&self) -> f64 {
        self.json["init"]["gain"].as_f64().unwrap_or(1.0)
    }

    /// The recorded inputs: token ids as they stand there, pictures by formula.
    pub fn inputs(&self) -> Tensors {
        let inputs = self.json["inputs"].as_object().unwrap_or_else(|| panic!("{} has no inputs", self.name));
        inputs.iter().map(|(name, input)| (name.clone(), tensor(input))).collect()
    }

    /// The recorded labels; none for a reconstruction.
    pub fn labels(&self) -> Option<Tensor> {
        self.json["labels"].as_array().map(|labels| integers(labels))
    }

    /// Compares an output, by name, with `eval`: shape, first values, mean, standard deviation, length.
    pub fn check_output(&self, name: &str, ours: &Tensor) -> Outcome {
        let eval = &self.json["eval"];
        let tolerance = eval["tolerance"].as_f64().unwrap_or(1e-4);
        check_summary(&format!("output `{name}`"), ours, &eval["outputs"][name], tolerance)
    }

    /// Names of the recorded outputs, in order.
    ///
    /// # Errors
    /// There are none.
    pub fn output_names(&self) -> Result<Vec<String>, String> {
        let outputs = self.recorded(&self.json["eval"], "outputs")?.as_object();
        Ok(outputs.into_iter().flatten().map(|(name, _)| name.clone()).collect())
    }

    /// Compares a module's output with `eval.activations`; the name is relative to the backbone.
    pub fn check_activation(&self, name: &str, ours: &Tensor) -> Outcome {
        let rows = self.json["eval"]["activations"].as_array();
        let row = rows.into_iter().flatten().find(|row| row["name"] == name);
        check_summary(&format!("module `{name}`"), ours, row.unwrap_or(&Value::Null), 1e-3)
    }
}

fn tensor(input: &Value) -> Tensor {
    match input.as_array() {
        Some(rows) => {
            let rows: Vec<Tensor> =
                rows.iter().map(|row| integers(row.as_array().map_or(&[], Vec::as_slice))).collect();
            Tensor::stack(&rows, 0)
        }
        None => formula::images(&shape(&input["shape"])),
    }
}

fn integers(values: &[Value]) -> Tensor {
    let values: Vec<i64> = values.iter().filter_map(Value::as_i64).collect();
    Tensor::from_slice(&values)
}

/// A recorded shape.
pub(crate) fn shape(value: &Value) -> Vec<i64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
}

/// Shape, mean, standard deviation and length, and the first values where they are recorded. Values may
/// differ by `tolerance` standard deviations.
pub(crate) fn check_summary(what: &str, ours: &Tensor, theirs: &Value, tolerance: f64) -> Outcome {
    if theirs.is_null() {
        return Err(format!("{what} is not in the reference"));
    }
    // A pooled picture may be flat here and `[…, 1, 1]` there.
    let trimmed = |shape: Vec<i64>| {
        shape.iter().rposition(|size| *size != 1).map_or(Vec::new(), |last| shape[..=last].to_vec())
    };
    if trimmed(ours.size()) != trimmed(shape(&theirs["shape"])) {
        return Err(format!("{what} has shape {:?}, the reference {}", ours.size(), theirs["shape"]));
    }
    let exact = ours.detach().to_kind(Kind::Double);
    let number = |key: &str| theirs[key].as_f64().unwrap_or(f64::NAN);
    let std = number("std");
    let mut deviation = Deviation::default();
    let mut compare = |place: &str, ours: f64, theirs: f64| {
        deviation.compare(&format!("{what}, {place}, in standard deviations"), ours, theirs, tolerance, std)
    };
    let rows = theirs["first16"].as_array().or(theirs["values"].as_array());
    for (item, row) in rows.into_iter().flatten().enumerate() {
        let ours = exact.select(0, item as i64).flatten(0, -1);
        for (index, value) in row.as_array().into_iter().flatten().enumerate() {
            let place = format!("sample {item}, value {index}");
            compare(&place, ours.double_value(&[index as i64]), value.as_f64().unwrap_or(f64::NAN))?;
        }
    }
    compare("mean", exact.mean(Kind::Double).double_value(&[]), number("mean"))?;
    compare("standard deviation", exact.std(false).double_value(&[]), std)?;
    deviation.close(&format!("{what}, length"), exact.norm().double_value(&[]), number("l2"), tolerance)?;
    Ok(deviation)
}
