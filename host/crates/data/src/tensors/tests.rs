use crate::testing::{config, open, refusal};
use crate::{Batch, DataModule, Delivery, Split};
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use std::path::Path;
use tch::{Kind, Tensor};
use thaw_torch::buffers::Place;

const PLAIN: &str = "kind = \"tensors\"\npath = \"{dir}/d.safetensors\"\nbatch_size = 2\n";

type Entry<'a> = (&'a str, Dtype, Vec<usize>, Vec<u8>);

fn floats(name: &str, shape: [usize; 2]) -> Entry<'_> {
    let count = shape[0] * shape[1];
    let bytes = (0..count).flat_map(|i| (i as f32).to_le_bytes()).collect();
    (name, Dtype::F32, shape.to_vec(), bytes)
}

fn integers<'a>(name: &'a str, values: &[i64]) -> Entry<'a> {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    (name, Dtype::I64, vec![values.len()], bytes)
}

fn write(dir: &Path, entries: &[Entry<'_>]) {
    let views = entries.iter().map(|(name, dtype, shape, bytes)| {
        (*name, TensorView::new(*dtype, shape.clone(), bytes).expect("fits"))
    });
    serialize_to_file(views, None, &dir.join("d.safetensors")).expect("written");
}

fn walk(data: &DataModule, split: Split) -> Vec<Batch> {
    let loader = data.loader(split, 0, 0).expect("starts").expect("there");
    loader.map(|batch| batch.expect("made")).collect()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.flatten(0, -1)).expect("f32")
}

#[test]
fn without_shuffling_batches_are_consecutive_slices() {
    let dir = tempfile::tempdir().expect("folder");
    let entries = [
        floats("x", [5, 3]),
        integers("y", &[0, 1, 2, 1, 0]),
        floats("val_x", [2, 3]),
        integers("val_y", &[1, 1]),
    ];
    write(dir.path(), &entries);
    for workers in ["", "workers = 2"] {
        let data = open(dir.path(), &format!("{PLAIN}shuffle = false\n{workers}")).expect("opens");
        let batches = walk(&data, Split::Train);
        let shapes: Vec<Vec<i64>> = batches.iter().map(|b| b.inputs[0].1.size()).collect();
        assert_eq!(shapes, [[2, 3], [2, 3], [1, 3]]);
        assert_eq!(values(&batches[1].inputs[0].1), [6., 7., 8., 9., 10., 11.]);
        let targets: Vec<i64> = batches[1].targets.as_ref().expect("y").try_into().expect("i64");
        assert_eq!(targets, [2, 1]);
        assert_eq!(batches[0].inputs[0].0, "x");
        assert_eq!(data.class_names(), ["0", "1", "2"]);
        assert_eq!(data.summary().train.per_class, [2, 2, 1]);
        assert_eq!(data.summary().val.expect("val").per_class, [0, 2, 0]);
        assert_eq!(walk(&data, Split::Val).len(), 1);
    }
}

#[test]
fn shuffled_rows_stay_with_their_targets() {
    let dir = tempfile::tempdir().expect("folder");
    let classes: Vec<i64> = (0..20).collect();
    write(dir.path(), &[floats("x", [20, 2]), integers("y", &classes)]);
    let data = open(dir.path(), PLAIN).expect("opens");
    let batches = walk(&data, Split::Train);
    let order: Vec<usize> = batches.iter().flat_map(|b| b.indices.clone()).collect();
    assert_ne!(order, (0..20).collect::<Vec<_>>());
    for batch in &batches {
        let targets: Vec<i64> = batch.targets.as_ref().expect("y").try_into().expect("i64");
        let firsts: Vec<f32> = values(&batch.inputs[0].1).chunks(2).map(|r| r[0]).collect();
        for ((target, first), index) in targets.iter().zip(firsts).zip(&batch.indices) {
            assert_eq!(*target as usize, *index);
            assert_eq!(first, 2.0 * *target as f32);
        }
    }
}

#[test]
fn element_types_become_f32_and_i64() {
    let dir = tempfile::tempdir().expect("folder");
    let entries = [
        ("half", Dtype::F16, vec![2], vec![0x00, 0x3c, 0x00, 0xc0]),
        ("brain", Dtype::BF16, vec![2], vec![0x80, 0x3f, 0x00, 0xc0]),
        ("byte", Dtype::U8, vec![2], vec![7, 255]),
        ("y", Dtype::F64, vec![2, 1], [1.5f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect()),
    ];
    write(dir.path(), &entries);
    let lines = format!("{PLAIN}shuffle = false\ninputs = [\"half\", \"brain\", \"byte\"]");
    let data = open(dir.path(), &lines).expect("opens");
    let batch = &walk(&data, Split::Train)[0];
    assert_eq!(values(&batch.inputs[0].1), [1.0, -2.0]);
    assert_eq!(values(&batch.inputs[1].1), [1.0, -2.0]);
    assert_eq!(batch.inputs[2].1.kind(), Kind::Int64);
    assert_eq!(i64::try_from(batch.inputs[2].1.max()).expect("i64"), 255);
    let target = batch.targets.as_ref().expect("y");
    assert_eq!((target.kind(), target.size()), (Kind::Float, vec![2, 1]));
    assert!(data.class_names().is_empty());
    assert!(data.fixed_inputs(Split::Train));
}

#[test]
fn bytes_of_pictures_become_floats_from_0_to_1_batch_by_batch() {
    let dir = tempfile::tempdir().expect("folder");
    let pictures: Vec<u8> = (0..3 * 3 * 2 * 2).map(|i| (i * 7) as u8).collect();
    let masks = vec![5u8; 3 * 2 * 2];
    let entries = [
        ("x", Dtype::U8, vec![3, 3, 2, 2], pictures.clone()),
        ("ids", Dtype::U8, vec![3, 4], (0..12).collect()),
        ("mask", Dtype::U8, vec![3, 2, 2], masks),
        ("label", Dtype::U8, vec![3], vec![2, 0, 1]),
    ];
    write(dir.path(), &entries);
    let lines = |target: &str| format!("{PLAIN}inputs = [\"x\", \"ids\"]\ntarget = \"{target}\"");
    let data = open(dir.path(), &lines("mask")).expect("opens");
    for batch in walk(&data, Split::Train) {
        let x = &batch.inputs[0].1;
        assert_eq!(x.kind(), Kind::Float);
        // As torchvision's ToTensor: x / 255.
        let expected: Vec<f32> = batch
            .indices
            .iter()
            .flat_map(|i| pictures[i * 12..(i + 1) * 12].iter().map(|&level| f32::from(level) / 255.0))
            .collect();
        assert_eq!(values(x), expected);
        assert_eq!(batch.inputs[1].1.kind(), Kind::Int64, "numbers of one dimension are no picture");
        let target = batch.targets.expect("mask");
        assert_eq!(target.kind(), Kind::Int64, "a target of classes per pixel stays whole numbers");
        assert_eq!(i64::try_from(target.max()).expect("i64"), 5);
    }
    let data = open(dir.path(), &lines("label")).expect("opens");
    assert_eq!(data.class_names(), ["0", "1", "2"]);
    assert_eq!(data.summary().train.per_class, [1, 1, 1]);
    let file = super::TensorFile::open(&dir.path().join("d.safetensors"), 0).expect("opens");
    assert_eq!(file.get("x").expect("there").bytes().len(), pictures.len(), "nothing is widened in memory");
}

#[test]
fn npz_files_written_by_libtorch_are_read() {
    let dir = tempfile::tempdir().expect("folder");
    let x = Tensor::arange(12, (Kind::Float, tch::Device::Cpu)).view([4, 3]);
    let y = Tensor::from_slice(&[3i64, 1, 0, 2]);
    Tensor::write_npz(&[("x", &x), ("y", &y)], dir.path().join("d.npz")).expect("written");
    let lines =
        "kind = \"tensors\"\npath = \"{dir}/d.npz\"\nshuffle = false\nclasses = [\"a\", \"b\", \"c\", \"d\"]";
    let data = open(dir.path(), lines).expect("opens");
    let batch = &walk(&data, Split::Train)[0];
    assert_eq!(batch.inputs[0].1, x);
    assert_eq!(batch.targets.as_ref().expect("y"), &y);
    assert_eq!(data.class_names(), ["a", "b", "c", "d"]);
}

#[test]
fn of_an_npz_only_what_is_asked_for_is_unpacked() {
    let dir = tempfile::tempdir().expect("folder");
    let x = Tensor::ones([4, 3], (Kind::Float, tch::Device::Cpu));
    let y = Tensor::from_slice(&[0i64, 1, 0, 1]);
    // More than the limit, beside what is asked for.
    let large = Tensor::zeros([1 << 19], (Kind::Float, tch::Device::Cpu));
    let named = [("x", &x), ("y", &y), ("large", &large)];
    Tensor::write_npz(&named, dir.path().join("d.npz")).expect("written");
    let lines = "kind = \"tensors\"\npath = \"{dir}/d.npz\"\nmax_mib = 1\n";
    assert_eq!(open(dir.path(), lines).expect("opens").samples(Split::Train), 4);
    let text = refusal(dir.path(), &format!("{lines}target = \"large\""));
    assert!(text.contains("`large`") && text.contains("`max_mib`"), "{text}");
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path();
    let refused = |entries: &[Entry<'_>], more: &str, words: &[&str]| {
        write(path, entries);
        let text = refusal(path, &format!("{PLAIN}{more}"));
        for word in words {
            assert!(text.contains(word), "{text}");
        }
    };
    let x = || floats("x", [3, 2]);
    refused(&[x(), integers("y", &[0, 1])], "", &["`y`", "2 samples", "3 as in `x`"]);
    refused(&[floats("X", [3, 2])], "", &["`x`", "missing", "`X`"]);
    refused(&[x()], "target = \"z\"", &["`z`", "missing"]);
    refused(&[("x", Dtype::F32, vec![], vec![0; 4])], "", &["shape []"]);
    refused(&[("x", Dtype::F32, vec![0, 4], vec![])], "", &["[0, 4]", "at least one sample"]);
    refused(&[x(), integers("y", &[0, -1, 2])], "", &["tensor `y`, row 1", "-1"]);
    refused(&[x(), integers("y", &[0, 1, 2])], "classes = [\"a\", \"b\"]", &["row 2", "0 to 1"]);
    let val = [x(), integers("y", &[0, 1, 1]), floats("val_x", [1, 2]), integers("val_y", &[2])];
    refused(&val, "", &["`val_y`, row 0", "0 to 1"]);
    std::fs::write(path.join("d.safetensors"), [9; 20]).expect("written");
    assert!(refusal(path, PLAIN).contains("not readable as safetensors"));
    let text = refusal(path, "kind = \"tensors\"\npath = \"{dir}/gone.npz\"");
    assert!(text.contains("gone.npz"), "{text}");
}

#[test]
fn whole_numbers_are_no_pictures_for_a_model_that_takes_pictures() {
    let dir = tempfile::tempdir().expect("folder");
    let types = [
        (Dtype::I64, 8, "int64"),
        (Dtype::I32, 4, "int32"),
        (Dtype::I16, 2, "int16"),
        (Dtype::BOOL, 1, "bool"),
    ];
    for (dtype, width, name) in types {
        let pictures = vec![0; 2 * 3 * 2 * 2 * width];
        write(dir.path(), &[("x", dtype, vec![2, 3, 2, 2], pictures), integers("y", &[0, 1])]);
        open(dir.path(), PLAIN).expect("another model may take them");
        let path = dir.path().join("d.safetensors");
        let config = config(dir.path(), PLAIN);
        let defaults = crate::InputDefaults { image_size: Some(2), ..Default::default() };
        let opened = [
            crate::DataModule::open(&config, 0, &defaults).map(drop),
            crate::PredictData::open(&config, &path, &defaults).map(drop),
            crate::TestData::open(&config, &path, &[], &defaults).map(drop),
        ];
        for refused in opened {
            let text = refused.expect_err("is refused").to_string();
            for part in ["d.safetensors", "`x`", name, "uint8", "float32"] {
                assert!(text.contains(part), "{text}");
            }
        }
    }
}

/// Rows large enough for memory that is used again, and for several threads.
#[test]
fn shuffled_rows_in_used_memory_are_the_files_bytes() {
    let dir = tempfile::tempdir().expect("folder");
    let (rows, width) = (40_usize, 200_000_usize);
    let value = |i: usize| (i as u32).wrapping_mul(2_654_435_761) as f32;
    let bytes = (0..rows * width).flat_map(|i| value(i).to_le_bytes()).collect();
    let entries = [("x", Dtype::F32, vec![rows, width], bytes), integers("y", &[0; 40])];
    write(dir.path(), &entries);
    for workers in ["0", "2"] {
        let keys = format!("workers = {workers}\nprefetch_mib = 30");
        let data = open(dir.path(), &format!("{}{keys}", PLAIN.replace("= 2", "= 16"))).expect("opens");
        let mut seen = Vec::new();
        for batch in data.loader(Split::Train, 3, 0).expect("starts").expect("there") {
            let batch = batch.expect("made");
            let found = values(&batch.inputs[0].1);
            for (row, index) in found.chunks(width).zip(&batch.indices) {
                assert!(row.iter().enumerate().all(|(i, found)| *found == value(index * width + i)));
            }
            seen.extend(batch.indices);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..rows).collect::<Vec<_>>(), "the odd last batch, too");
    }
}

#[test]
fn bytes_that_travel_become_the_same_floats() {
    let dir = tempfile::tempdir().expect("folder");
    let levels: Vec<u8> = (0..3 * 2 * 128).map(|i| (i * 7 % 256) as u8).collect();
    let entries = [("x", Dtype::U8, vec![3, 2, 128], levels), integers("y", &[0, 1, 0])];
    write(dir.path(), &entries);
    let mut data = open(dir.path(), PLAIN).expect("opens");
    let here = data.batch(Split::Train, 0, &[2, 0]).expect("made");
    data.deliver(Delivery::Device(Place::Memory));
    let mut there = data.batch(Split::Train, 0, &[2, 0]).expect("made");
    assert_eq!(there.inputs[0].1.kind(), Kind::Uint8);
    there.finish().expect("finished");
    assert_eq!(there.inputs, here.inputs);
    there.finish().expect("once is enough");
    assert_eq!((there.inputs, there.targets), (here.inputs, here.targets));
}
