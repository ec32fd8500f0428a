//! Which output of the model means which class of the data.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;
use thaw_plugin_api::model::Task;

use super::build::open_data;
use crate::Error;
use crate::checkpoint::{Checkpoint, EarlierData, STATE};
use crate::config::{HubHead, RunConfig};
use crate::model::HostModel;
use crate::parts::{create_model, prepare_torch};
use thaw_data::first_names;
use thaw_plugins::PluginSet;
use thaw_weights::resolve;

/// The key of models whose head has as many outputs as it says.
const NUM_CLASSES: &str = "num_classes";

/// The run's model with its initial values. It gets as many classes as the data has, where its config has the
/// key and the run config does not give it; that is said.
///
/// # Errors
/// Model or data cannot be had.
pub fn create_counted(
    config: &mut RunConfig,
    plugins: &PluginSet,
    device: tch::Device,
) -> Result<HostModel, Error> {
    let model = create_model(config, plugins)?;
    let is_given = config.data.is_none() || config.model.config.get(NUM_CLASSES).is_some();
    let built = model.description().num_classes.and_then(|classes| usize::try_from(classes).ok());
    // The config.json of a number's model has one output.
    let has_other_head = config.hub.as_ref().is_some_and(|hub| hub.head == HubHead::OtherProblem);
    let built = if has_other_head { built.or(Some(1)) } else { built };
    let is_counted = !is_given && (has_other_head || model.task() == Task::Classification);
    let Some(built) = built.filter(|_| is_counted) else { return Ok(model) };
    let outputs = &model.description().class_names;
    let data = open_data(config, &model, plugins, &EarlierData::default(), outputs)?;
    let found = data.class_names().len();
    if found <= 1 || found == built {
        return Ok(model);
    }
    tracing::info!("model.num_classes = {found}: as many classes as the data has");
    config.set_model_key(NUM_CLASSES, found.into());
    // From the seed, as if it had been given.
    prepare_torch(config, device)?;
    create_model(config, plugins)
}

/// Gives the model as many classes as it was trained with, where the run config does not say.
pub fn take_count(config: &mut RunConfig, checkpoint: &Checkpoint) {
    let kept =
        checkpoint.state.given.config.get("model").filter(|kept| kept["id"] == config.model.id.as_str());
    if let (Some(count), None) =
        (kept.and_then(|kept| kept.get(NUM_CLASSES)), config.model.config.get(NUM_CLASSES))
    {
        config.set_model_key(NUM_CLASSES, count.clone());
    }
}

/// `outputs` in the spelling of `classes`, where each of these is one of them; upper and lower case are the
/// same where that leaves no doubt. None where a class is not among the outputs.
pub fn in_order_of(outputs: &[String], classes: &[String]) -> Option<Vec<String>> {
    let lower = |names: &[String]| -> Vec<String> { names.iter().map(|name| name.to_lowercase()).collect() };
    let (low_outputs, low_classes) = (lower(outputs), lower(classes));
    let is_clear = |names: &[String]| names.iter().collect::<HashSet<_>>().len() == names.len();
    let fold = is_clear(&low_outputs) && is_clear(&low_classes);
    let spelled = |(place, output): (usize, &String)| {
        let same = classes.iter().zip(&low_classes).find(|(class, low)| match fold {
            true => **low == low_outputs[place],
            false => *class == output,
        });
        same.map_or_else(|| output.clone(), |(class, _)| class.clone())
    };
    let order: Vec<String> = outputs.iter().enumerate().map(spelled).collect();
    classes.iter().all(|class| order.contains(class)).then_some(order)
}

/// What the model's outputs mean, in their order: as its pretrained files say, or the run whose checkpoint
/// its weights are. Empty where nobody says.
pub fn outputs_of(config: &RunConfig, model: &HostModel) -> Vec<String> {
    let named = &model.description().class_names;
    let weights = config.model.weights.as_ref().filter(|_| named.is_empty() && model.has_pretrained_head());
    weights.map_or_else(|| named.clone(), |weights| of_checkpoint(&weights.path).unwrap_or_default())
}

/// The classes of the checkpoint whose weights these are; None for any other file.
fn of_checkpoint(weights: &Path) -> Option<Vec<String>> {
    let state = resolve(weights).ok()?.with_file_name(STATE);
    let state: Value = serde_json::from_str(&std::fs::read_to_string(state).ok()?).ok()?;
    serde_json::from_value(state.get("class_names")?.clone()).ok()
}

/// Warns where a trained head was loaded whose outputs mean something else than the data's classes.
pub fn warn_of_other_order(model: &HostModel, outputs: &[String], classes: &[String]) {
    let by_number = classes.iter().enumerate().all(|(place, name)| *name == place.to_string());
    if outputs.is_empty() || classes.is_empty() || by_number || !model.has_pretrained_head() {
        return;
    }
    if in_order_of(outputs, classes).as_deref() != Some(classes) {
        tracing::warn!(
            "the loaded head has the outputs {}, in this order, as its files say; the data's classes are {}, \
             and are taken for its outputs in that order: list them as `classes` in [data], where its kind \
             has that key, in the order of the head, or leave the head out of the weights with `ignore`",
            first_names(outputs, 12),
            first_names(classes, 12)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_heads_order_counts_with_the_spelling_of_the_data() {
        let outputs = names(&["POSITIVE", "NEUTRAL", "NEGATIVE"]);
        assert_eq!(
            in_order_of(&outputs, &names(&["negative", "positive"])),
            Some(names(&["positive", "NEUTRAL", "negative"]))
        );
        assert_eq!(in_order_of(&outputs, &names(&["negative", "good"])), None);
    }

    #[test]
    fn names_that_differ_in_case_alone_are_names_of_their_own() {
        let outputs = names(&["a", "A"]);
        assert_eq!(in_order_of(&outputs, &names(&["A", "a"])), Some(outputs.clone()));
        assert_eq!(in_order_of(&names(&["a", "B"]), &names(&["A", "a"])), None);
    }
}
