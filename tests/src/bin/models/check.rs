//! All comparisons of one reference.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};
use thaw_plugin_api::model::{Stage, Tensors};
use thaw_plugin_api::tch::{self, Device, Tensor};
use thaw_plugins::{PluginSet, SearchPath};
use thaw_test_references::{Built, Deviation, Reference, check_script};
use thaw_tests::catalog::{self, Target};

use crate::{finetuning, weights};

/// What came of a reference that nothing spoke against.
pub enum Verdict {
    /// Everything is within its tolerance.
    Passed(Deviations),
    /// Not at hand, and why.
    Skipped(String),
}

/// The largest deviation of each part.
#[derive(Default)]
pub struct Deviations(Vec<(String, Deviation)>);

impl From<Deviation> for Deviations {
    fn from(deviation: Deviation) -> Self {
        Self(vec![("all".to_owned(), deviation)])
    }
}

impl fmt::Display for Deviations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.0.iter().map(|(part, deviation)| format!("{part} {:.3}", deviation.share())).collect();
        f.write_str(&parts.join(", "))
    }
}

/// Compares everything that a reference has.
///
/// # Errors
/// The first difference, or what kept the model from being built.
pub fn run(reference: &Reference, search: &SearchPath, device: Device) -> Result<Verdict, String> {
    let target = catalog::target(&reference.json()["config"])?;
    let source = match &reference.json()["weights"] {
        Value::Null => None,
        weights => match weights::of(weights) {
            Ok(file) => Some(file),
            Err(reason) => return Ok(Verdict::Skipped(reason)),
        },
    };
    let subject = |target, reference| {
        let built = build(target, search)?.on(device)?;
        Ok::<_, String>(Subject { built, reference, weights: source.as_deref() })
    };
    if !reference.json()["sentences"].is_array() {
        return subject(&target, reference)?.all().map(Verdict::Passed);
    }
    let mut deviations = subject(&target, reference)?.sentences()?;
    if let Some(pairs) = reference.fine_tuning() {
        let target = catalog::target(&pairs.json()["config"])?;
        let of_pairs =
            subject(&target, &pairs)?.all().map_err(|difference| format!("finetune_pairs: {difference}"))?;
        deviations.0.extend(
            of_pairs.0.into_iter().map(|(part, deviation)| (format!("finetune_pairs {part}"), deviation)),
        );
    }
    Ok(Verdict::Passed(deviations))
}

/// Compares everything that is recorded of a TorchScript file.
///
/// # Errors
/// The first difference, or what kept the model from being built.
pub fn script(all: &Reference, file: &Path, search: &SearchPath, device: Device) -> Result<Verdict, String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let target =
        Target { plugin: "torchscript", id: "torchscript".to_owned(), config: json!({ "path": file }) };
    let deviation = check_script(&all.script(&name), || build(&target, search)?.on(device))?;
    Ok(Verdict::Passed(deviation.into()))
}

fn build(target: &Target, search: &SearchPath) -> Result<Built, String> {
    let plugins =
        PluginSet::load([target.plugin], search, Path::new("")).map_err(|error| error.to_string())?;
    let (raw, _) = plugins.create_model(&target.id, &target.config).map_err(|error| error.to_string())?;
    Built::from_raw(raw)
}

/// A model with the reference that it is compared with.
struct Subject<'r> {
    built: Built,
    reference: &'r Reference,
    /// Real weights; without them the formula's.
    weights: Option<&'r Path>,
}

impl Subject<'_> {
    fn all(&mut self) -> Result<Deviations, String> {
        let names = self.names()?;
        self.reset()?;
        let keys: Vec<&String> =
            self.reference.json().as_object().into_iter().flatten().map(|(key, _)| key).collect();
        let mut deviations = Deviations(vec![("names".to_owned(), names)]);
        for key in keys.iter().filter(|key| key.starts_with("eval")) {
            let reference = if *key == "eval" { self.reference } else { &self.reference.with_eval(key) };
            let deviation =
                self.built.check_eval(reference).map_err(|difference| self.located(reference, difference))?;
            self.built.check_stages(reference, |_| None)?;
            deviations.0.push(((*key).clone(), deviation));
        }
        // A reference with outputs for several inputs has its steps for the first ones.
        let first = keys.iter().find(|key| key.starts_with("eval")).filter(|key| **key != "eval");
        let inputs = first.map(|key| self.reference.with_eval(key));
        for key in keys.iter().filter(|key| key.starts_with("train")) {
            let step = self.step(inputs.as_ref().unwrap_or(self.reference), key);
            deviations.0.push(((*key).clone(), step.map_err(|difference| format!("{key}: {difference}"))?));
        }
        if finetuning::is_recorded(self.reference) {
            self.reset()?;
            let steps = finetuning::check(&mut self.built, self.reference)
                .map_err(|difference| format!("adamw: {difference}"))?;
            deviations.0.push(("adamw".to_owned(), steps));
        }
        Ok(deviations)
    }

    /// Names and shapes of the model. A reference that is made with real weights may leave them to the file:
    /// it then has to be the recorded one, entry for entry, and [`Self::reset`] takes it strictly.
    fn names(&self) -> Result<Deviation, String> {
        match self.weights {
            Some(file) if self.reference.json()["state_dict"].is_null() => {
                weights::check_file(file, &self.reference.json()["weights"])
            }
            _ => self.built.check_names(self.reference),
        }
    }

    fn step(&mut self, reference: &Reference, key: &str) -> Result<Deviation, String> {
        self.reset()?;
        let backbone = reference.json()["backbone"].as_str().unwrap_or_default().to_owned() + ".";
        match key {
            "train" => self.built.set_training(true),
            "train_frozen_batch_norm" => self.built.set_modes(|module| !module.is_batch_norm()),
            "train_frozen_backbone" => {
                self.built.set_training(true);
                self.built.set_trainable(|name| !name.starts_with(&backbone));
            }
            other => return Err(format!("no such step is known: {other}")),
        }
        let deviation = self.built.check_step(reference, key);
        self.built.set_trainable(|_| true);
        deviation
    }

    /// Gives the model the weights of the reference.
    fn reset(&mut self) -> Result<(), String> {
        let json = self.reference.json();
        if let Some(file) = self.weights {
            return weights::load(&self.built, file.to_path_buf(), &json["weights"]);
        }
        let renamed = json["init"]["renamed"].as_object();
        let renamed: Vec<(&String, &str)> =
            renamed.into_iter().flatten().filter_map(|(from, to)| Some((from, to.as_str()?))).collect();
        self.built.fill(self.reference.gain(), |name| {
            let new = renamed
                .iter()
                .find_map(|(from, to)| Some(format!("{to}{}", name.strip_prefix(from.as_str())?)));
            new.unwrap_or_else(|| name.to_owned())
        });
        Ok(())
    }

    /// Adds to a difference in an output which stage differs first.
    fn located(&mut self, reference: &Reference, difference: String) -> String {
        let json = reference.json();
        let backbone = json["backbone"].as_str().unwrap_or_default();
        let recorded: Vec<&str> = json["eval"]["activations"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| row["name"].as_str())
            .collect();
        let module_of = |stage: &Stage| {
            let path = stage.modules.last()?.strip_prefix(backbone)?.trim_start_matches('.');
            (recorded.iter().filter(|name| **name == path).count() == 1).then(|| path.to_owned())
        };
        match self.built.check_stages(reference, module_of) {
            Ok(_) => difference,
            Err(first) => format!("{difference}; first in {first}"),
        }
    }

    /// Sentences and pairs to vectors, and how near they are to each other.
    fn sentences(&mut self) -> Result<Deviations, String> {
        self.reset()?;
        self.built.set_training(false);
        let json = self.reference.json();
        let tolerance = json["tolerance"].as_f64().unwrap_or(1e-3);
        let mut deviations = Deviations::default();
        let mut embeddings = Vec::new();
        for part in ["sentences", "pairs"] {
            let mut deviation = Deviation::default();
            for row in json[part].as_array().into_iter().flatten() {
                let outputs = tch::no_grad(|| self.built.forward(tokens(row)))?;
                if part == "sentences" {
                    embeddings
                        .push(outputs.get("embedding").map_err(|error| error.to_string())?.flatten(0, -1));
                }
                for (output, recorded) in
                    [("last_hidden_state", "cls_first8"), ("embedding", "embedding_first8")]
                {
                    let ours = outputs.get(output).map_err(|error| error.to_string())?.flatten(0, -1);
                    for (index, theirs) in row[recorded].as_array().into_iter().flatten().enumerate() {
                        let what = format!(
                            "{part}, {}, {output} {index}",
                            row["text"].as_str().or(row["a"].as_str()).unwrap_or_default()
                        );
                        let (ours, theirs) =
                            (ours.double_value(&[index as i64]), theirs.as_f64().unwrap_or(f64::NAN));
                        deviation.compare(&what, ours, theirs, tolerance, 1.0)?;
                    }
                }
            }
            deviations.0.push((part.to_owned(), deviation));
        }
        let mut deviation = Deviation::default();
        for (row, theirs) in json["cosine_matrix"].as_array().into_iter().flatten().enumerate() {
            for (column, theirs) in theirs.as_array().into_iter().flatten().enumerate() {
                let ours = embeddings[row].dot(&embeddings[column]).double_value(&[]);
                let what = format!("cosine of sentences {row} and {column}");
                deviation.compare(&what, ours, theirs.as_f64().unwrap_or(f64::NAN), tolerance, 1.0)?;
            }
        }
        deviations.0.push(("cosines".to_owned(), deviation));
        Ok(deviations)
    }
}

/// The tokens of one text or pair, without padding.
fn tokens(row: &Value) -> Tensors {
    let list = |key: &str| {
        let values: Vec<i64> = row[key].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
        Tensor::from_slice(&values).unsqueeze(0)
    };
    Tensors::one("input_ids", list("ids")).with("token_type_ids", list("type_ids"))
}
