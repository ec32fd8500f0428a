//! The top modules of a crate lie in layers, as the crates do: none knows, directly or by way of others, one
//! that knows it. What several need lies below them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rings that stay, by crate. Of `plugin-api`: an author's traits and what carries them across the boundary
/// name each other, and an error knows whether a configuration is to blame. Of `weights`: an error holds the
/// report of everything that does not fit.
const STAY: [(&str, &[&[&str]]); 2] = [
    ("plugin-api", &[&["abi", "callback", "context", "dataset", "strategy"], &["config", "error"]]),
    ("host/crates/weights", &[&["config", "error", "pickle", "plan", "state_dict"]]),
];

/// Which top modules each top module names.
type Edges = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Folders of the crates whose modules are looked at, from the root of the workspace.
fn crates() -> Vec<String> {
    let folders = root().join("host/crates").read_dir().expect("crates of the host");
    let names = folders.map(|folder| folder.expect("a folder").file_name().into_string().expect("a name"));
    let mut crates: Vec<String> = names.map(|name| format!("host/crates/{name}")).collect();
    crates.extend(["host".to_owned(), "plugin-api".to_owned()]);
    crates
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let is_of_tests = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_of_tests {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_of_tests {
            found.push(path);
        }
    }
}

/// A source without its comments and its module of tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a source");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The first name of each path that follows: one, or those of a list in braces.
fn first_names(after: &str) -> Vec<&str> {
    let name = |text: &'_ str| text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len());
    let Some(list) = after.strip_prefix('{') else { return vec![&after[..name(after)]] };
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (index, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let item = list[start..index].trim_start();
                names.push(&item[..name(item)]);
                start = index + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

/// What follows each path to the root of the crate: `crate::`, or as many `super::` as lead there.
fn from_root<'t>(code: &'t str, supers: usize) -> Vec<&'t str> {
    let climb = "super::".repeat(supers);
    let after = |prefix: &str| -> Vec<&'t str> {
        let found = code.match_indices(prefix).filter(|(index, _)| {
            let before = code[..*index].chars().next_back();
            !before.is_some_and(|c| c == '$' || c == ':' || c == '_' || c.is_alphanumeric())
        });
        found.map(|(index, prefix)| &code[index + prefix.len()..]).collect()
    };
    [after("crate::"), after(&climb)].concat()
}

/// Modules that the names of the crate's root come from.
fn reexports(lib: &str) -> BTreeMap<String, String> {
    let mut from = BTreeMap::new();
    for after in lib.split("use ").skip(1) {
        let Some((module, names)) = after.split_once("::") else { continue };
        for name in first_names(names) {
            from.insert(name.to_owned(), module.to_owned());
        }
    }
    from
}

fn edges(folder: &Path) -> Edges {
    let mut found = Vec::new();
    sources(folder, &mut found);
    let inside = |path: &PathBuf| path.strip_prefix(folder).expect("inside").with_extension("");
    let top = |path: &Path| path.iter().next().expect("a name").to_string_lossy().into_owned();
    let modules: BTreeSet<String> = found.iter().map(|path| top(&inside(path))).collect();
    let lib = folder.join("lib.rs");
    let from = if lib.is_file() { reexports(&code(&lib)) } else { BTreeMap::new() };
    let mut edges = Edges::new();
    for path in &found {
        let place = inside(path);
        let module = top(&place);
        if ["lib", "main", "bin"].contains(&module.as_str()) {
            continue;
        }
        let text = code(path);
        let named = from_root(&text, place.iter().count()).into_iter().flat_map(first_names);
        let named = named.map(|name| from.get(name).map_or(name, String::as_str));
        let others = named.filter(|name| *name != module && modules.contains(*name)).map(str::to_owned);
        edges.entry(module.clone()).or_default().extend(others);
    }
    edges
}

/// Everything that a module knows, by way of others too.
fn known<'e>(edges: &'e Edges, module: &'e str) -> BTreeSet<&'e str> {
    let mut known = BTreeSet::new();
    let mut open: Vec<&str> = vec![module];
    while let Some(next) = open.pop() {
        let named = edges.get(next).into_iter().flatten();
        open.extend(named.map(String::as_str).filter(|name| known.insert(*name)));
    }
    known
}

/// The modules that `module` knows and that know it, itself among them; none where it is in no ring.
fn ring_of<'e>(edges: &'e Edges, module: &'e str) -> Vec<&'e str> {
    known(edges, module).into_iter().filter(|other| known(edges, other).contains(module)).collect()
}

/// Modules that know themselves by way of others, ring by ring.
fn rings(edges: &Edges) -> BTreeSet<Vec<&str>> {
    edges.keys().map(|module| ring_of(edges, module)).filter(|ring| !ring.is_empty()).collect()
}

#[test]
fn no_top_module_knows_one_that_knows_it() {
    for name in crates() {
        let edges = edges(&root().join(&name).join("src"));
        let stay = STAY.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, rings)| rings);
        let found = rings(&edges);
        let found: Vec<&[&str]> = found.iter().map(Vec::as_slice).collect();
        assert_eq!(found, stay, "rings of modules in {name}; each names: {edges:#?}");
    }
}

#[test]
fn a_ring_is_found_however_its_modules_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a source");
    };
    write("lib.rs", "mod low;\nmod mid;\nmod top;\npub use low::{Low, Other};\n");
    write("low.rs", "// crate::top::Top\n");
    write("mid.rs", "use crate::{Low, top::{Top, Inner}};\n");
    write("top.rs", "use crate::low::Other;\n#[cfg(test)]\nmod tests {\n    use crate::mid::Mid;\n}\n");
    assert!(rings(&edges(folder.path())).is_empty());
    write("low/deep.rs", "use super::super::mid::Mid;\n");
    assert_eq!(rings(&edges(folder.path())), BTreeSet::from([vec!["low", "mid", "top"]]));
}
