//! Which modules are a row: a module with all below it, where it trains as one in every epoch.

use super::cells::{Cell, Columns, Norm};
use crate::run::ModuleRecord;

/// More rows are not read: modules are then taken together.
const ROWS: usize = 60;

/// A row of the chart.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// The module.
    pub(super) path: String,
    /// Elements of its parameters.
    pub(super) elements: u64,
    /// Its parameters by epoch, those of batch norms left out where it has others.
    pub(super) cells: Vec<Cell>,
    /// Its batch norms by epoch, and what of their parameters trains.
    pub(super) norms: Option<Vec<(Norm, Cell)>>,
}

/// A module with its states.
struct Leaf<'m> {
    module: &'m ModuleRecord,
    cells: Vec<Cell>,
    norms: Option<Vec<Norm>>,
}

/// The rows of a model, from the bottom to the top.
pub(super) fn rows(modules: &[ModuleRecord], columns: &Columns<'_>) -> Vec<Row> {
    if columns.len() == 0 {
        return Vec::new();
    }
    let leaf = |module| {
        let ModuleRecord { path, parameters, .. }: &ModuleRecord = module;
        Leaf { module, cells: columns.parameters(parameters), norms: columns.norm(path) }
    };
    let leaves: Vec<Leaf<'_>> = modules.iter().map(leaf).collect();
    let mut rows = Vec::new();
    for depth in [16, 8, 6, 5, 4, 3, 2, 1] {
        rows.clear();
        split("", leaves.iter().collect(), depth, &mut rows);
        if rows.len() <= ROWS {
            break;
        }
    }
    rows
}

/// Rows of a module that has these below it, down to a depth.
fn split(path: &str, leaves: Vec<&Leaf<'_>>, depth: usize, rows: &mut Vec<Row>) {
    if !path.is_empty() && (depth == 0 || leaves.len() == 1 || is_one(&leaves)) {
        rows.push(row(path, &leaves));
        return;
    }
    let mut children: Vec<(String, Vec<&Leaf<'_>>)> = Vec::new();
    for leaf in leaves {
        let own = leaf.module.path.as_str();
        let rest = if path.is_empty() { own } else { own.get(path.len() + 1..).unwrap_or_default() };
        let child = match rest.split_once('.') {
            Some((first, _)) => own[..own.len() - rest.len() + first.len()].to_owned(),
            None => own.to_owned(),
        };
        match children.iter_mut().find(|(known, _)| *known == child) {
            Some((_, leaves)) => leaves.push(leaf),
            None => children.push((child, vec![leaf])),
        }
    }
    for (child, leaves) in children {
        // Parameters of the module itself, beside those of its children.
        if child == path {
            rows.push(row(path, &leaves));
        } else {
            split(&child, leaves, depth - 1, rows);
        }
    }
}

/// Whether modules train as one: batch norms are compared with batch norms.
fn is_one(leaves: &[&Leaf<'_>]) -> bool {
    let same = |of_norms: bool| {
        let mut some = leaves.iter().filter(|leaf| leaf.norms.is_some() == of_norms);
        let first = some.next();
        some.all(|leaf| first.is_some_and(|first| first.cells == leaf.cells && first.norms == leaf.norms))
    };
    same(true) && same(false)
}

fn row(path: &str, leaves: &[&Leaf<'_>]) -> Row {
    let columns = leaves.first().map_or(0, |leaf| leaf.cells.len());
    let norms: Vec<_> = leaves.iter().filter(|leaf| leaf.norms.is_some()).collect();
    let others: Vec<_> = leaves.iter().filter(|leaf| leaf.norms.is_none()).collect();
    let cells_of = |some: &[&&Leaf<'_>], column: usize| Cell::of(some.iter().map(|leaf| leaf.cells[column]));
    let mode = |column: usize| {
        let modes = norms.iter().filter_map(|leaf| Some(leaf.norms.as_ref()?[column]));
        modes.reduce(|one, other| if one == other { one } else { Norm::Mixed }).unwrap_or(Norm::Mixed)
    };
    let shown = if others.is_empty() { &norms } else { &others };
    Row {
        path: if path.is_empty() { "the model itself".to_owned() } else { path.to_owned() },
        elements: leaves.iter().map(|leaf| leaf.module.elements).sum(),
        cells: (0..columns).map(|column| cells_of(shown, column)).collect(),
        norms: (!norms.is_empty())
            .then(|| (0..columns).map(|column| (mode(column), cells_of(&norms, column))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cells::tests::record;
    use super::*;

    fn modules(paths: &[&str]) -> Vec<ModuleRecord> {
        let module = |path: &&str| ModuleRecord {
            path: (*path).to_owned(),
            parameters: vec![format!("{path}.weight")],
            elements: 10,
            ..ModuleRecord::default()
        };
        paths.iter().map(module).collect()
    }

    fn paths(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|row| row.path.as_str()).collect()
    }

    #[test]
    fn modules_that_train_as_one_are_a_row() {
        let modules = modules(&["net.a.0", "net.a.1", "net.b.0", "net.b.1", "bn", "head"]);
        let records = [record(0, 0.1, &["head.weight"]), record(1, 0.1, &["head.weight", "net.b.1.weight"])];
        let rows = rows(&modules, &Columns::of(&records));
        assert_eq!(paths(&rows), ["net.a", "net.b.0", "net.b.1", "bn", "head"]);
        assert_eq!(rows[0].elements, 20);
        assert_eq!(rows[2].cells, [Cell::Frozen, Cell::Trains(0.1)]);
        assert_eq!(rows[3].norms, Some(vec![(Norm::Eval, Cell::Frozen); 2]));
    }

    #[test]
    fn a_model_of_very_many_modules_has_rows_to_be_read() {
        let names: Vec<String> = (0..1000).map(|index| format!("net.{}.{index}", index / 50)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let trainable: Vec<String> = names.iter().step_by(2).map(|name| format!("{name}.weight")).collect();
        let trainable: Vec<&str> = trainable.iter().map(String::as_str).collect();
        let records = [record(0, 0.1, &trainable)];
        let rows = rows(&modules(&names), &Columns::of(&records));
        assert_eq!(rows.len(), 20);
        assert_eq!(rows[0].cells, [Cell::Partly { highest: 0.1 }]);
    }

    #[test]
    fn parameters_of_the_model_itself_and_beside_children_have_a_row() {
        let modules = modules(&["", "vit", "vit.block"]);
        let records = [record(0, 0.1, &["vit.weight"])];
        let columns = Columns::of(&records);
        assert_eq!(paths(&rows(&modules, &columns)), ["the model itself", "vit", "vit.block"]);
    }
}
