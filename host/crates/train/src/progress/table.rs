//! Numbers and tables as text.

use thaw_plugin_api::module_tree::{Module, ModuleTree};
use thaw_plugin_api::optimizer::ParamGroup;

use thaw_terminal::aligned;

/// The groups as a table. The first value changes exactly when something else trains; rates alone do not
/// change it.
pub fn groups(tree: &ModuleTree, groups: &[ParamGroup]) -> (String, String) {
    let mut what = String::new();
    let mut rows = vec![[
        "group".to_owned(),
        "lr".to_owned(),
        "weight decay".to_owned(),
        "tensors".to_owned(),
        "parameters".to_owned(),
    ]];
    for group in groups {
        let trainable: Vec<u64> = group
            .parameters
            .iter()
            .filter_map(|name| tree.parameter(name).ok())
            .filter(|parameter| parameter.requires_grad)
            .map(|parameter| parameter.numel())
            .collect();
        what.push_str(&format!("{} {} {};", group.name, group.parameters.len(), trainable.len()));
        rows.push([
            aligned::name(&group.name).into_owned(),
            format!("{:.3e}", group.lr),
            format!("{}", group.weight_decay),
            trainable.len().to_string(),
            count(trainable.iter().sum()),
        ]);
    }
    let firsts: Vec<_> = tree.parameters().filter(|parameter| parameter.tied_to.is_none()).collect();
    let frozen = firsts.iter().filter(|parameter| !parameter.requires_grad);
    let (tensors, elements) =
        frozen.fold((0, 0), |(tensors, elements), parameter| (tensors + 1, elements + parameter.numel()));
    rows.push(["frozen".to_owned(), String::new(), String::new(), tensors.to_string(), count(elements)]);
    let norms = batch_norms(tree);
    what.push_str(&norms);
    let mut text = aligned(&rows);
    if !norms.is_empty() {
        text.push_str(&format!("  batch norm: {norms}\n"));
    }
    (what, text)
}

/// The rate of each group in one line.
pub fn rates(groups: &[ParamGroup]) -> String {
    groups
        .iter()
        .map(|group| format!("{} {:.3e}", aligned::name(&group.name), group.lr))
        .collect::<Vec<_>>()
        .join(", ")
}

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

fn aligned(rows: &[[String; 5]]) -> String {
    let width = |column: usize| aligned::widest(rows.iter().map(|row| &row[column]));
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        text.push_str("  ");
        for (column, cell) in row.iter().enumerate() {
            let cell = if column == 0 {
                aligned::left(cell, widths[0])
            } else {
                format!("  {}", aligned::right(cell, widths[column]))
            };
            text.push_str(&cell);
        }
        text.push('\n');
    }
    text
}

/// A count of parameters: `3.4 M`.
pub fn count(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{:.1} k", number as f64 / 1e3),
        _ => format!("{:.1} M", number as f64 / 1e6),
    }
}

/// A time in words: `1 min 20 s`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.round().max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_durations_read_as_words() {
        assert_eq!([count(999), count(9_000), count(3_400_000)], ["999", "9.0 k", "3.4 M"]);
        assert_eq!([duration(59.4), duration(80.0), duration(3700.0)], ["59 s", "1 min 20 s", "1 h 1 min"]);
    }
}
