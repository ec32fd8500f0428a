//! The head of a model that is a directory, on data of one's own.

use std::collections::BTreeSet;

use thaw_plugin_api::module_tree::Stage;

use crate::Error;
use crate::config::{HubHead, HubModel, RunConfig};
use crate::error::torch;
use crate::fit::FitError;
use crate::fit::classes::in_order_of;
use crate::model::HostModel;
use thaw_data::first_names;
use thaw_weights::{StateDict, read};

/// Stages that files of another task may have nothing for.
const POOL: &str = "pool";
const HEAD: &str = "head";

/// A trained head whose outputs are to have the order of the data's classes.
pub struct OrderedHead {
    /// The data's, which the outputs then are.
    pub classes: Vec<String>,
    /// Which output each of them is in the files.
    places: Vec<i64>,
}

/// Of a model that is a directory, leaves out of its weights what does not go with the data: a head of
/// another task, or one whose classes are not the data's; and what its files have nothing of, a head or a
/// pooler. A head with the same classes in another order is to be put in theirs. Each is said.
///
/// # Errors
/// The weights cannot be read.
pub fn settle_head(
    config: &mut RunConfig,
    model: &HostModel,
    classes: &[String],
) -> Result<Option<OrderedHead>, Error> {
    let Some(hub) = config.hub.clone().filter(|hub| hub.head != HubHead::NotAsked) else { return Ok(None) };
    let Some(weights) = config.model.weights.as_ref() else { return Ok(None) };
    let path = thaw_terminal::escape(&hub.path);
    let class = hub.class.as_deref().map_or("it".into(), thaw_terminal::escape);
    let file = read(&weights.path)?;
    let is_there = |module: &String| {
        let last = module.rsplit('.').next().unwrap_or_default();
        let mut names = file.entries().iter().flat_map(|entry| entry.name().split('.'));
        names.any(|part| part == last)
    };
    let mut ignored: Vec<String> = Vec::new();
    for stage in model.stages().iter().filter(|stage| stage.name == POOL) {
        let has_values = |name: &&String| {
            let within = format!("{name}.");
            model.state_dict().iter().any(|(tensor, _)| tensor.starts_with(&within))
        };
        let missing: Vec<String> =
            stage.modules.iter().filter(has_values).filter(|name| !is_there(name)).cloned().collect();
        if !missing.is_empty() {
            tracing::warn!("{path}: {class} has no {}: it is trained anew", missing.join(", "));
        }
        ignored.extend(missing);
    }
    let Some(head) = model.stages().last().filter(|stage| stage.name == HEAD) else { return Ok(None) };
    let fit = Fit::of(&hub, classes);
    fit.tell(&hub, classes, &head.modules.join(", "));
    if fit.needs_a_new_head() {
        ignored.extend(head.modules.iter().cloned());
        ignored.extend(foreign(model, &file));
    }
    config.ignore_weights(&ignored);
    let Fit::Ordered(places) = fit else { return Ok(None) };
    Ok(Some(OrderedHead { classes: classes.to_vec(), places }))
}

/// Top modules of a file that are neither the model's nor have a place in it: heads of other tasks, or of
/// another layout.
fn foreign(model: &HostModel, file: &StateDict) -> BTreeSet<String> {
    let top = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let aliases = model.description().weight_aliases.iter().map(|(from, _)| top(from));
    let unused = model.description().unused_weights.iter().map(|name| top(name));
    let own = model.state_dict().iter().map(|(name, _)| top(name));
    let known: BTreeSet<String> = aliases.chain(unused).chain(own).collect();
    let tops = file.entries().iter().map(|entry| top(entry.name()));
    tops.filter(|top| !known.contains(top)).collect()
}

/// How a head goes with the classes of the data.
#[derive(Debug, PartialEq, Eq)]
enum Fit {
    AsItIs,
    NoHead,
    OtherProblem,
    /// The data's classes are numbers, and the head's have names.
    ByNumber,
    OtherClasses,
    /// With its outputs in this order.
    Ordered(Vec<i64>),
}

impl Fit {
    fn of(hub: &HubModel, classes: &[String]) -> Self {
        match hub.head {
            HubHead::None => return Self::NoHead,
            HubHead::OtherProblem => return Self::OtherProblem,
            HubHead::Trained | HubHead::NotAsked => {}
        }
        if classes.is_empty() {
            return Self::AsItIs;
        }
        let spelled = in_order_of(&hub.classes, classes).filter(|spelled| spelled.len() == classes.len());
        let Some(spelled) = spelled else {
            let is_place = |(place, name): (usize, &String)| *name == place.to_string();
            let by_number = classes.len() == hub.classes.len() && classes.iter().enumerate().all(is_place);
            let is_unnamed = |(place, name): (usize, &String)| *name == format!("LABEL_{place}");
            return match by_number {
                true if hub.classes.iter().enumerate().all(is_unnamed) => Self::AsItIs,
                true => Self::ByNumber,
                false => Self::OtherClasses,
            };
        };
        if spelled == classes {
            return Self::AsItIs;
        }
        let place = |class: &String| spelled.iter().position(|output| output == class);
        let places: Option<Vec<i64>> =
            classes.iter().map(|class| i64::try_from(place(class)?).ok()).collect();
        places.map_or(Self::OtherClasses, Self::Ordered)
    }

    fn needs_a_new_head(&self) -> bool {
        matches!(self, Self::NoHead | Self::OtherProblem | Self::OtherClasses)
    }

    /// Says it of a directory whose head is these modules.
    fn tell(&self, hub: &HubModel, classes: &[String], modules: &str) {
        let path = thaw_terminal::escape(&hub.path);
        let class = hub.class.as_deref().map_or("it".into(), thaw_terminal::escape);
        match self {
            Self::AsItIs => {}
            Self::NoHead => {
                tracing::info!("{path}: {class} has no trained head: a new one is trained ({modules})");
            }
            Self::OtherProblem => tracing::warn!(
                "{path}: the head of {class} is for another problem than the data's labels (`problem_type` \
                 in its config.json, `target` in [data]): a new head is trained ({modules})"
            ),
            Self::ByNumber => {
                let outputs = hub.classes.iter().enumerate();
                let outputs: Vec<String> =
                    outputs.map(|(number, name)| format!("{number} is {name}")).collect();
                tracing::info!(
                    "{path}: the classes of the data are numbers, and taken for the places of the head's \
                     outputs: {}",
                    first_names(&outputs, 12)
                );
            }
            Self::OtherClasses => tracing::warn!(
                "{path}: the head of {class} has the classes {}, the data has {}: a new head is trained \
                 ({modules})",
                first_names(&hub.classes, 12),
                first_names(classes, 12)
            ),
            Self::Ordered(_) => tracing::info!(
                "{path}: the outputs of the head are put in the order of the data's classes: {}",
                first_names(classes, 12)
            ),
        }
    }
}

impl OrderedHead {
    /// Puts the outputs of the last layer in the order of the classes.
    ///
    /// # Errors
    /// libtorch refuses it.
    pub fn apply(&self, model: &HostModel) -> Result<(), Error> {
        let _no_grad = tch::no_grad_guard();
        let order = tch::Tensor::f_from_slice(&self.places).map_err(torch("the order of the head"))?;
        let tensors = last_layer(model, model.stages().last(), self.places.len());
        if tensors.is_empty() {
            return Err(FitError::Config(format!(
                "model.path: the head of model `{}` has no layer of {} outputs, whose order could be that of \
                 the data's classes: name them in the order of the head, in `classes` of [data]",
                model.id(),
                self.places.len()
            ))
            .into());
        }
        for tensor in tensors {
            let mut values = tensor.shallow_clone();
            let sorted = values.f_index_select(0, &order).map_err(torch("the order of the head"))?;
            values.f_copy_(&sorted).map_err(torch("the order of the head"))?;
        }
        Ok(())
    }
}

/// Weight and bias of the last layer of the head, which has a row for each class.
fn last_layer<'m>(model: &'m HostModel, head: Option<&Stage>, rows: usize) -> Vec<&'m tch::Tensor> {
    let modules = head.map(|stage| stage.modules.as_slice()).unwrap_or_default();
    let within = |name: &str| {
        modules
            .iter()
            .any(|module| name.strip_prefix(module.as_str()).is_some_and(|rest| rest.starts_with('.')))
    };
    let of_head = || model.state_dict().iter().filter(|(name, _)| within(name));
    let has_rows = |tensor: &tch::Tensor| tensor.size().first() == i64::try_from(rows).ok().as_ref();
    let last = of_head().rfind(|(_, tensor)| tensor.dim() == 2 && has_rows(tensor));
    let Some((module, _)) = last.and_then(|(name, _)| name.rsplit_once('.')) else { return Vec::new() };
    let inside = |name: &str| name.rsplit_once('.').is_some_and(|(place, _)| place == module);
    of_head().filter(|(name, tensor)| inside(name) && has_rows(tensor)).map(|(_, tensor)| tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(theirs: &[&str], classes: &[&str]) -> Fit {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let hub =
            HubModel { path: "bert".to_owned(), class: None, head: HubHead::Trained, classes: names(theirs) };
        Fit::of(&hub, &names(classes))
    }

    #[test]
    fn a_head_is_kept_where_its_classes_are_the_datas_by_name() {
        assert_eq!(fit(&["POSITIVE", "NEGATIVE"], &["positive", "negative"]), Fit::AsItIs);
        assert_eq!(fit(&["owl", "cat", "dog"], &["cat", "dog", "owl"]), Fit::Ordered(vec![1, 2, 0]));
        assert_eq!(fit(&["owl", "cat"], &["cat", "dog"]), Fit::OtherClasses);
        assert_eq!(fit(&["owl", "cat", "dog"], &["cat", "dog"]), Fit::OtherClasses);
        assert_eq!(fit(&["LABEL_0", "LABEL_1"], &["0", "1"]), Fit::AsItIs);
        assert_eq!(fit(&["LABEL_0", "LABEL_1", "LABEL_2"], &["0", "1"]), Fit::OtherClasses);
        assert_eq!(fit(&["LABEL_0", "LABEL_1"], &["bad", "good"]), Fit::OtherClasses);
        assert_eq!(fit(&["owl", "cat"], &["0", "1"]), Fit::ByNumber);
        assert_eq!(fit(&["1", "0"], &["0", "1"]), Fit::Ordered(vec![1, 0]), "numbers may be names");
    }
}
