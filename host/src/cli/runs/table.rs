//! A table that fits into its terminal.

use thaw_terminal::{aligned, wrap};

/// Columns that the last cell of a row has at least, where its lines are broken.
const LAST: usize = 24;

/// Columns under each other, the first row their names. Where they are wider than the terminal, the last one
/// is broken into lines; where that leaves it too little, each row is a block of lines.
pub(in crate::cli) fn lines<const COLUMNS: usize>(
    rows: &[[String; COLUMNS]],
    columns: Option<usize>,
) -> Vec<String> {
    let widths: Vec<usize> =
        (0..COLUMNS).map(|column| aligned::widest(rows.iter().map(|row| &row[column]))).collect();
    let last = widths.last().copied().unwrap_or_default();
    let before = widths.iter().map(|width| width + 2).sum::<usize>() - last - 2;
    let room = columns.map_or(last, |columns| columns.saturating_sub(before));
    if room < last.min(LAST) {
        return blocks(rows, columns.unwrap_or_default());
    }
    let line = |row: &[String; COLUMNS]| -> Vec<String> {
        let cells = row[..COLUMNS - 1].iter().zip(&widths);
        let head: String = cells.map(|(cell, width)| aligned::left(cell, *width) + "  ").collect();
        let broken = wrap(&row[COLUMNS - 1], room, 0);
        let parts = broken.split('\n').enumerate();
        let part = |(place, part): (usize, &str)| match place {
            0 => format!("{head}{part}").trim_end().to_owned(),
            _ => format!("{}{part}", " ".repeat(before)),
        };
        parts.map(part).collect()
    };
    rows.iter().flat_map(line).collect()
}

/// Each row as a block: its first cell, then a line for each other cell that says something.
fn blocks<const COLUMNS: usize>(rows: &[[String; COLUMNS]], columns: usize) -> Vec<String> {
    let Some((names, rows)) = rows.split_first() else { return Vec::new() };
    let width = aligned::widest(&names[1..]);
    let block = |row: &[String; COLUMNS]| -> Vec<String> {
        let cells = names.iter().zip(row).skip(1).filter(|(_, cell)| !cell.is_empty());
        let line = |(name, cell): (&String, &String)| {
            let line = format!("  {}  {cell}", aligned::left(name, width));
            wrap(&line, columns, width + 4)
        };
        std::iter::once(wrap(&row[0], columns, 2)).chain(cells.map(line)).collect()
    };
    rows.iter().flat_map(block).flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<[String; 4]> {
        [
            ["run", "state", "best", "config"],
            ["first", "done", "val_loss 0.2500 in epoch 2", "optimizer.lr=0.001 seed=1 data.batch_size=16"],
            ["second-with-a-name", "failed", "", "seed=2"],
        ]
        .map(|row| row.map(str::to_owned))
        .to_vec()
    }

    #[test]
    fn a_pipe_gets_a_line_for_each_row() {
        let lines = lines(&rows(), None);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2], "second-with-a-name  failed                              seed=2");
    }

    #[test]
    fn a_terminal_gets_lines_that_fit() {
        for columns in [30, 40, 60, 80, 90, 200] {
            let lines = lines(&rows(), Some(columns));
            assert!(lines.iter().all(|line| aligned::width(line) <= columns), "{columns}: {lines:#?}");
            let all = lines.join(" ");
            assert!(all.contains("optimizer.lr=0.001") && all.contains("seed=2"), "{lines:#?}");
        }
        assert_eq!(
            lines(&rows(), Some(84))[1..3],
            [
                "first               done    val_loss 0.2500 in epoch 2  optimizer.lr=0.001 seed=1",
                "                                                        data.batch_size=16"
            ]
        );
        assert_eq!(
            lines(&rows(), Some(40))[..3],
            ["first", "  state   done", "  best    val_loss 0.2500 in epoch 2"]
        );
    }
}
