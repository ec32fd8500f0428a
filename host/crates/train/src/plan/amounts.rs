//! How much there is of something, in words.

use thaw_plugin_api::module_tree::{Module, ModuleTree};

/// How many batch norms are in which mode.
pub fn batch_norms(tree: &ModuleTree) -> String {
    let norms: Vec<&Module> = tree.modules().iter().filter(|module| module.is_batch_norm()).collect();
    let of = |name: &str, fits: &dyn Fn(&Module) -> bool| {
        let count = norms.iter().filter(|module| fits(module)).count();
        (count > 0).then(|| format!("{count} {name}"))
    };
    let kinds = [
        of("in training", &|module| module.training && module.track_running_stats == Some(true)),
        of("with batch statistics only", &|module| {
            module.training && module.track_running_stats == Some(false)
        }),
        of("in evaluation mode", &|module| !module.training),
    ];
    kinds.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A count of parameters: `3.4 M`.
pub fn count(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{:.1} k", number as f64 / 1e3),
        _ => format!("{:.1} M", number as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_words() {
        assert_eq!([count(999), count(9_000), count(3_400_000)], ["999", "9.0 k", "3.4 M"]);
    }
}
