//! The boundary between host and plugin, held against `abi.txt`: it grows by appending, and by nothing else.
//!
//! What was appended is recorded with `THAW_WRITE_ABI=1 cargo test -p thaw-plugin-api --test abi`, which
//! appends to the file and never takes anything out of it.

mod compare;
mod json;
mod layout;

use std::path::Path;

use compare::{broken, missing};

/// A part of the boundary: what it is, and its entries in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `fixed …`, where nothing may change; `grows …`, where entries may be appended; `json …`, where keys
    /// may.
    pub title: String,
    /// One a line.
    pub entries: Vec<String>,
}

fn today() -> Vec<Section> {
    [layout::sections(), json::numbers(), json::texts()].concat()
}

fn written(sections: &[Section]) -> String {
    let text = |section: &Section| {
        let entries: String = section.entries.iter().map(|entry| format!("    {entry}\n")).collect();
        format!("{}\n{entries}", section.title)
    };
    sections.iter().map(text).collect::<Vec<_>>().join("\n")
}

fn read(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("    "), sections.last_mut()) {
            (Some(entry), Some(section)) => section.entries.push(entry.to_owned()),
            _ => sections.push(Section { title: line.to_owned(), entries: Vec::new() }),
        }
    }
    sections
}

#[test]
fn the_abi_only_grows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/abi/abi.txt");
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    let (before, today) = (read(&recorded), today());
    let broken = broken(&before, &today);
    assert!(
        broken.is_empty(),
        "plugins that are built already would break: a 1.x plugin-api only appends (methods with default \
         bodies, fields after \
         the last prefix field, hook numbers, positions of progress, operations, keys of JSON with \
         defaults).\n  {}",
        broken.join("\n  ")
    );
    if std::env::var_os("THAW_WRITE_ABI").is_some() {
        std::fs::write(&path, written(&today)).unwrap();
        return;
    }
    let missing = missing(&before, &today);
    assert!(
        missing.is_empty(),
        "{} does not record what was appended; run `THAW_WRITE_ABI=1 cargo test -p thaw-plugin-api --test \
         abi`:\n  {}",
        path.display(),
        missing.join("\n  ")
    );
}

#[test]
fn what_was_recorded_can_still_be_read() {
    let recorded = read(include_str!("abi.txt"));
    let texts = recorded.iter().filter(|section| section.title.starts_with("json "));
    let mut count = 0;
    for (section, entry) in
        texts.flat_map(|section| section.entries.iter().map(move |entry| (section, entry)))
    {
        json::read_again(&section.title, entry)
            .unwrap_or_else(|error| panic!("{}: {entry}: {error}", section.title));
        count += 1;
    }
    assert!(count > 10, "only {count} texts are recorded");
}
