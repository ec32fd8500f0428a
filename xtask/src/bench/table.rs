//! Medians as a table in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::kinds::{BENCHES, Better};
use super::lightning;
use super::summary::{Key, Summary};

/// A row per measure; how many times better Thaw is than Lightning, where both were measured.
pub fn table(summaries: &BTreeMap<Key, Summary>) -> String {
    let mut text = "| | Thaw | Lightning | times better |\n|---|---|---|---|\n".to_owned();
    let median = |bench, measure, variant| Some(summaries.get(&(bench, measure, variant))?.median);
    let mut row = |what: &str, unit: &str, ours: Option<f64>, theirs: Option<f64>, better: Better| {
        let shown = |value: Option<f64>| value.map(|value| format!("{} {unit}", short(value)));
        let times = ours.zip(theirs).map(|(ours, theirs)| match better {
            Better::Less => theirs / ours,
            Better::More => ours / theirs,
        });
        let [ours, theirs] = [ours, theirs].map(|value| shown(value).unwrap_or_default());
        let times = times.map(short).unwrap_or_default();
        let _ = writeln!(text, "| {what} | {ours} | {theirs} | {times} |");
    };
    for bench in &BENCHES {
        for measure in bench.measures {
            let of = |variant| median(bench.name, measure.name, variant);
            let own = bench.variants.iter().filter(|variant| **variant != lightning::VARIANT);
            for &variant in own {
                let Some(ours) = of(variant) else { continue };
                let is_bare = variant == "bare";
                let what =
                    if is_bare { format!("{}, nothing else", measure.what) } else { measure.what.into() };
                let theirs = of(lightning::VARIANT).filter(|_| !is_bare);
                row(&what, measure.unit, Some(ours), theirs, measure.better);
            }
        }
    }
    let cached = median("frozen", "cached", "thaw");
    let uncached = median("frozen", "uncached", lightning::VARIANT);
    let thawed = |variant| median("thawed", "epoch", variant);
    if let (Some(cached), Some(uncached)) = (cached, uncached) {
        row("a frozen epoch, from the second on", "s", Some(cached), Some(uncached), Better::Less);
        let fill = median("frozen", "fill", "thaw").unwrap_or_default();
        let ours = thawed("thaw").map(|thawed| fill + 10.0 * cached + 10.0 * thawed);
        let theirs = thawed(lightning::VARIANT).map(|thawed| 10.0 * uncached + 10.0 * thawed);
        if ours.is_some() && theirs.is_some() {
            row("10 frozen and 10 thawed epochs, as a sum of these", "s", ours, theirs, Better::Less);
        }
    }
    text
}

/// Three digits.
fn short(value: f64) -> String {
    match value.abs() {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value if value >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summaries(values: &[(Key, f64)]) -> BTreeMap<Key, Summary> {
        let of = |&(key, value): &(Key, f64)| Some((key, Summary::of(vec![value])?));
        values.iter().filter_map(of).collect()
    }

    #[test]
    fn ratios_say_how_many_times_better_whichever_way_is_better() {
        let found = table(&summaries(&[
            (("frozen", "fill", "thaw"), 4.0),
            (("frozen", "cached", "thaw"), 0.05),
            (("frozen", "uncached", "thaw"), 4.0),
            (("frozen", "uncached", "lightning"), 5.0),
            (("thawed", "epoch", "thaw"), 10.0),
            (("thawed", "epoch", "lightning"), 20.0),
            (("data", "jpeg", "thaw"), 300.0),
            (("data", "jpeg", "lightning"), 150.0),
        ]));
        for row in [
            "| an epoch in which everything trains | 10.0 s | 20.0 s | 2.00 |",
            "| JPEG files read | 300 1/s | 150 1/s | 2.00 |",
            "| a frozen epoch, from the second on | 0.0500 s | 5.00 s | 100 |",
            "| 10 frozen and 10 thawed epochs, as a sum of these | 104 s | 250 s | 2.39 |",
            "| frozen stages, computed once | 4.00 s |  |  |",
        ] {
            assert!(found.contains(row), "{row} in\n{found}");
        }
    }
}
