//! What a run says of the weights that it loaded.

use thaw_terminal::escape;

use super::{LoadPlan, MAY_BE_MISSING, Part, last_part};

/// A sentence on loaded weights.
#[derive(Debug, Clone, PartialEq)]
pub enum Remark {
    /// As it was asked for.
    Info(String),
    /// What may not be what the user wants.
    Warning(String),
}

/// Names that a sentence has of a list; the count is of all.
const SHOWN: usize = 5;

impl LoadPlan {
    /// Everything that a user should know of the plan once it is carried out: how many tensors were loaded
    /// and how many keep their values, which part of the file was taken and what was left out.
    pub fn remarks(&self) -> Vec<Remark> {
        let mut remarks = vec![self.counts()];
        remarks.extend(self.part_taken());
        remarks.extend(self.outside_left());
        remarks.extend(self.notes.iter().map(|note| Remark::Warning(escape(note).into_owned())));
        let resized = self.copies.iter().filter_map(|copy| Some((&copy.file, copy.resize?)));
        remarks.extend(
            resized
                .map(|(name, resize)| Remark::Info(format!("`{}` is interpolated {resize}", escape(name)))),
        );
        remarks
    }

    fn counts(&self) -> Remark {
        let kept: Vec<&str> = self.kept.iter().chain(&self.missing).map(String::as_str).collect();
        let loaded = self.copies.len();
        let mut text = format!("{loaded} of {} tensors loaded", loaded + kept.len());
        if !kept.is_empty() {
            text.push_str(&format!(", {} keep their initial values: {}", kept.len(), shown(&kept)));
        }
        if !self.unused.is_empty() {
            let unused: Vec<&str> = self.unused.iter().map(String::as_str).collect();
            text.push_str(&format!("; {} of the file are not used: {}", unused.len(), shown(&unused)));
        }
        let is_wanting = self.missing.iter().any(|name| last_part(name) != MAY_BE_MISSING);
        if is_wanting || loaded == 0 { Remark::Warning(text) } else { Remark::Info(text) }
    }

    fn part_taken(&self) -> Option<Remark> {
        let Part { prefix, others, .. } = &self.part;
        let prefix = escape(prefix);
        let names = self.unwrapped.names;
        let wrapping: Vec<String> = self.unwrapped.wrapping.iter().map(|part| format!("`{part}`")).collect();
        let wrapping = wrapping.join(", ");
        let mut text = match (prefix.is_empty(), names) {
            (true, 0) if others.is_empty() && self.left.is_empty() => return None,
            (true, 0) => "the whole file is taken".to_owned(),
            (true, _) => format!("{names} names are taken without {wrapping}"),
            (false, 0) => format!("taken is what lies below `{prefix}` in the file"),
            (false, _) => {
                format!("taken is what lies below `{prefix}` in the file, {names} names without {wrapping}")
            }
        };
        if !self.left.is_empty() {
            let left: Vec<&str> = self.left.iter().map(String::as_str).collect();
            let are = if left.len() == 1 { "other is" } else { "others are" };
            text.push_str(&format!("; {} {are} left out: {}", left.len(), shown(&left)));
        }
        if others.is_empty() {
            return Some(if self.left.is_empty() { Remark::Info(text) } else { Remark::Warning(text) });
        }
        let others =
            others.iter().map(|other| format!("`module = \"{}\"`", escape(other.trim_end_matches('.'))));
        let others: Vec<String> = others.collect();
        let also = if others.len() == 1 { "another part fits" } else { "other parts fit" };
        text.push_str(&format!("; {also} as well: {} in the weights takes it", others.join(" or ")));
        Some(Remark::Warning(text))
    }

    fn outside_left(&self) -> Option<Remark> {
        let names: Vec<&str> = self.outside.iter().map(|outside| outside.file.as_str()).collect();
        if names.is_empty() {
            return None;
        }
        let text =
            format!("{} tensors of the file are not for `to` and left out: {}", names.len(), shown(&names));
        if self.outside.iter().all(|outside| outside.model.is_some()) {
            let text = format!("{text}; they fit the rest of the model: leave `to` out to take them, too");
            return Some(Remark::Warning(text));
        }
        Some(Remark::Info(text))
    }
}

/// The first of these names.
fn shown(names: &[&str]) -> String {
    let first: Vec<_> = names.iter().take(SHOWN).map(|name| escape(name)).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
