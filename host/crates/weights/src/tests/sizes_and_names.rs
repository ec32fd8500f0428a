//! Files whose parts contradict each other: another reader might take other values from them.

use super::*;

#[test]
fn a_storage_of_another_size_than_declared_is_refused_with_both_sizes() {
    let size = |name: &str| {
        let mut archive = ZipArchive::new(File::open(file(name)).expect("a fixture")).expect("an archive");
        archive.by_name("small/data/0").expect("its first storage").size()
    };
    let declared = size("small.pt");
    type Change = fn(&[u8]) -> Vec<u8>;
    let longer: [(Change, u64); 3] = [
        (|values| [&[0; 4], values].concat(), declared + 4),
        (|values| [values, &[0; 4]].concat(), declared + 4),
        (|values| values[4..].to_vec(), declared - 4),
    ];
    for (change, found) in longer {
        let (_directory, path) = rezipped("small.pt", "data/0", change);
        let error = refusal(&path);
        let WeightsError::Damaged { tensor: Some(tensor), reason, .. } = &error else { panic!("{error}") };
        assert_eq!(tensor, "0.weight");
        let sizes = format!("has {found} bytes, but {declared} are declared");
        assert!(reason.contains(&sizes), "{reason}");
    }
}

#[test]
fn an_archive_with_two_entries_of_one_name_is_refused() {
    let mut bytes = std::fs::read(file("small.pt")).expect("a fixture");
    // Two storages of one size: the second takes the first one's name.
    let (from, to) = (b"small/data/2", b"small/data/1");
    let positions: Vec<_> =
        (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    assert_eq!(positions.len(), 2, "a local header and the list of contents");
    for at in positions {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("twice.pt");
    std::fs::write(&path, bytes).expect("written");
    let error = refusal(&path).to_string();
    assert!(error.contains("two entries small/data/1"), "{error}");
}

#[test]
fn a_safetensors_header_that_names_a_tensor_twice_is_refused() {
    let header = concat!(
        r#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"#,
        r#""a":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]}}"#
    )
    .as_bytes();
    let file = [&(header.len() as u64).to_le_bytes(), header, &[0; 24]].concat();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("twice.safetensors");
    std::fs::write(&path, file).expect("written");
    let error = refusal(&path).to_string();
    assert!(error.contains("tensor 'a': its header names it twice"), "{error}");
}

#[test]
fn nested_dicts_that_give_two_tensors_one_name_are_refused() {
    let (_directory, path) = repickled("small.pt", |pickle| {
        let tensors = &pickle[2..pickle.len() - 1];
        let key = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
        let nested = [b"}(", &key("b")[..], tensors, b"u"].concat();
        [b"\x80\x02}(", &key("a")[..], &nested, &key("a.b"), tensors, b"u."].concat()
    });
    let error = refusal(&path).to_string();
    assert!(error.contains("tensor 'a.b.") && error.contains("two tensors"), "{error}");
}
