//! Names of a model's pretrained files, where they are not the model's own.

use std::collections::HashSet;

use thaw_plugin_api::model::Description;

use super::GridResize;
use crate::corners::Interpolation;

/// What a model says of the names in its pretrained files. They are the names after the config's own
/// renaming.
#[derive(Debug, Clone, Default)]
pub struct PretrainedNames {
    /// Module paths (empty: the whole file) or whole names: from, to. What is not a name of the model and
    /// lies at or below `from` moves to `to`; the longest `from` counts.
    pub aliases: Vec<(String, String)>,
    /// Module paths or whole names that the model has no use for: what lies at or below them is not asked
    /// for.
    pub unused: Vec<String>,
    /// Position embeddings that may be interpolated, each with the number of tokens before its grid.
    pub grids: Vec<(String, usize)>,
    /// Names in files, after what trainers put around them, and what to say of a file that has one.
    pub notes: Vec<(String, String)>,
}

impl From<&Description> for PretrainedNames {
    fn from(model: &Description) -> Self {
        Self {
            aliases: model.weight_aliases.clone(),
            unused: model.unused_weights.clone(),
            grids: model.position_grids.clone(),
            notes: model.weight_notes.clone(),
        }
    }
}

impl PretrainedNames {
    /// How a tensor of the file becomes one of the model, if it is a position embedding of another grid.
    pub(super) fn resized(
        &self,
        name: &str,
        file: &[i64],
        model: &[i64],
        interpolation: Interpolation,
    ) -> Option<GridResize> {
        let (_, tokens) = self.grids.iter().find(|(grid, _)| grid == name)?;
        GridResize::between(file, model, i64::try_from(*tokens).ok()?, interpolation)
    }

    /// The model's name for one of the file's; `None` where the model has no use for it.
    pub fn apply(&self, name: String, own: &HashSet<&str>) -> Option<String> {
        let below = |path: &str| match name.strip_prefix(path)? {
            rest if path.is_empty() => Some(format!(".{rest}")),
            rest => (rest.is_empty() || rest.starts_with('.')).then(|| rest.to_owned()),
        };
        if own.contains(name.as_str()) {
            return Some(name);
        }
        if self.unused.iter().any(|path| below(path).is_some()) {
            return None;
        }
        let fitting =
            self.aliases.iter().filter_map(|(from, to)| Some((from.len(), format!("{to}{}", below(from)?))));
        let longest = fitting.max_by_key(|(length, _)| *length);
        Some(longest.map_or(name.clone(), |(_, own)| own.trim_start_matches('.').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_alias_of_whole_path_parts_counts() {
        let aliases = [("fc", "head"), ("layer1", "backbone.layer1"), ("layer1.0", "backbone.first")];
        let aliases = aliases.map(|(from, to)| (from.to_owned(), to.to_owned())).to_vec();
        let names =
            PretrainedNames { aliases, unused: vec!["layer1.9".to_owned()], ..PretrainedNames::default() };
        let own = |name: &str| names.apply(name.to_owned(), &HashSet::new());
        assert_eq!(own("fc.weight").as_deref(), Some("head.weight"));
        assert_eq!(own("layer1.0.bn.bias").as_deref(), Some("backbone.first.bn.bias"));
        assert_eq!(own("layer10.weight").as_deref(), Some("layer10.weight"));
        assert_eq!(own("layer1.9.bias"), None);
    }
}
