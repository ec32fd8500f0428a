//! Accuracy per class, as text.

use thaw_terminal::aligned;

/// A line per class that has samples, and one for all: share, hits, samples. Nothing without classes. Names
/// are escaped, and cut where they are long.
pub fn table(classes: &[(u64, u64)], name: impl Fn(usize) -> String) -> String {
    let total = classes.iter().fold((0, 0), |sum, class| (sum.0 + class.0, sum.1 + class.1));
    if total.1 == 0 {
        return String::new();
    }
    let met = classes.iter().enumerate().filter(|(_, (_, samples))| *samples > 0);
    let mut lines: Vec<(String, (u64, u64))> =
        met.map(|(index, counts)| (aligned::name(&name(index)).into_owned(), *counts)).collect();
    lines.push(("all".to_owned(), total));
    let width = aligned::widest(lines.iter().map(|(name, _)| name));
    let line = |(name, (hits, samples)): (String, (u64, u64))| {
        let name = aligned::left(&name, width);
        format!("  {name}  {:.3}  ({hits} of {samples})\n", hits as f64 / samples as f64)
    };
    lines.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn classes_without_samples_are_left_out() {
        let text = super::table(&[(1, 2), (0, 0), (2, 2)], |index| format!("c{index}"));
        assert_eq!(text, "  c0   0.500  (1 of 2)\n  c2   1.000  (2 of 2)\n  all  0.750  (3 of 4)\n");
    }

    #[test]
    fn a_name_of_any_length_and_kind_is_one_line() {
        let names = ["a\u{1b}[2J\n".repeat(20_000), "b".to_owned()];
        let text = super::table(&[(1, 2), (2, 2)], |index| names[index].clone());
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.len() < 1500 && !text.contains('\u{1b}'), "{text}");
    }
}
