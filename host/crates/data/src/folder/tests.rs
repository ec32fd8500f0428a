use crate::testing::{open, picture_folder, refusal, write_png};
use crate::{Split, SplitSummary};

const PLAIN: &str = "kind = \"image-folder\"\npath = \"{dir}\"\nimage_size = 8\n";

#[test]
fn class_indices_follow_the_sorted_folder_names() {
    let dir = tempfile::tempdir().expect("folder");
    picture_folder(dir.path(), &[("zebra", 2), ("ant", 1), ("Bee", 3)]);
    write_png(&dir.path().join("ant/deeper/x.png"), 4, [0; 3]);
    std::fs::write(dir.path().join(".DS_Store"), b"x").expect("written");
    std::fs::write(dir.path().join("ant/.hidden"), b"x").expect("written");
    let data = open(dir.path(), PLAIN).expect("opens");
    assert_eq!(data.class_names(), ["Bee", "ant", "zebra"]);
    let summary = data.summary();
    assert_eq!(summary.train, SplitSummary { samples: 7, per_class: vec![3, 2, 2] });
    assert_eq!(summary.val, None);
    assert!(data.id(Split::Train, 0).ends_with("Bee/000.png"));
    let text = summary.to_string();
    assert!(text.contains("3 classes: Bee 3, ant 2, zebra 2"), "{text}");
    assert!(text.contains("7 training samples, no validation (x 3x8x8)"), "{text}");
    assert!(data.check_num_classes(3).is_ok());
    let text = data.check_num_classes(2).expect_err("too few").to_string();
    assert!(text.contains("3 classes") && text.contains("Bee, ant, zebra"), "{text}");
}

#[test]
fn train_and_val_folders_are_found() {
    let dir = tempfile::tempdir().expect("folder");
    picture_folder(&dir.path().join("train"), &[("a", 2), ("b", 2)]);
    picture_folder(&dir.path().join("val"), &[("b", 1)]);
    let data = open(dir.path(), PLAIN).expect("opens");
    assert_eq!(data.class_names(), ["a", "b"]);
    // The validation folder lacks class a; b keeps its index.
    assert_eq!(data.summary().val.expect("val").per_class, [0, 1]);
    let text = refusal(dir.path(), &format!("{PLAIN}val_split = 0.5"));
    assert!(text.contains("val_split"), "{text}");
    picture_folder(&dir.path().join("val"), &[("other", 1)]);
    let text = refusal(dir.path(), PLAIN);
    assert!(text.contains("val/other") && text.contains("a, b"), "{text}");
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path();
    let text = refusal(path, "kind = \"image-folder\"\npath = \"{dir}/gone\"");
    assert!(text.contains("/gone: no such file or folder"), "{text}");
    let text = refusal(path, PLAIN);
    assert!(text.contains("no class folders"), "{text}");
    write_png(&path.join("loose.png"), 4, [0; 3]);
    let text = refusal(path, PLAIN);
    assert!(text.contains("1 pictures of its own"), "{text}");
    picture_folder(path, &[("a", 1)]);
    std::fs::create_dir(path.join("b")).expect("folder");
    let text = refusal(path, PLAIN);
    assert!(text.contains("/b: the class folder has no pictures (found: nothing)"), "{text}");
}

#[test]
fn files_that_are_no_pictures_fail_or_are_left_out() {
    let dir = tempfile::tempdir().expect("folder");
    picture_folder(dir.path(), &[("a", 2)]);
    for (name, content, word) in [("notes.txt", &b"x"[..], "not named like"), ("empty.png", b"", "0 bytes")] {
        let file = dir.path().join("a").join(name);
        std::fs::write(&file, content).expect("written");
        let text = refusal(dir.path(), PLAIN);
        assert!(text.contains(name) && text.contains(word), "{text}");
        let data = open(dir.path(), &format!("{PLAIN}on_error = \"skip\"")).expect("opens");
        assert_eq!(data.samples(Split::Train), 2);
        std::fs::remove_file(&file).expect("removed");
    }
}
