//! A confusion matrix as text.

use thaw_metrics::Confusion;
use thaw_terminal::aligned;

/// Columns of a name.
const NAME: usize = 20;
/// Columns where nothing says how many there are.
const COLUMNS: usize = 120;

/// Rows are classes, columns what was predicted, by number; a line that says so where it does not fit.
pub(super) fn lines(
    confusion: &Confusion,
    columns: Option<usize>,
    name: impl Fn(usize) -> String,
) -> Vec<String> {
    let matrix = confusion.matrix();
    let cell = matrix.iter().flatten().chain([&(confusion.classes as u64)]).max().copied().unwrap_or(0);
    let cell = cell.to_string().len();
    let head = |class: usize| format!("{} {}", aligned::fit(&aligned::name(&name(class)), NAME), class + 1);
    let heads: Vec<String> = (0..confusion.classes).map(head).collect();
    let first = aligned::widest(&heads);
    let width = 2 + first + confusion.classes * (cell + 2);
    if width > columns.unwrap_or(COLUMNS) {
        return vec![format!(
            "confusion matrix: {} classes are too many for a terminal; --json has it",
            confusion.classes
        )];
    }
    let line = |head: &str, cells: &[u64]| {
        let cells = cells.iter().map(|count| format!("  {}", aligned::right(&count.to_string(), cell)));
        format!("  {}{}", aligned::right(head, first), cells.collect::<String>())
    };
    let numbers: Vec<u64> = (1..=confusion.classes as u64).collect();
    let rows = heads.iter().zip(&matrix).map(|(head, row)| line(head, row));
    let title = "confusion matrix: a row for each class, a column for each predicted one".to_owned();
    [title, line("", &numbers)].into_iter().chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_classes_and_a_matrix_that_does_not_fit_is_said() {
        let confusion = Confusion::of(3, [(0, 0), (0, 2), (2, 2), (2, 2)]);
        let name = |class: usize| ["cat", "日本", "owl"][class].to_owned();
        assert_eq!(
            lines(&confusion, None, name)[1..],
            ["          1  2  3", "   cat 1  1  0  1", "  日本 2  0  0  0", "   owl 3  0  0  2"]
        );
        assert!(lines(&confusion, Some(16), name)[0].contains("--json has it"));
        let many = lines(&Confusion::of(1000, []), None, |class| class.to_string());
        assert_eq!(many.len(), 1, "{many:?}");
    }
}
