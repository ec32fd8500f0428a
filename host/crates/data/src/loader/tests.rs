use super::*;
use crate::testing::{contents, open, picture_folder, write_png};
use crate::{DataModule, Split};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use tch::Tensor;

const AUGMENTED: &str = r#"kind = "image-folder"
path = "{dir}"
image_size = 16
batch_size = 4
augment.horizontal_flip = 0.5
augment.random_resized_crop = {}
augment.color_jitter = { brightness = 0.4, contrast = 0.4, saturation = 0.4 }
"#;

fn walk(data: &DataModule, split: Split, epoch: u64, start: usize) -> Vec<Batch> {
    let loader = data.loader(split, epoch, start).expect("starts").expect("there");
    loader.map(|batch| batch.expect("made")).collect()
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("folder");
    picture_folder(dir.path(), &[("a", 9), ("b", 7), ("c", 6)]);
    dir
}

fn open_with(dir: &Path, more: &str) -> DataModule {
    open(dir, &format!("{AUGMENTED}{more}")).expect("opens")
}

#[test]
fn pictures_and_order_do_not_depend_on_the_number_of_threads_or_the_cache() {
    let dir = folder();
    let one = open_with(dir.path(), "workers = 0\ncache = false");
    for more in ["workers = 1", "workers = 7", "workers = 2\ncache = false", "workers = 3\ncache_mib = 1"] {
        let other = open_with(dir.path(), more);
        for epoch in [0, 1, 2] {
            let expected = contents(&walk(&one, Split::Train, epoch, 0));
            assert_eq!(contents(&walk(&other, Split::Train, epoch, 0)), expected, "{more}");
        }
    }
}

#[test]
fn an_epoch_taken_up_in_the_middle_goes_on_as_if_it_had_not_stopped() {
    let dir = folder();
    let data = open_with(dir.path(), "workers = 2");
    let whole = contents(&walk(&data, Split::Train, 3, 0));
    assert_eq!(whole.len(), 6);
    for start in 0..=6 {
        // A fresh process has neither the cache nor the epochs before.
        let fresh = open_with(dir.path(), "workers = 2");
        assert_eq!(contents(&walk(&fresh, Split::Train, 3, start)), whole[start..]);
    }
    assert!(walk(&data, Split::Train, 3, 7).is_empty());
}

#[test]
fn each_epoch_has_each_sample_once_in_an_order_of_its_own() {
    let dir = folder();
    let data = open_with(dir.path(), "");
    let order = |epoch| -> Vec<usize> {
        let batches = walk(&data, Split::Train, epoch, 0);
        batches.into_iter().flat_map(|batch| batch.indices).collect()
    };
    let (first, second) = (order(0), order(1));
    assert_ne!(first, second);
    for mut order in [first, second] {
        order.sort_unstable();
        assert_eq!(order, (0..22).collect::<Vec<_>>());
    }
}

#[test]
fn augmentation_differs_between_epochs_and_samples_stay_still_without_it() {
    let dir = folder();
    let pixels = |data: &DataModule, epoch| {
        let mut batches = contents(&walk(data, Split::Train, epoch, 0));
        batches.sort_by_key(|b| b.0);
        batches.into_iter().flat_map(|b| b.2).collect::<Vec<f32>>()
    };
    let data = open_with(dir.path(), "shuffle = false");
    assert_ne!(pixels(&data, 0), pixels(&data, 1));
    assert!(!data.fixed_inputs(Split::Train));
    let lines = AUGMENTED.lines().filter(|l| !l.starts_with("augment"));
    let lines: Vec<&str> = lines.chain(["shuffle = false"]).collect();
    let data = open(dir.path(), &lines.join("\n")).expect("opens");
    assert_eq!(pixels(&data, 0), pixels(&data, 1));
    assert!(data.fixed_inputs(Split::Train));
}

#[test]
fn the_last_batch_is_smaller_or_dropped() {
    let dir = folder();
    let data = open_with(dir.path(), "");
    let sizes: Vec<usize> = walk(&data, Split::Train, 0, 0).iter().map(Batch::len).collect();
    assert_eq!(sizes, [4, 4, 4, 4, 4, 2]);
    assert_eq!(data.batches(Split::Train), 6);
    let data = open_with(dir.path(), "drop_last = true");
    let sizes: Vec<usize> = walk(&data, Split::Train, 0, 0).iter().map(Batch::len).collect();
    assert_eq!(sizes, [4, 4, 4, 4, 4]);
    assert_eq!(data.batches(Split::Train), 5);
}

#[test]
fn dropping_a_loader_ends_its_threads() {
    let dir = folder();
    let data = open_with(dir.path(), "workers = 4");
    let dataset = data.dataset(Split::Train).expect("there");
    let before = Arc::strong_count(dataset);
    let mut loader = data.loader(Split::Train, 0, 0).expect("starts").expect("there");
    assert!(loader.next().is_some());
    assert!(Arc::strong_count(dataset) > before);
    drop(loader);
    assert_eq!(Arc::strong_count(dataset), before);
}

#[test]
fn the_next_epochs_get_the_threads_of_the_one_before() {
    let dir = folder();
    let data = open_with(dir.path(), "workers = 3");
    let threads_of = |data: &DataModule| -> usize {
        (0..40).for_each(|epoch| assert_eq!(walk(data, Split::Train, epoch, 0).len(), 6));
        threads::started()
    };
    // Tests beside this one start some, too: 40 epochs would start 120.
    let before = threads::started();
    assert!(threads_of(&data) - before < 100, "{before} before");
}

#[test]
fn an_unreadable_picture_ends_the_epoch_with_its_name() {
    let dir = folder();
    std::fs::write(dir.path().join("b").join("bad.png"), b"no picture").expect("written");
    for workers in [0, 3] {
        let data = open_with(dir.path(), &format!("shuffle = false\nworkers = {workers}"));
        let mut loader = data.loader(Split::Train, 0, 0).expect("starts").expect("there");
        let results: Vec<_> = loader.by_ref().collect();
        let (last, before) = results.split_last().expect("some");
        assert!(before.iter().all(Result::is_ok));
        // Sample 16 (9 of a, 7 of b before it) is in batch 4.
        assert_eq!(before.len(), 4);
        let text = last.as_ref().expect_err("unreadable").to_string();
        assert!(text.contains("bad.png") && text.contains("on_error"), "{text}");
        assert!(loader.next().is_none());
    }
}

#[test]
fn skipped_pictures_leave_the_other_batches_as_they_are() {
    let dir = folder();
    let bad = dir.path().join("b").join("bad.png");
    write_png(&bad, 12, [1, 2, 3]);
    let good = contents(&walk(&open_with(dir.path(), ""), Split::Train, 0, 0));
    std::fs::write(&bad, b"no picture").expect("written");
    let mut orders = Vec::new();
    for workers in [0, 1, 4] {
        let data = open_with(dir.path(), &format!("on_error = \"skip\"\nworkers = {workers}"));
        assert_eq!(data.samples(Split::Train), 23);
        let batches = contents(&walk(&data, Split::Train, 0, 0));
        assert_eq!(batches.len(), good.len());
        for (batch, good) in batches.iter().zip(&good) {
            let kept: Vec<usize> = good.1.iter().copied().filter(|&i| i != 16).collect();
            assert_eq!(batch.1, kept);
            assert_eq!(batch.3.len(), kept.len());
            assert_eq!(batch.2.len(), kept.len() * 3 * 16 * 16);
            if kept.len() == good.1.len() {
                assert_eq!(batch, good);
            }
        }
        assert_eq!(data.skipped(), [bad.display().to_string()]);
        orders.push(batches);
    }
    assert!(orders.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_batch_of_skipped_pictures_alone_is_passed_over() {
    let dir = tempfile::tempdir().expect("folder");
    picture_folder(dir.path(), &[("a", 2), ("b", 1)]);
    std::fs::write(dir.path().join("a").join("000.png"), b"no picture").expect("written");
    let lines = "kind = \"image-folder\"\npath = \"{dir}\"\nimage_size = 8\nbatch_size = 1\nshuffle = \
                 false\non_error = \"skip\"";
    for workers in [0, 2] {
        let data = open(dir.path(), &format!("{lines}\nworkers = {workers}")).expect("opens");
        let batches = walk(&data, Split::Train, 0, 0);
        let positions: Vec<usize> = batches.iter().map(|batch| batch.position).collect();
        assert_eq!(positions, [1, 2]);
    }
}

struct Breaks;

impl Dataset for Breaks {
    fn len(&self) -> usize {
        8
    }
    fn class_names(&self) -> &[String] {
        &[]
    }
    fn class_of(&self, _index: usize) -> Option<usize> {
        None
    }
    fn id(&self, index: usize) -> String {
        index.to_string()
    }
    fn input_shape(&self) -> String {
        String::new()
    }
    fn batch(&self, indices: &[usize], _pass: &Pass) -> Result<Batch, DataError> {
        if indices[0] == 4 {
            panic!("lost my footing");
        }
        Ok(Batch::new(Vec::new(), None, indices.to_vec()))
    }
    fn fixed_inputs(&self, _pass: &Pass) -> bool {
        true
    }
}

#[test]
fn a_thread_that_panics_is_an_error_not_a_wait_for_ever() {
    let walk = Walk {
        pass: Pass { seed: 0, epoch: 0, view: 0, augment: false, delivery: Delivery::Cpu },
        batch_size: 2,
        shuffle: false,
        by_length: true,
        drop_last: false,
        workers: 2,
        prefetch_mib: 1,
        start_batch: 0,
        limit: None,
    };
    let results: Vec<_> = Loader::new(Arc::new(Breaks), walk).expect("starts").collect();
    assert_eq!(results.len(), 3);
    let text = results[2].as_ref().expect_err("broke").to_string();
    assert!(text.contains("lost my footing"), "{text}");
}

/// Batches of half a MiB; counts those that were begun, and how far they were ahead of those taken.
#[derive(Default)]
struct Counted {
    begun: AtomicUsize,
    taken: AtomicUsize,
    farthest: AtomicUsize,
}

impl Dataset for Counted {
    fn len(&self) -> usize {
        40
    }
    fn class_names(&self) -> &[String] {
        &[]
    }
    fn class_of(&self, _index: usize) -> Option<usize> {
        None
    }
    fn id(&self, index: usize) -> String {
        index.to_string()
    }
    fn input_shape(&self) -> String {
        String::new()
    }
    fn batch(&self, indices: &[usize], _pass: &Pass) -> Result<Batch, DataError> {
        let begun = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let ahead = begun.saturating_sub(self.taken.load(Ordering::SeqCst));
        self.farthest.fetch_max(ahead, Ordering::SeqCst);
        let half = Tensor::zeros([1 << 17], (tch::Kind::Float, tch::Device::Cpu));
        let inputs = vec![("x".to_owned(), half)];
        Ok(Batch::new(inputs, None, indices.to_vec()))
    }
    fn fixed_inputs(&self, _pass: &Pass) -> bool {
        true
    }
}

fn walk_of(prefetch_mib: usize) -> Walk {
    Walk {
        pass: Pass { seed: 0, epoch: 0, view: 0, augment: false, delivery: Delivery::Cpu },
        batch_size: 1,
        shuffle: false,
        by_length: false,
        drop_last: false,
        workers: 3,
        prefetch_mib,
        start_batch: 0,
        limit: None,
    }
}

#[test]
fn batches_ahead_take_no_more_than_their_room() {
    let counted = Arc::new(Counted::default());
    let dataset: Arc<dyn Dataset> = counted.clone();
    for batch in Loader::new(dataset, walk_of(1)).unwrap() {
        drop(batch.unwrap());
        counted.taken.fetch_add(1, Ordering::SeqCst);
    }
    // Two fit; a thread each begins before sizes are known, and one may begin between taking and counting.
    let farthest = counted.farthest.load(Ordering::SeqCst);
    assert!(farthest <= 3, "{farthest} ahead");

    let counted = Arc::new(Counted::default());
    let dataset: Arc<dyn Dataset> = counted.clone();
    let mut loader = Loader::new(dataset, walk_of(1024)).unwrap();
    loader.next().unwrap().unwrap();
    // Two for each thread, without being asked.
    while counted.begun.load(Ordering::SeqCst) < 7 {
        std::thread::yield_now();
    }
}

#[test]
fn pictures_that_travel_as_bytes_become_the_same_floats() {
    let dir = folder();
    let mut data = open_with(dir.path(), "workers = 2");
    let here = walk(&data, Split::Train, 1, 0);
    data.deliver(Delivery::Device(Place::Memory));
    let mut there = walk(&data, Split::Train, 1, 0);
    let (bytes, floats) = (there[0].bytes(), here[0].bytes());
    assert_eq!(there[0].inputs[0].1.kind(), tch::Kind::Uint8);
    assert!(bytes * 3 < floats, "{bytes} of {floats} bytes");
    there.iter_mut().for_each(|batch| batch.finish().expect("finished"));
    assert_eq!(contents(&there), contents(&here));
}
