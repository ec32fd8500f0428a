//! Folders that hold splits, which hold the class folders: `train/`, `valid/`, `test/` and their other names.

use super::DataError;
use super::config::ImageFolderConfig;
use super::error::first_names;
use super::folder::{entries, require_folder};
use super::image::has_picture_extension;
use std::path::{Path, PathBuf};

/// What a folder of class folders is for, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Train,
    Val,
    Test,
}

const TRAIN: [&str; 4] = ["train", "training", "trn", "tr"];
const VAL: [&str; 9] =
    ["val", "valid", "validation", "validate", "dev", "devel", "development", "eval", "evaluation"];
const TEST: [&str; 4] = ["test", "testing", "tst", "holdout"];
/// Words beside those, as in `train_images` and `valset`.
const NEUTRAL: [&str; 9] = ["set", "data", "dataset", "image", "images", "img", "imgs", "pictures", "split"];

/// Where the training and validation folders are: as the config says, or as the folders inside `path` are
/// called.
///
/// # Errors
/// Folders that look like splits of which it is not plain which one trains and which one validates.
pub(crate) fn split_folders(
    config: &ImageFolderConfig,
    val_split: bool,
) -> Result<(PathBuf, Option<PathBuf>), DataError> {
    let path = &config.path;
    require_folder(path, "path")?;
    if let Some(val) = &config.val_path {
        require_folder(val, "val_path")?;
    }
    let splits = Splits::of(path)?;
    let refused = |found: String, remedy: String| Err(DataError::layout(path, found, remedy));
    let Some(train) = splits.one(Role::Train)? else {
        if splits.names.is_empty() || !splits.others.is_empty() {
            // Class folders; one of them may be called `test`.
            return Ok((path.clone(), config.val_path.clone()));
        }
        let found = format!("it has {} of class folders, but no train/", splits.shown());
        return refused(found, "set `path` in [data] to the folder of the training pictures".to_string());
    };
    let train = path.join(train);
    if config.val_path.is_some() {
        return Ok((train, config.val_path.clone()));
    }
    match splits.one(Role::Val)? {
        Some(val) if val_split => refused(
            format!("it has {} and {val}/, and val_split is set", shown(&train)),
            "remove val_split, or set path to the folder to be split".to_string(),
        ),
        Some(val) => Ok((train, Some(path.join(val)))),
        None if val_split || splits.is_train_alone() => Ok((train, None)),
        None => refused(
            format!("it has {}, but none that is called val/ or valid/", splits.shown()),
            format!(
                "set `val_split` to keep a share of {} for validation, or `val_path` to the validation \
                 pictures, or `path` to {} to train without any",
                shown(&train),
                shown(&train)
            ),
        ),
    }
}

/// The folder of class folders to test on: `path`, or the `test/` of a folder of splits.
///
/// # Errors
/// Folders of splits of which none is for a test, or several are.
pub(crate) fn test_folder(path: &Path, classes: &[String]) -> Result<PathBuf, DataError> {
    let splits = Splits::of(path)?;
    let mut names = splits.names.iter().map(|(_, name)| name).chain(&splits.others);
    if splits.names.is_empty() || names.any(|name| classes.contains(name)) {
        return Ok(path.to_path_buf());
    }
    let Some(test) = splits.one(Role::Test)? else {
        let (found, one) = (splits.shown(), shown(Path::new(&splits.names[0].1)));
        return Err(DataError::layout(
            path,
            format!("it has {found}, but none that is called test/"),
            format!("name the folder of class folders to test on, such as {one}, with --input"),
        ));
    };
    tracing::info!(
        "{}: of {}, {} is taken",
        thaw_terminal::escape::path(path),
        splits.shown(),
        shown(Path::new(test))
    );
    Ok(path.join(test))
}

/// Says that all splits of a folder of them are taken.
pub(crate) fn tell_all_splits(path: &Path) {
    if let Some(splits) = Splits::of(path).ok().filter(|splits| splits.names.len() > 1) {
        let path = thaw_terminal::escape::path(path);
        tracing::info!("{path}: pictures of {} are taken; name one of them for its alone", splits.shown());
    }
}

/// Whether a folder of splits has one to test on.
pub(crate) fn has_test_folder(path: &Path) -> bool {
    Splits::of(path).is_ok_and(|splits| {
        splits.others.is_empty()
            && matches!(splits.one(Role::Train), Ok(Some(_)))
            && matches!(splits.one(Role::Test), Ok(Some(_)))
    })
}

/// The folders inside a folder, by what they are for.
struct Splits {
    root: PathBuf,
    names: Vec<(Role, String)>,
    /// Folders with another name, or that hold pictures themselves.
    others: Vec<String>,
}

impl Splits {
    fn of(root: &Path) -> Result<Splits, DataError> {
        let (mut names, mut others) = (Vec::new(), Vec::new());
        for (name, folder) in entries(root)?.into_iter().filter(|(_, path)| path.is_dir()) {
            match role(&name) {
                Some(role) if holds_folders_alone(&folder)? => names.push((role, name)),
                _ => others.push(name),
            }
        }
        Ok(Splits { root: root.to_path_buf(), names, others })
    }

    /// The folder with a role, if there is one.
    ///
    /// # Errors
    /// There are several.
    fn one(&self, role: Role) -> Result<Option<&str>, DataError> {
        let of_role = self.names.iter().filter(|(known, _)| *known == role);
        let names: Vec<&str> = of_role.map(|(_, name)| name.as_str()).collect();
        match names[..] {
            [] => Ok(None),
            [name] => Ok(Some(name)),
            _ => Err(DataError::layout(
                &self.root,
                format!("several of its folders may be the same split: {}", first_names(&names, 12)),
                "set `path` in [data] to the training folder and `val_path` to the validation folder",
            )),
        }
    }

    fn is_train_alone(&self) -> bool {
        self.names.len() == 1 && self.others.is_empty()
    }

    /// All folders, for messages.
    fn shown(&self) -> String {
        let names = self.names.iter().map(|(_, name)| name).chain(&self.others);
        let names: Vec<String> = names.map(|name| format!("{name}/")).collect();
        first_names(&names, 12)
    }
}

fn shown(folder: &Path) -> String {
    format!("{}/", thaw_terminal::escape(&folder.file_name().unwrap_or_default().to_string_lossy()))
}

/// What a folder is for, where all words of its name say so: `Train`, `val2017`, `test_images`.
fn role(name: &str) -> Option<Role> {
    let lower = name.to_lowercase();
    let mut found = None;
    for word in lower.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        let bare = ["set", "data"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
        let role = [(Role::Train, &TRAIN[..]), (Role::Val, &VAL), (Role::Test, &TEST)]
            .into_iter()
            .find_map(|(role, names)| names.contains(&bare).then_some(role));
        match role {
            Some(role) if found.is_none() => found = Some(role),
            None if NEUTRAL.contains(&word) => {}
            _ => return None,
        }
    }
    found
}

/// Whether a folder has folders, and no pictures of its own: a class folder has pictures.
fn holds_folders_alone(folder: &Path) -> Result<bool, DataError> {
    let entries = entries(folder)?;
    let has_folders = entries.iter().any(|(_, path)| path.is_dir());
    Ok(has_folders && !entries.iter().any(|(_, path)| path.is_file() && has_picture_extension(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{open, picture_folder, refusal};
    use crate::{DataModule, Split};

    const CONFIG: &str = "kind = \"image-folder\"\npath = \"{dir}\"\nimage_size = 8\n";
    const CLASSES: [(&str, usize); 2] = [("cat", 2), ("dog", 2)];

    fn folders(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("folder");
        names.iter().for_each(|name| picture_folder(&dir.path().join(name), &CLASSES));
        dir
    }

    fn folder_of(data: &DataModule, split: Split) -> String {
        let path = PathBuf::from(data.id(split, 0));
        let folder = path.ancestors().nth(2).expect("a split");
        folder.file_name().expect("a name").to_string_lossy().into_owned()
    }

    #[test]
    fn splits_are_found_by_all_their_usual_names() {
        for (train, val) in [
            ("train", "val"),
            ("train", "valid"),
            ("training", "validation"),
            ("Train", "Valid"),
            ("TRAINING", "VALIDATION"),
            ("train", "dev"),
            ("train2017", "val2017"),
            ("train_images", "val_images"),
            ("trainset", "valset"),
            ("1-train", "2-validation"),
        ] {
            for more in [&[][..], &["test"], &["Testing"]] {
                let dir = folders(&[&[train, val], more].concat());
                let data = open(dir.path(), CONFIG).unwrap_or_else(|error| panic!("{train}, {val}: {error}"));
                assert_eq!(data.class_names(), ["cat", "dog"]);
                assert_eq!(folder_of(&data, Split::Train), train);
                assert_eq!(folder_of(&data, Split::Val), val);
            }
        }
    }

    #[test]
    fn splits_without_a_validation_folder_are_refused_with_what_to_write() {
        for names in [&["train", "test"][..], &["train", "other"], &["Training", "Test", "extra"]] {
            let dir = folders(names);
            let text = refusal(dir.path(), CONFIG);
            for word in names.iter().chain(&["val_split", "val_path", "`path`"]) {
                assert!(text.contains(word), "{names:?}: {text}");
            }
            let data = open(dir.path(), &format!("{CONFIG}val_split = 0.5")).expect("says how");
            assert_eq!(folder_of(&data, Split::Val), names[0]);
            let lines = format!("{CONFIG}val_path = \"{{dir}}/{}\"", names[1]);
            let data = open(dir.path(), &lines).expect("says how");
            assert_eq!([Split::Train, Split::Val].map(|s| folder_of(&data, s)), [names[0], names[1]]);
        }
        let text = refusal(folders(&["valid", "test"]).path(), CONFIG);
        assert!(text.contains("no train/") && text.contains("valid/"), "{text}");
        let text = refusal(folders(&["train", "val", "valid"]).path(), CONFIG);
        assert!(text.contains("val, valid") && text.contains("val_path"), "{text}");
    }

    #[test]
    fn a_test_takes_the_test_folder_of_a_root() {
        let classes = ["cat", "dog"].map(str::to_owned);
        for (names, test) in [(&["train", "val", "test"][..], "test"), (&["Training", "Testing"], "Testing")]
        {
            let dir = folders(names);
            assert_eq!(test_folder(dir.path(), &classes).expect("is there"), dir.path().join(test));
        }
        let dir = folders(&["train", "valid"]);
        let text = test_folder(dir.path(), &classes).expect_err("has no test").to_string();
        assert!(
            text.contains("train/, valid/") && text.contains("test/") && text.contains("--input"),
            "{text}"
        );
        // Class folders, also where one is called like a split.
        let dir = folders(&["test"]);
        assert_eq!(test_folder(dir.path(), &["test".to_owned()]).expect("is one"), dir.path());
        let dir = dir.path().join("test");
        assert_eq!(test_folder(&dir, &classes).expect("is one"), dir);
    }

    #[test]
    fn the_guide_lists_all_names() {
        let guide = include_str!("../../../../docs/src/config.md");
        for name in TRAIN.iter().chain(&VAL).chain(&TEST).chain(&NEUTRAL) {
            assert!(guide.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn a_training_folder_alone_is_the_data() {
        let dir = folders(&["train"]);
        assert_eq!(open(dir.path(), CONFIG).expect("opens").class_names(), ["cat", "dog"]);
    }

    #[test]
    fn classes_may_be_called_like_splits() {
        // Vehicles: the folder holds pictures.
        let dir = tempfile::tempdir().expect("folder");
        picture_folder(dir.path(), &[("bus", 2), ("train", 2), ("test", 2)]);
        assert_eq!(open(dir.path(), CONFIG).expect("opens").class_names(), ["bus", "test", "train"]);
        // Deeper folders inside of a class, one of which is called like a split.
        let dir = tempfile::tempdir().expect("folder");
        for class in ["blood test", "dev", "x-ray"] {
            picture_folder(&dir.path().join(class), &[("first", 2), ("second", 2)]);
        }
        assert_eq!(open(dir.path(), CONFIG).expect("opens").class_names(), ["blood test", "dev", "x-ray"]);
    }

    #[test]
    fn names_say_what_a_folder_is_for_in_all_their_words() {
        for (name, expected) in [
            ("Val", Some(Role::Val)),
            ("validation-set", Some(Role::Val)),
            ("TESTING_DATA", Some(Role::Test)),
            ("train-val", None),
            ("trainer", None),
            ("crash test", None),
            ("2017", None),
            ("set", None),
        ] {
            assert_eq!(role(name), expected, "{name}");
        }
    }
}
