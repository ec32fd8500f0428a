//! Accuracy per class, as text.

use thaw_terminal::aligned;

/// Most classes that have a line.
const SHOWN: usize = 20;

/// A line per class that has samples, and one for all: share, hits, samples. Nothing without classes. Names
/// are escaped, and cut where they are long; of more than twenty classes those with the lowest share have a
/// line, in their own order.
pub fn table(classes: &[(u64, u64)], name: impl Fn(usize) -> String) -> String {
    let total = classes.iter().fold((0, 0), |sum, class| (sum.0 + class.0, sum.1 + class.1));
    if total.1 == 0 {
        return String::new();
    }
    let met = classes.iter().enumerate().filter(|(_, (_, samples))| *samples > 0);
    let mut lines: Vec<(String, (u64, u64))> =
        met.map(|(index, counts)| (aligned::name(&name(index)).into_owned(), *counts)).collect();
    let more = lines.len().saturating_sub(SHOWN);
    if more > 0 {
        let share = |index: &usize| lines[*index].1.0 as f64 / lines[*index].1.1 as f64;
        let mut lowest: Vec<usize> = (0..lines.len()).collect();
        lowest.sort_by(|one, other| share(one).total_cmp(&share(other)));
        lowest.truncate(SHOWN);
        lowest.sort_unstable();
        lines = lowest.into_iter().map(|index| lines[index].clone()).collect();
    }
    lines.push(("all".to_owned(), total));
    let width = aligned::widest(lines.iter().map(|(name, _)| name));
    let line = |(name, (hits, samples)): (String, (u64, u64))| {
        let name = aligned::left(&name, width);
        format!("  {name}  {:.3}  ({hits} of {samples})\n", hits as f64 / samples as f64)
    };
    let mut text: String = lines.into_iter().map(line).collect();
    if more > 0 {
        text += &format!("  and {more} more, none with a lower share\n");
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn classes_without_samples_are_left_out() {
        let text = super::table(&[(1, 2), (0, 0), (2, 2)], |index| format!("c{index}"));
        assert_eq!(text, "  c0   0.500  (1 of 2)\n  c2   1.000  (2 of 2)\n  all  0.750  (3 of 4)\n");
    }

    #[test]
    fn of_many_classes_those_with_the_lowest_shares_are_shown() {
        let classes: Vec<(u64, u64)> = (0..50).map(|index| (50 - index, 50)).collect();
        let text = super::table(&classes, |index| format!("c{index}"));
        assert_eq!(text.lines().count(), 22, "{text}");
        assert!(text.starts_with("  c30  0.400  (20 of 50)\n"), "{text}");
        assert!(
            text.ends_with("  all  0.510  (1275 of 2500)\n  and 30 more, none with a lower share\n"),
            "{text}"
        );
    }

    #[test]
    fn a_name_of_any_length_and_kind_is_one_line() {
        let names = ["a\u{1b}[2J\n".repeat(20_000), "b".to_owned()];
        let text = super::table(&[(1, 2), (2, 2)], |index| names[index].clone());
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.len() < 1500 && !text.contains('\u{1b}'), "{text}");
    }
}
