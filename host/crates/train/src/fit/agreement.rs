//! What the processes of a run say to each other: of every batch, of what trains, of what was written.
//!
//! A batch is one exchange: losses and metrics become those of all processes together, and whoever wants the
//! run to end is heard by all at the same step. What follows from numbers is then the same everywhere; what
//! hooks decide is compared.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Kind;

use super::state::Trained;
use super::{Fit, FitError, RunState};
use crate::Error;
use crate::ask::Ask;
use crate::error::torch;
use crate::world::WorldError;
use thaw_data::{CounterRng, Split};
use thaw_optim::optimizer::Optimizer;
use thaw_plugin_api::optimizer::ParamGroup;
use thaw_torch::gradients::TensorList;
use thaw_torch::reading::Reading;

/// What a batch gave in this process; nothing where it has no sample of it.
pub(super) struct OfProcess {
    /// Samples.
    pub samples: usize,
    /// How much they count in the loss.
    pub weight: f64,
    /// Names, the loss first.
    pub names: Vec<Cow<'static, str>>,
    /// Their values.
    pub values: Vec<f64>,
    /// Whether it has to be told what outputs look like, since it never had a sample.
    pub lacks_outputs: bool,
}

/// What a batch gave in all processes together.
pub(super) struct OfAll {
    /// Samples.
    pub samples: usize,
    /// This process' share in the loss: 1 for one that is alone.
    pub share: f64,
    /// Names, the loss first.
    pub names: Vec<Cow<'static, str>>,
    /// Their values.
    pub values: Vec<Reading>,
    /// Whether a process has to be told what outputs look like.
    pub lacks_outputs: bool,
}

/// What a process says of a batch. Numbers are their bits, as JSON has neither NaN nor infinities.
#[derive(Serialize, Deserialize)]
struct Word {
    samples: usize,
    weight: u64,
    names: Vec<String>,
    values: Vec<u64>,
    lacks_outputs: bool,
    /// The user ends the run here.
    leave: bool,
    /// The run has taken as long as it may.
    late: bool,
    /// Rates by group.
    rates: Vec<(String, u64)>,
    /// Why hooks want the run to stop.
    stop: Option<String>,
    checkpoints: Vec<String>,
    /// What somebody asked the first process for.
    asked: Option<Ask>,
}

/// The pass in whose batches requests are heard.
pub(super) const TRAINING: &str = "training";

impl Fit {
    /// Says what a batch gave, and hears what it gave in all processes.
    ///
    /// # Errors
    /// A process is elsewhere, has failed or is gone, or decided differently.
    pub(super) fn agree_on_batch(&mut self, pass: &str, own: OfProcess) -> Result<OfAll, Error> {
        let progress = self.state.progress();
        let place = format!("{pass} batch {} of epoch {}", progress.batch_index + 1, progress.epoch + 1);
        let word = self.word(&own);
        let words = self.state.world.exchange(&place, word)?;
        compare(&place, &words.iter().map(Word::decided).collect::<Vec<_>>())?;
        same_names(&place, &words)?;
        if words.iter().any(|word| word.leave) {
            self.now.leaves = true;
        }
        if words.first().is_some_and(|word| word.late) {
            self.state.ask_to_stop_for_time();
        }
        if let Some(ask) = words.first().and_then(|word| word.asked.as_ref()).filter(|_| pass == TRAINING) {
            self.begin_told_ask(ask);
        }
        warn_of_nan(&place, &words);
        let all = of_all(&words, own.weight);
        if all.samples == 0 {
            let reason = format!("no process could read a sample of {place}");
            return Err(FitError::NoBatches(reason).into());
        }
        Ok(all)
    }

    fn word(&self, own: &OfProcess) -> Word {
        let groups = self.state.trained.optimizer.as_ref().map(Optimizer::groups).unwrap_or_default();
        let requests = &self.state.requests;
        Word {
            samples: own.samples,
            weight: own.weight.to_bits(),
            names: own.names.iter().map(ToString::to_string).collect(),
            values: own.values.iter().map(|value| value.to_bits()).collect(),
            lacks_outputs: own.lacks_outputs,
            leave: self.stop.is_stopped(),
            late: self.is_late(),
            rates: groups.iter().map(|group| (group.name.clone(), group.lr.to_bits())).collect(),
            stop: requests.stop.clone(),
            checkpoints: requests.checkpoints.iter().map(ToString::to_string).collect(),
            asked: self.untold_ask(),
        }
    }

    /// Compares what trains, in which groups and at which rates.
    ///
    /// # Errors
    /// A process is named that holds something else.
    pub(super) fn agree_on_groups(&self) -> Result<(), Error> {
        let state = &self.state;
        if state.world.is_single() {
            return Ok(());
        }
        let epoch = state.progress().epoch + 1;
        let place = format!("what trains in epoch {epoch}, after {} steps", state.progress().global_step);
        let tree = state.trained.model.tree();
        let groups = state.trained.optimizer.as_ref().map(Optimizer::groups).unwrap_or_default();
        let groups: serde_json::Map<String, Value> =
            groups.iter().map(|group| (group.name.clone(), of_group(group))).collect();
        let modes: serde_json::Map<String, Value> =
            tree.modules().iter().map(|module| (module.path.clone(), json!(module.training))).collect();
        let held = json!({
            "the groups": groups,
            "what requires gradients": tree.trainable(),
            "training mode of modules": modes,
        });
        let all = state.world.exchange(&place, held)?;
        compare(&place, &all)?;
        self.agree_on_weights(&place)
    }

    /// Compares the weights, which all processes move alike. Machines of several kinds may round differently.
    fn agree_on_weights(&self, place: &str) -> Result<(), Error> {
        const TOLERANCE: f64 = 1e-3;
        let parameters = self.state.trained.parameters.iter();
        let sums = parameters.map(|(name, tensor)| {
            let sum = tch::no_grad(|| tensor.f_abs()?.f_sum(Kind::Double)?.f_double_value(&[]));
            Ok((name.to_owned(), sum.map_err(torch("looking at the weights"))?.to_bits()))
        });
        let own: Vec<(String, u64)> = sums.collect::<Result<_, FitError>>()?;
        let all = self.state.world.exchange(format_args!("the weights in {place}"), own)?;
        let Some((first, others)) = all.split_first() else { return Ok(()) };
        for (rank, other) in (1..).zip(others) {
            let pairs = first
                .iter()
                .zip(other)
                .map(|((name, first), (_, other))| (name, f64::from_bits(*first), f64::from_bits(*other)));
            let is_other = |first: f64, other: f64| {
                let apart = (first - other).abs();
                first.to_bits() != other.to_bits() && (apart.is_nan() || apart > TOLERANCE * first.abs())
            };
            if let Some((name, first, other)) =
                pairs.into_iter().find(|(_, first, other)| is_other(*first, *other))
            {
                let what = format!("the sum of the absolute values of `{name}`");
                let (place, found, expected) = (place.to_owned(), other.to_string(), first.to_string());
                return Err(WorldError::Differs { rank, place, what, found, expected }.into());
            }
        }
        Ok(())
    }

    /// Has the backward pass of a window's last batch send gradients as they become done.
    ///
    /// # Errors
    /// libtorch refuses.
    pub(super) fn begin_sums(&self) -> Result<(), Error> {
        Ok(self.state.world.begin_sums(&self.training_parameters())?)
    }

    /// Sums the gradients of a window over all processes, before anybody looks at them.
    ///
    /// # Errors
    /// A process is gone or does not come.
    pub(super) fn sum_gradients(&mut self) -> Result<(), Error> {
        Ok(self.state.world.sum_gradients("the gradients", &self.training_parameters())?)
    }

    /// What trains, in the model's order: the backward pass goes through it from its end, about.
    fn training_parameters(&self) -> TensorList {
        let Trained { model, optimizer, parameters, .. } = &self.state.trained;
        let groups = optimizer.as_ref().map(Optimizer::groups).unwrap_or_default();
        let grouped: HashSet<&String> = groups.iter().flat_map(|group| &group.parameters).collect();
        let training = model.tree().parameters();
        let training = training.filter(|own| own.requires_grad && grouped.contains(&own.name));
        training.filter_map(|own| parameters.get(&own.name)).collect()
    }

    /// Gives every process the first one's weights and buffers.
    ///
    /// # Errors
    /// As [`Self::sum_gradients`].
    pub(super) fn share_model(&self) -> Result<(), Error> {
        let state = &self.state;
        if state.world.is_single() {
            return Ok(());
        }
        let tensors = state.trained.model.state_dict();
        let shapes: Vec<(&String, Vec<i64>)> =
            tensors.iter().map(|(name, tensor)| (name, tensor.size())).collect();
        let place = "the start of the run";
        let table = &state.config.table;
        let tables = ["data", "trainer", "optimizer", "scheduler", "loss", "checkpoint"];
        let config: serde_json::Map<String, Value> =
            tables.iter().map(|name| ((*name).to_owned(), without_places(&table[*name]))).collect();
        let held = json!({
            "the run config": config,
            "the seed": state.config.seed,
            "samples of training": state.data.samples(Split::Train),
            "samples of validation": state.data.samples(Split::Val),
            "batches of training": state.progress().num_training_batches,
            "batches of validation": state.progress().num_validation_batches,
            "the data": state.data.fingerprints().without_times(),
            "the classes": state.data.class_names(),
            "the model's tensors": shapes,
        });
        compare(place, &state.world.exchange(place, held)?)?;
        Ok(state.world.share("the weights", tensors.iter().map(|(_, tensor)| tensor))?)
    }

    /// Why a run ends or a checkpoint is lost is the first process' to say.
    ///
    /// # Errors
    /// As [`Self::sum_gradients`].
    pub(super) fn hear_of_checkpoint(
        &self,
        name: &str,
        lost: Option<String>,
    ) -> Result<Option<String>, Error> {
        Ok(self.state.world.hear_first(format_args!("checkpoint `{name}`"), lost)?)
    }
}

impl RunState {
    /// Gives every process the first one's buffers, which checkpoints keep: what batch norms have counted,
    /// each process has of its own samples.
    ///
    /// # Errors
    /// A process is gone, elsewhere, or does not come.
    pub(super) fn share_buffers(&self, place: &str) -> Result<(), Error> {
        if self.world.is_single() {
            return Ok(());
        }
        let step = self.progress().global_step;
        self.world.exchange(format_args!("{place} after {step} steps"), ())?;
        let tree = self.trained.model.tree();
        let buffers = self.trained.model.state_dict().iter();
        let buffers = buffers.filter(|(name, _)| tree.parameter(name).is_err());
        Ok(self.world.share("the buffers", buffers.map(|(_, buffer)| buffer))?)
    }

    /// Random numbers of this process' own from this optimizer step on; the first one's stay as they are.
    ///
    /// # Errors
    /// libtorch refuses.
    pub(super) fn draw_own_numbers(&self, step: usize) -> Result<(), Error> {
        let rank = self.world.rank();
        if rank > 0 {
            let seed = CounterRng::new(&[self.config.seed, rank as u64, step as u64]).next_u64();
            thaw_torch::manual_seed(seed)?;
        }
        Ok(())
    }
}

impl Word {
    /// What hooks decided so far, to be the same everywhere.
    fn decided(&self) -> Value {
        let rates: serde_json::Map<String, Value> =
            self.rates.iter().map(|(name, lr)| (name.clone(), json!(f64::from_bits(*lr)))).collect();
        json!({
            "the rates": rates,
            "why hooks stop the run": self.stop,
            "checkpoints that hooks ask for": self.checkpoints,
        })
    }

    fn weight(&self) -> f64 {
        f64::from_bits(self.weight)
    }
}

/// A table without what each machine may have for itself.
fn without_places(table: &Value) -> Value {
    let mut table = table.clone();
    if let Some(table) = table.as_object_mut() {
        let places = ["device", "threads", "timeout", "workers", "path", "val_path", "root", "test_path"];
        places.iter().for_each(|key| drop(table.remove(*key)));
        ["validation", "tokenizer"].iter().for_each(|key| drop(table.remove(*key)));
    }
    table
}

fn of_group(group: &ParamGroup) -> Value {
    json!({
        "lr": group.lr,
        "weight_decay": group.weight_decay,
        "parameters": group.parameters,
        "options": group.options,
    })
}

/// The means over all: of the loss by what the samples count in it, of metrics by samples.
fn of_all(words: &[Word], own: f64) -> OfAll {
    let samples: usize = words.iter().map(|word| word.samples).sum();
    let weight: f64 = words.iter().map(Word::weight).sum();
    let given = words.iter().filter(|word| !word.names.is_empty());
    let names = given.clone().next().map(|word| word.names.clone()).unwrap_or_default();
    let mean = |index: usize| {
        let part = |word: &Word| match index {
            0 => word.weight() / weight,
            _ => word.samples as f64 / samples as f64,
        };
        // Nothing times what nothing gave, such as a mean over no label, is no number.
        let counted = given.clone().filter(|word| part(word) != 0.0);
        let values = counted.filter_map(|word| Some(part(word) * f64::from_bits(*word.values.get(index)?)));
        values.sum()
    };
    let values = (0..names.len()).map(|index| Reading::Known(mean(index))).collect();
    let lacks_outputs = words.iter().any(|word| word.lacks_outputs);
    let names = names.into_iter().map(Cow::Owned).collect();
    OfAll { samples, share: own / weight, names, values, lacks_outputs }
}

/// Whoever has samples of a batch is to have the same metrics of it: they are put together one by one.
fn same_names(place: &str, words: &[Word]) -> Result<(), WorldError> {
    let mut given = words.iter().enumerate().filter(|(_, word)| !word.names.is_empty());
    let Some((first, expected)) = given.next() else { return Ok(()) };
    match given.find(|(_, word)| word.names != expected.names) {
        None => Ok(()),
        Some((rank, word)) => Err(WorldError::Differs {
            rank,
            place: place.to_owned(),
            what: "the list of the batch's metrics".to_owned(),
            found: word.names.join(", "),
            expected: format!("{} on rank {first}", expected.names.join(", ")),
        }),
    }
}

/// Whose loss it was.
fn warn_of_nan(place: &str, words: &[Word]) {
    for (rank, word) in words.iter().enumerate() {
        let loss = word.values.first().map(|bits| f64::from_bits(*bits));
        if let Some(loss) = loss.filter(|loss| !loss.is_finite() && word.weight() != 0.0) {
            tracing::warn!("the loss of rank {rank} is {loss} at {place}");
        }
    }
}

/// Finds the first thing in which a process differs from the first one.
fn compare(place: &str, all: &[Value]) -> Result<(), WorldError> {
    let Some(first) = all.first() else { return Err(WorldError::Silent) };
    for (rank, held) in all.iter().enumerate() {
        if let Some((what, expected, found)) = difference(String::new(), first, held) {
            return Err(WorldError::Differs { rank, place: place.to_owned(), what, found, expected });
        }
    }
    Ok(())
}

/// Where two values differ, and what they have there.
fn difference(path: String, first: &Value, other: &Value) -> Option<(String, String, String)> {
    if first == other {
        return None;
    }
    if let (Value::Object(of_first), Value::Object(of_other)) = (first, other) {
        let keys = of_first.keys().chain(of_other.keys().filter(|key| !of_first.contains_key(*key)));
        let null = Value::Null;
        let inside = |key: &String| if path.is_empty() { key.clone() } else { format!("{path}, `{key}`") };
        return keys.into_iter().find_map(|key| {
            let at = |table: &serde_json::Map<String, Value>| table.get(key).cloned().unwrap_or(null.clone());
            difference(inside(key), &at(of_first), &at(of_other))
        });
    }
    Some((path, shown(first, other), shown(other, first)))
}

/// A value; of a list, what the other one does not have.
fn shown(value: &Value, other: &Value) -> String {
    let more = |list: &[Value], other: &[Value]| {
        let more: Vec<String> =
            list.iter().filter(|item| !other.contains(item)).map(Value::to_string).collect();
        match more.as_slice() {
            [] => "without these".to_owned(),
            [one] => format!("with {one}"),
            [one, rest @ ..] => format!("with {one} and {} more", rest.len()),
        }
    };
    match (value, other) {
        (Value::Array(list), Value::Array(other)) => more(list, other),
        (Value::Null, _) => "not there".to_owned(),
        (value, _) => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
