//! Features come back as they were computed, wherever they lie.

use tch::{Kind, Tensor};

use super::*;
use crate::testing::{open, picture_folder};
use crate::{Delivery, Split};

fn room(memory: u64, disk: u64, folder: &std::path::Path) -> FeatureRoom {
    FeatureRoom { memory, disk, folder: folder.to_path_buf() }
}

/// Three numbers and a whole number of each of these samples.
fn computed(indices: &[usize]) -> (Vec<(String, Tensor)>, Tensor) {
    let rows: Vec<f32> = indices.iter().flat_map(|&i| [i as f32, i as f32 + 0.5, -(i as f32)]).collect();
    let numbers: Vec<i64> = indices.iter().map(|&i| i as i64 * 10).collect();
    let wide = Tensor::from_slice(&rows).view([indices.len() as i64, 3]).to_kind(Kind::BFloat16);
    let features = vec![("x".to_owned(), wide), ("n".to_owned(), Tensor::from_slice(&numbers))];
    (features, Tensor::from_slice(&numbers))
}

fn builder(folder: &std::path::Path, memory: u64, disk: u64) -> FeaturesBuilder {
    picture_folder(&folder.join("data"), &[("a", 4), ("b", 3)]);
    let data = open(folder, "kind = \"image-folder\"\npath = \"{dir}/data\"\nimage_size = 8").unwrap();
    let pictures = Arc::clone(data.dataset(Split::Train).unwrap());
    FeaturesBuilder::new(pictures, room(memory, disk, &folder.join("cache")))
}

#[test]
fn any_order_of_samples_gets_what_was_computed_of_them() {
    for (memory, disk) in [(u64::MAX, 0), (0, u64::MAX)] {
        let folder = tempfile::tempdir().unwrap();
        let mut builder = builder(folder.path(), memory, disk);
        // Samples 2 and 6 could not be read.
        for indices in [&[0, 1][..], &[3, 4, 5]] {
            let (features, target) = computed(indices);
            builder.push(indices, &features, Some(&target)).unwrap();
        }
        let features = builder.finish().unwrap();
        assert_eq!((features.len(), features.is_on_disk(), features.bytes()), (7, memory == 0, 7 * 22));
        let pass = Pass { seed: 0, epoch: 3, view: 3, augment: true, delivery: Delivery::Cpu };
        let batch = features.batch(&[5, 2, 0, 6, 3], &pass).unwrap();
        let (expected, target) = computed(&[5, 0, 3]);
        assert_eq!(batch.indices, [5, 0, 3]);
        assert_eq!(batch.inputs, expected);
        assert_eq!(batch.targets, Some(target));
        assert!(features.batch(&[2, 6], &pass).unwrap().is_empty());
    }
}

#[test]
fn what_has_no_room_says_how_much_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let (features, target) = computed(&[0]);
    let error = builder(folder.path(), 100, 153).push(&[0], &features, Some(&target)).unwrap_err();
    assert!(matches!(error, DataError::FeatureRoom { needed: 154, .. }), "{error}");
}

#[test]
fn samples_of_unequal_shapes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut builder = builder(folder.path(), u64::MAX, 0);
    let (features, target) = computed(&[0, 1]);
    builder.push(&[0, 1], &features, Some(&target)).unwrap();
    let longer = [("x".to_owned(), Tensor::zeros([1, 4], (Kind::BFloat16, tch::Device::Cpu)))];
    let error = builder.push(&[2], &longer, None).unwrap_err().to_string();
    assert!(error.contains("[3]") && error.contains("[4]"), "{error}");
    let scalar = [("x".to_owned(), Tensor::from(1.0_f32))];
    let error = builder.push(&[2], &scalar, None).unwrap_err().to_string();
    assert!(error.contains("first dimension"), "{error}");
    let error = builder.push(&[1], &features, Some(&target)).unwrap_err().to_string();
    assert!(error.contains("order"), "{error}");
}

/// Features of all seven pictures.
fn whole(folder: &std::path::Path, memory: u64, store: &FeatureStore) -> Features {
    let mut builder = builder(folder, memory, u64::MAX).for_store(Some(store.clone()));
    let indices: Vec<usize> = (0..7).collect();
    let (features, target) = computed(&indices);
    builder.push(&indices, &features, Some(&target)).unwrap();
    builder.finish().unwrap()
}

fn keep(folder: &std::path::Path, memory: u64, store: &FeatureStore, key: &str) -> bool {
    store.keep(key, &About::default(), &mut whole(folder, memory, store)).unwrap()
}

#[test]
fn what_a_store_keeps_comes_back_in_memory_and_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::new(folder.path().join("store"), 1 << 20);
    for (key, written, read) in [("a", u64::MAX, 0), ("b", 0, u64::MAX)] {
        assert!(keep(folder.path(), written, &store, key));
        let of = Arc::clone(&whole(folder.path(), u64::MAX, &store).of);
        let Found::Features(found) = store.take(key, of, &room(read, 0, folder.path())) else {
            panic!("{key} is not found")
        };
        assert_eq!((found.is_on_disk(), found.bytes()), (read == 0, 7 * 22));
        let pass = Pass { seed: 0, epoch: 0, view: 0, augment: false, delivery: Delivery::Cpu };
        let batch = found.batch(&[6, 1], &pass).unwrap();
        let (features, target) = computed(&[6, 1]);
        assert_eq!((batch.inputs, batch.targets), (features, Some(target)));
    }
    let names: Vec<String> = std::fs::read_dir(store.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().all(|name| name.ends_with(".features")), "{names:?}");
}

#[test]
fn the_least_recently_used_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let one = {
        let store = FeatureStore::new(path.clone(), u64::MAX);
        assert!(keep(folder.path(), u64::MAX, &store, "a"));
        store.list().unwrap()[0].bytes
    };
    let store = FeatureStore::new(path, 2 * one + one / 2);
    let of = Arc::clone(&whole(folder.path(), u64::MAX, &store).of);
    let keys = || -> Vec<String> {
        let mut keys: Vec<String> = store.list().unwrap().into_iter().map(|stored| stored.key).collect();
        keys.sort();
        keys
    };
    assert!(keep(folder.path(), u64::MAX, &store, "b"));
    assert!(matches!(store.take("a", of, &room(u64::MAX, 0, folder.path())), Found::Features(_)));
    // `b` was written after `a`, which was used after that.
    assert!(keep(folder.path(), 0, &store, "c"));
    assert_eq!(keys(), ["a", "c"]);
    let small = FeatureStore::new(store.folder().to_path_buf(), one / 2);
    assert!(!keep(folder.path(), u64::MAX, &small, "d"), "it is larger than all that may lie there");
    assert_eq!(keys(), ["a", "c"]);
}

#[test]
fn what_a_killed_process_left_goes_and_what_another_writes_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::new(folder.path().join("store"), 1 << 20);
    let writing = whole(folder.path(), 0, &store);
    let left = store.folder().join(".writing-left");
    std::fs::write(&left, "half of it").unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    for entry in std::fs::read_dir(store.folder()).unwrap() {
        let file = std::fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    assert!(keep(folder.path(), u64::MAX, &store, "a"));
    assert!(!left.exists());
    assert_eq!(std::fs::read_dir(store.folder()).unwrap().count(), 2, "`a`, and what is being written");
    drop(writing);
    assert_eq!(std::fs::read_dir(store.folder()).unwrap().count(), 1);
}

#[test]
fn half_the_room_is_read_in_full_width_and_values_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (kept, width) in [(FeatureKind::Bf16, 2), (FeatureKind::Fp16, 2), (FeatureKind::Full, 4)] {
        let mut builder = builder(folder.path(), u64::MAX, 0).kept_as(kept);
        let x = Tensor::from_slice(&[0.5_f32, -2.0]).view([1, 2]);
        builder.push(&[0], &[("x".to_owned(), x.shallow_clone())], None).unwrap();
        let features = builder.finish().unwrap();
        assert_eq!(features.bytes(), 7 * 2 * width);
        let pass = Pass { seed: 0, epoch: 0, view: 0, augment: false, delivery: Delivery::Cpu };
        assert_eq!(features.batch(&[0], &pass).unwrap().inputs, [("x".to_owned(), x)], "{kept:?}");
    }
    let mut builder = builder(folder.path(), u64::MAX, 0).kept_as(FeatureKind::Fp16);
    let far = Tensor::from_slice(&[1e6_f32]).view([1, 1]);
    let error = builder.push(&[0], &[("x".to_owned(), far)], None).unwrap_err().to_string();
    assert!(error.contains("65504") && error.contains("cache_dtype"), "{error}");
}
