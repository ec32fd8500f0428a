//! Whether one boundary grew out of another.

use serde_json::Value;

use crate::Section;

/// What plugins built against `before` would no longer find in `today`.
pub fn broken(before: &[Section], today: &[Section]) -> Vec<String> {
    before.iter().flat_map(|old| broken_in(old, today)).collect()
}

fn broken_in(old: &Section, today: &[Section]) -> Vec<String> {
    let Some(new) = today.iter().find(|new| new.title == old.title) else {
        return vec![format!("`{}` is gone, or its prefix, size or alignment changed", old.title)];
    };
    let mut broken = Vec::new();
    for (index, entry) in old.entries.iter().enumerate() {
        match new.entries.get(index) {
            None => broken.push(format!("{}: `{entry}` is gone", old.title)),
            Some(found) if found == entry => {}
            Some(found) if old.title.starts_with("json ") => {
                broken.extend(lost_keys(&old.title, entry, found))
            }
            Some(found) => {
                broken.push(format!("{}: at {index} there is `{found}`, there was `{entry}`", old.title))
            }
        }
    }
    if old.title.starts_with("fixed ") {
        broken.extend(
            new.entries
                .iter()
                .skip(old.entries.len())
                .map(|entry| format!("{}: `{entry}` is new, and nothing may be", old.title)),
        );
    }
    broken
}

fn lost_keys(title: &str, before: &str, today: &str) -> Vec<String> {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let mut lost = Vec::new();
    compare_values(title, &read(before), &read(today), &mut lost);
    lost
}

fn compare_values(place: &str, before: &Value, today: &Value, lost: &mut Vec<String>) {
    match (before, today) {
        (Value::Object(before), Value::Object(today)) => {
            for (key, value) in before {
                match today.get(key) {
                    Some(found) => compare_values(&format!("{place}.{key}"), value, found, lost),
                    None => lost.push(format!("{place}: the key `{key}` is gone")),
                }
            }
        }
        (Value::Array(before), Value::Array(today)) if today.len() >= before.len() => {
            before.iter().zip(today).for_each(|(before, today)| compare_values(place, before, today, lost));
        }
        _ if before == today => {}
        _ => lost.push(format!("{place}: there is `{today}`, there was `{before}`")),
    }
}

/// What `today` has and `before` does not record.
pub fn missing(before: &[Section], today: &[Section]) -> Vec<String> {
    let unrecorded = |section: &Section| {
        let old = before.iter().find(|old| old.title == section.title);
        let entries = old.map(|old| old.entries.as_slice()).unwrap_or_default();
        let new: Vec<&String> = section.entries.iter().filter(|entry| !entries.contains(entry)).collect();
        (old.is_none() || !new.is_empty()).then(|| format!("{}: {new:?}", section.title))
    };
    today.iter().filter_map(unrecorded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::today;

    /// What a change of today's boundary breaks.
    fn after(change: impl FnOnce(&mut Vec<Section>)) -> (Vec<String>, Vec<String>) {
        let before = today();
        let mut changed = before.clone();
        change(&mut changed);
        (broken(&before, &changed), missing(&before, &changed))
    }

    fn section<'s>(sections: &'s mut [Section], title: &str) -> &'s mut Section {
        let titles: Vec<String> = sections.iter().map(|section| section.title.clone()).collect();
        let found = sections.iter_mut().find(|section| section.title.contains(title));
        found.unwrap_or_else(|| panic!("no section of `{title}` in {titles:#?}"))
    }

    #[test]
    fn appending_breaks_nothing_and_is_to_be_recorded() {
        for title in [
            "prefix(4)",
            "prefix(8) thaw_plugin_api::abi::instance",
            "prefix(2)",
            "grows hooks",
            "grows progress",
            "json requests",
        ] {
            let (broken, missing) = after(|today| section(today, title).entries.push("32 new".to_owned()));
            assert!(broken.is_empty(), "{title}: {broken:?}");
            assert_eq!(missing.len(), 1, "{title}");
        }
    }

    #[test]
    fn removing_reordering_and_renaming_break() {
        for title in [
            "prefix(4)",
            "prefix(8) thaw_plugin_api::abi::instance",
            "prefix(7) thaw_plugin_api::abi::raw_model",
            "prefix(2)",
            "prefix(3)",
            "grows hooks",
            "json requests",
        ] {
            let removed = after(|today| drop(section(today, title).entries.remove(1))).0;
            let swapped = after(|today| section(today, title).entries.swap(0, 1)).0;
            assert!(!removed.is_empty() && !swapped.is_empty(), "{title}");
        }
        let renamed = after(|today| section(today, "json metadata").entries[0] = "{}".to_owned()).0;
        assert!(renamed.iter().any(|text| text.contains("the key `plugin_api` is gone")), "{renamed:?}");
    }

    #[test]
    fn nothing_is_appended_to_a_plain_struct() {
        let (broken, _) =
            after(|today| section(today, "raw_model::RawNamedTensor").entries.push("new: u8".to_owned()));
        assert!(broken[0].contains("nothing may be"), "{broken:?}");
    }

    #[test]
    fn the_last_prefix_field_stays_where_it_is() {
        let (broken, _) = after(|today| {
            let root = section(today, "prefix(4)");
            root.title = root.title.replace("prefix(4)", "prefix(5)");
        });
        assert!(broken[0].contains("prefix(4)"), "{broken:?}");
    }
}
