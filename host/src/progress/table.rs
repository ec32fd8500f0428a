//! Numbers and tables as text.

use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use thaw_terminal::aligned;
use thaw_train::plan::{batch_norms, count};

/// The groups as a table of so many columns, of any where none are said. The first value changes exactly
/// when something else trains; rates alone do not change it.
pub fn groups(tree: &ModuleTree, groups: &[ParamGroup], columns: Option<usize>) -> (String, String) {
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
    let mut text = aligned(&rows, columns);
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

/// Columns of the table in the order in which they are left out where a terminal is too narrow for all.
const LEAST_WORTH: [usize; 2] = [2, 3];

/// The rows as a table, of so many columns where that is said and can be.
fn aligned(rows: &[[String; 5]], columns: Option<usize>) -> String {
    let width = |column: usize| aligned::widest(rows.iter().map(|row| &row[column]));
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut kept: Vec<usize> = (0..widths.len()).collect();
    let takes = |kept: &[usize]| kept.iter().map(|column| widths[*column] + 2).sum::<usize>();
    for column in LEAST_WORTH {
        if columns.is_some_and(|columns| takes(&kept) > columns) {
            kept.retain(|kept| *kept != column);
        }
    }
    let first = columns.map_or(widths[0], |columns| {
        let rest = takes(&kept) - widths[0];
        widths[0].min(columns.saturating_sub(rest).max(8))
    });
    let mut text = String::new();
    for row in rows {
        text.push_str("  ");
        for &column in &kept {
            let cell = if column == 0 {
                aligned::left(&aligned::fit(&row[0], first), first)
            } else {
                format!("  {}", aligned::right(&row[column], widths[column]))
            };
            text.push_str(&cell);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_the_columns_that_are_worth_most() {
        let row = |cells: [&str; 5]| cells.map(str::to_owned);
        let rows = [
            row(["group", "lr", "weight decay", "tensors", "parameters"]),
            row(["backbone.layer4.1.conv2", "1.000e-3", "0.01", "12", "1,234"]),
        ];
        let lines = |columns| -> Vec<String> {
            aligned(&rows, columns).lines().map(|line| line.trim_end().to_owned()).collect()
        };
        assert!(lines(None)[0].contains("weight decay") && lines(Some(80))[0].contains("weight decay"));
        assert_eq!(
            lines(Some(60)),
            [
                "  group                          lr  tensors  parameters",
                "  backbone.layer4.1.conv2  1.000e-3       12       1,234"
            ]
        );
        assert_eq!(
            lines(Some(36)),
            ["  group               lr  parameters", "  backbone.la…  1.000e-3       1,234"]
        );
    }
}
