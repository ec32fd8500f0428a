//! The model's tensors one by one: what each takes from the file, and what does not fit.

use std::collections::BTreeSet;

use super::part::unwrapped;
use super::places::{Found, Places, fits};
use super::{
    LoadPlan, LoadReport, MAY_BE_MISSING, Mismatch, Outside, PlannedCopy, TensorSpec, Unmatched, last_part,
};
use crate::corners::Interpolation;
use crate::error::WeightsError;

/// Top modules that files of classifiers have after the features.
const HEADS: [&str; 8] =
    ["fc", "head", "heads", "classifier", "head_dist", "last_linear", "_fc", "linear_classifier"];

/// A name without what trainers put into it.
fn bare(name: &str) -> String {
    unwrapped(name).map_or_else(|| name.to_owned(), |(bare, _)| bare)
}

/// A plan in the making, with everything that stands in its way.
pub(super) struct Matching<'p, 'a> {
    places: &'p Places<'a>,
    found: Found,
    plan: LoadPlan,
    report: LoadReport,
}

impl<'p, 'a> Matching<'p, 'a> {
    /// Matches what was found in a file with a model.
    pub fn of(places: &'p Places<'a>, mut found: Found) -> Self {
        let mut plan = LoadPlan {
            unused: std::mem::take(&mut found.unused),
            outside: std::mem::take(&mut found.outside),
            left: std::mem::take(&mut found.left),
            unwrapped: std::mem::take(&mut found.unwrapped),
            part: found.part.clone(),
            ..LoadPlan::default()
        };
        let is_there = |name: &str| found.tensors.values().any(|place| bare(&place.name) == name);
        let notes = places.pretrained.notes.iter().filter(|(name, _)| is_there(name));
        plan.notes = notes.map(|(_, note)| note.clone()).collect();
        let report = LoadReport::new(places.file.path(), places.config.strict);
        let mut matching = Self { places, found, plan, report };
        places.model.iter().for_each(|tensor| matching.take(tensor));
        matching.look_at_the_rest();
        matching
    }

    /// A file's tensor may be ignored by its name there, before any renaming and with or without what
    /// trainers put into it; so is then the model's that it would have gone to.
    fn is_ignored(&self, name: &str) -> bool {
        let ignored = &self.places.ignored;
        let in_file = |at: usize| self.places.file.all()[at].name();
        let place = self.found.tensors.get(name);
        ignored.matches(name)
            || place.is_some_and(|place| {
                ignored.matches(&place.name)
                    || ignored.matches(in_file(place.at))
                    || ignored.matches(&bare(&place.name))
            })
    }

    fn take(&mut self, tensor: &TensorSpec) {
        let name = tensor.name.as_str();
        if !self.places.is_wanted(name) || self.is_ignored(name) {
            self.plan.kept.push(name.to_owned());
            return;
        }
        let Some(place) = self.found.tensors.get(name) else {
            match last_part(name) == MAY_BE_MISSING {
                true => self.plan.missing.push(name.to_owned()),
                false => self.report.missing.push(Unmatched::new(name, &tensor.shape)),
            }
            return;
        };
        let entry = &self.places.file.all()[place.at];
        let interpolation = self.places.config.interpolate_embeddings;
        let resize = self.places.pretrained.resized(name, entry.shape(), &tensor.shape, interpolation);
        let fits = fits(entry.shape(), &tensor.shape, place.aliased);
        if !fits && (resize.is_none() || interpolation == Interpolation::Refused) {
            self.report.can_be_interpolated |= resize.is_some();
            self.report.mismatched.push(Mismatch {
                name: name.to_owned(),
                in_file: entry.name().to_owned(),
                model: tensor.shape.clone(),
                file: entry.shape().to_vec(),
            });
            return;
        }
        self.plan.copies.push(PlannedCopy {
            model: name.to_owned(),
            file: entry.name().to_owned(),
            at: place.at,
            shape: tensor.shape.clone(),
            from: entry.kind(),
            to: tensor.kind,
            resize,
        });
    }

    /// What the file has besides.
    fn look_at_the_rest(&mut self) {
        let own: BTreeSet<&str> = self.places.model.iter().map(|tensor| tensor.name.as_str()).collect();
        let target = &self.places.target;
        let is_whole = self.report.missing.is_empty() && self.report.mismatched.is_empty();
        // The head of a classifier has no part in the features, where those are what `to` names.
        let is_head = |name: &str| {
            let top = name.split('.').next().unwrap_or_default();
            let inner = format!("{target}.{top}.");
            HEADS.contains(&top) && !own.iter().any(|name| name.starts_with(&inner))
        };
        for (name, place) in &self.found.tensors {
            let entry = &self.places.file.all()[place.at];
            let in_file = entry.name();
            if self.is_ignored(name) {
                self.plan.unused.push(in_file.to_owned());
            } else if own.contains(name.as_str()) {
            } else if !target.is_empty() && is_whole && is_head(&place.name) {
                self.plan.outside.push(Outside { file: in_file.to_owned(), model: None });
            } else {
                // A hint to ignore `module` would be one to ignore all.
                let bare = Some(bare(name)).filter(|bare| !own.contains(bare.as_str()));
                let name = bare.as_ref().unwrap_or(name);
                self.report.unexpected.push(Unmatched::renamed(name, in_file, entry.shape()));
            }
        }
    }

    /// The plan.
    ///
    /// # Errors
    /// Everything that does not fit.
    pub fn finish(self) -> Result<LoadPlan, WeightsError> {
        let Self { places, found, mut plan, mut report } = self;
        if report.is_fatal() || (plan.copies.is_empty() && !report.is_empty()) {
            let names = places.model.iter().map(|tensor| tensor.name.as_str());
            let names: Vec<&str> = names.filter(|name| places.is_wanted(name)).collect();
            let file: Vec<&str> = found.tensors.keys().map(String::as_str).collect();
            let fitting: Vec<&str> = plan.copies.iter().map(|copy| copy.model.as_str()).collect();
            report.complete(&names, &file, &fitting, &found.part);
            report.add_notes(&places.pretrained.notes);
            return Err(WeightsError::Mismatch(Box::new(report)));
        }
        plan.missing.extend(report.missing.into_iter().map(|tensor| tensor.name));
        plan.unused.extend(report.unexpected.into_iter().map(|tensor| tensor.in_file));
        for names in [&mut plan.kept, &mut plan.missing, &mut plan.unused] {
            names.sort();
        }
        Ok(plan)
    }
}
