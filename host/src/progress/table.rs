//! Numbers and tables as text.

use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use thaw_terminal::aligned;
use thaw_train::plan::{batch_norms, count};

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

/// What trains in one line: `trains 2 of 161 tensors: head 1.000e-3`.
pub fn trains(tree: &ModuleTree, rates: &str) -> String {
    let firsts: Vec<_> = tree.parameters().filter(|parameter| parameter.tied_to.is_none()).collect();
    let trainable = firsts.iter().filter(|parameter| parameter.requires_grad).count();
    format!("trains {trainable} of {} tensors: {rates}", firsts.len())
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
    fn durations_read_as_words() {
        assert_eq!([duration(59.4), duration(80.0), duration(3700.0)], ["59 s", "1 min 20 s", "1 h 1 min"]);
    }
}
