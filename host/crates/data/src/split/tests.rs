use super::*;
use crate::testing::{config, open, picture_folder};
use crate::{DataModule, InputDefaults, Split};
use std::collections::BTreeSet;

/// Relative paths of the validation pictures, of data that lies in `root`.
fn validation(data: &DataModule, root: &Path) -> BTreeSet<PathBuf> {
    let name = |index| {
        let path = PathBuf::from(data.id(Split::Val, index)).canonicalize().expect("there");
        path.strip_prefix(root.canonicalize().expect("there")).expect("in the root").to_path_buf()
    };
    (0..data.samples(Split::Val)).map(name).collect()
}

fn folder_config(path: &Path) -> String {
    format!("kind = \"image-folder\"\npath = \"{}\"\nimage_size = 8\nval_split = 0.25\n", path.display())
}

/// The list `dir/pictures.csv` of the pictures in `dir`, with paths as `write` spells them.
fn write_list(dir: &Path, write: impl Fn(&str) -> String) {
    let mut list = "path,label\n".to_string();
    for class in ["a", "b"] {
        for i in 0..16 {
            list += &format!("{},{class}\n", write(&format!("{class}/{i:03}.png")));
        }
    }
    std::fs::write(dir.join("pictures.csv"), list).expect("written");
}

fn two_classes() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("folder");
    let root = dir.path().join("photos");
    picture_folder(&root, &[("a", 16), ("b", 16)]);
    (dir, root)
}

/// From this process's working directory to `to`.
fn from_here(to: &Path) -> PathBuf {
    let here = std::env::current_dir().expect("a folder").canonicalize().expect("there");
    relative_to(&here, &to.canonicalize().expect("there"))
}

#[test]
fn a_folder_is_split_alike_however_its_path_is_spelled_and_wherever_it_lies() {
    let (dir, root) = two_classes();
    let split =
        |path: &Path, root: &Path| validation(&open(dir.path(), &folder_config(path)).expect("opens"), root);
    let expected = split(&root, &root);
    assert_eq!(expected.len(), 8);
    let dotted = PathBuf::from(format!("{}/./photos/../photos/", dir.path().display()));
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&root, &link).expect("linked");
    for path in [dotted, link, from_here(&root)] {
        assert_eq!(split(&path, &root), expected, "{}", path.display());
    }
    let moved = tempfile::tempdir().expect("folder");
    let elsewhere = moved.path().join("elsewhere");
    std::fs::rename(&root, &elsewhere).expect("moved");
    assert_eq!(split(&elsewhere, &elsewhere), expected);
}

#[test]
fn a_list_is_split_alike_however_its_paths_are_spelled() {
    let (dir, root) = two_classes();
    let split = |config: String| validation(&open(dir.path(), &config).expect("opens"), &root);
    let list = |path: &Path| format!("kind = \"list\"\npath = \"{}\"\nval_split = 0.25\n", path.display());
    let file = root.join("pictures.csv");
    write_list(&root, str::to_string);
    let expected = split(list(&file));
    assert_eq!(expected, split(folder_config(&root)), "a list beside its pictures is split as their folder");
    assert_eq!(split(list(&from_here(&file))), expected);
    for write in [
        |name: &str| format!("./{name}"),
        |name: &str| format!("a/../{name}"),
        |name: &str| format!("../photos/{name}"),
    ] {
        write_list(&root, write);
        assert_eq!(split(list(&file)), expected, "{}", write("a.png"));
    }
    write_list(&root, |name| root.join(name).display().to_string());
    assert_eq!(split(list(&file)), expected, "absolute");
    assert_eq!(split(list(&from_here(&file))), expected, "absolute in a relative list");
    std::fs::rename(&file, dir.path().join("pictures.csv")).expect("moved");
    let with_root = format!("{}root = \"{}\"\n", list(&dir.path().join("pictures.csv")), root.display());
    assert_eq!(split(with_root), expected, "absolute, with a root");
}

#[test]
fn cifar10_is_split_alike_wherever_its_files_lie() {
    let (dir, other) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let inner = dir.path().join("cifar-10-batches-bin");
    let records: Vec<u8> = (0..40u8).flat_map(|i| [&[i % 2][..], &[i; 3072]].concat()).collect();
    for folder in [&inner, other.path()] {
        std::fs::create_dir_all(folder).expect("made");
        std::fs::write(folder.join("data_batch_1.bin"), &records).expect("written");
    }
    let split = |path: &Path| {
        let lines = format!("kind = \"cifar10\"\npath = \"{}\"\nval_split = 0.25\n", path.display());
        let data = open(dir.path(), &lines).expect("opens");
        let number = |index| data.id(Split::Val, index).rsplit('#').next().map(str::to_string);
        (0..data.samples(Split::Val)).map(number).collect::<Vec<_>>()
    };
    let expected = split(&inner);
    assert_eq!(expected.len(), 10);
    for path in [dir.path(), other.path(), &from_here(&inner)] {
        assert_eq!(split(path), expected, "{}", path.display());
    }
}

#[test]
fn a_split_by_spelled_paths_is_made_again_from_that_spelling() {
    let (dir, root) = two_classes();
    let split = |by: &SplitBy| {
        let config = config(dir.path(), &folder_config(&root));
        let data = DataModule::open_split_by(&config, 42, &InputDefaults::default(), by.clone());
        let data = data.expect("opens");
        (validation(&data, &root), data)
    };
    // The rule of those versions: the first quarter of each class by `stable_hash(0, "photos/…")`.
    let spelled = SplitBy::SpelledPath("photos".into());
    let (names, data) = split(&spelled);
    let mut expected = BTreeSet::new();
    for class in ["a", "b"] {
        let mut hashes: Vec<(u64, String)> = (0..16)
            .map(|i| format!("{class}/{i:03}.png"))
            .map(|name| (stable_hash(0, &format!("photos/{name}")), name))
            .collect();
        hashes.sort();
        expected.extend(hashes.into_iter().take(4).map(|(_, name)| PathBuf::from(name)));
    }
    assert_eq!(names, expected);
    assert_ne!(names, split(&SplitBy::RelativePath).0);
    assert_eq!(*data.split_by(), spelled);
}

#[test]
fn a_picture_that_is_listed_often_is_on_one_side() {
    let (dir, root) = two_classes();
    let mut list = "path,label\n".to_string();
    for i in 0..6 {
        list += &format!("a/{i:03}.png,a\n").repeat(3);
    }
    std::fs::write(root.join("l.csv"), list).expect("written");
    for seed in 0..8 {
        let lines = format!(
            "kind = \"list\"\npath = \"{}/l.csv\"\nval_split = 0.3\nsplit_seed = {seed}",
            root.display()
        );
        let data = open(dir.path(), &lines).expect("opens");
        let names = |split| (0..data.samples(split)).map(|i| data.id(split, i)).collect::<BTreeSet<_>>();
        assert!(names(Split::Train).is_disjoint(&names(Split::Val)), "split_seed {seed}");
    }
}

#[test]
fn paths_have_one_spelling() {
    for (path, name) in [
        ("a/b.png", "a/b.png"),
        ("./a//./b.png", "a/b.png"),
        ("a/../b/c.png", "b/c.png"),
        ("../x/../a.png", "../a.png"),
        ("../../a.png", "../../a.png"),
    ] {
        assert_eq!(identity_of(Path::new(path)), name, "{path}");
    }
    assert_eq!(relative_to(Path::new("/a/b"), Path::new("/a/c/d.png")), Path::new("../c/d.png"));
    assert_eq!(relative_to(Path::new("/a"), Path::new("/a/d.png")), Path::new("d.png"));
}
