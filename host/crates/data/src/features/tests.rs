//! Features come back as they were computed, wherever they lie.

use tch::{Kind, Tensor};

use super::*;
use crate::Split;
use crate::testing::{open, picture_folder};

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
        let pass = Pass { seed: 0, epoch: 3, augment: true };
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
