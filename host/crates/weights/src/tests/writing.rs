use super::*;
use crate::{HYPER_PARAMETERS, WriteOptions, write_safetensors};
use serde_json::json as value;
use std::collections::BTreeMap;
use std::fs;
use thaw_files::sha256::sha256_file;

fn tensors(name: &str) -> Vec<(String, Tensor)> {
    let found = read(file(name)).expect("it loads");
    let entries = found.entries().iter();
    entries.map(|entry| (entry.name().to_owned(), entry.tensor().expect("a tensor"))).collect()
}

fn write(tensors: &[(String, Tensor)], options: &WriteOptions) -> (tempfile::TempDir, StateDict) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out.safetensors");
    write_safetensors(&path, tensors, &BTreeMap::new(), options).expect("written");
    let found = read(&path).expect("it loads");
    (directory, found)
}

#[test]
fn what_is_written_holds_the_values_that_were_read() {
    let expected = json("files/expected.json");
    let (_directory, found) = write(&tensors("autoencoder.ckpt"), &WriteOptions::default());
    assert_holds(&found, &expected["contents"]["autoencoder"], None);
    let (_directory, found) = write(&tensors("small.pth"), &WriteOptions::default());
    assert_holds(&found, &expected["contents"]["small"], None);
    let (_directory, found) = write(&tensors("views.pt"), &WriteOptions::default());
    assert_holds(&found, &expected["contents"]["views"], None);
}

#[test]
fn half_precision_is_written_as_safetensors_itself_rounds() {
    for (kind, reference) in
        [(Kind::Half, "autoencoder_fp16.safetensors"), (Kind::BFloat16, "autoencoder_bf16.safetensors")]
    {
        let options = WriteOptions { kind: Some(kind), ..WriteOptions::default() };
        let (_directory, found) = write(&tensors("autoencoder.pt"), &options);
        for (name, expected) in tensors(reference) {
            let tensor = found.get(&name).expect("the same names").tensor().expect("a tensor");
            assert_eq!(tensor.kind(), kind);
            assert!(tensor.equal(&expected), "{name}");
        }
    }
}

#[test]
fn integers_keep_their_type_when_floats_are_converted() {
    let options = WriteOptions { kind: Some(Kind::Half), ..WriteOptions::default() };
    let (_directory, found) = write(&tensors("small.pt"), &options);
    assert_eq!(found.get("1.num_batches_tracked").map(|entry| entry.kind()), Some(Kind::Int64));
    assert_eq!(found.get("1.weight").map(|entry| entry.kind()), Some(Kind::Half));
}

#[test]
fn a_module_is_written_for_itself_or_for_its_model() {
    let all = tensors("autoencoder.pt");
    let names = |keep_prefix| {
        let options =
            WriteOptions { module: Some("encoder".to_owned()), keep_prefix, ..WriteOptions::default() };
        let (_directory, found) = write(&all, &options);
        found.names().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(false), ["0.weight", "0.bias", "2.weight", "2.bias"]);
    assert_eq!(names(true), ["encoder.0.weight", "encoder.0.bias", "encoder.2.weight", "encoder.2.bias"]);
}

#[test]
fn tied_tensors_are_written_under_both_names() {
    let weight = Tensor::arange(6, (Kind::Float, tch::Device::Cpu)).view([2, 3]);
    let tied = [
        ("embedding.weight".to_owned(), weight.shallow_clone()),
        ("head.weight".to_owned(), weight.transpose(0, 1)),
    ];
    let (_directory, found) = write(&tied, &WriteOptions::default());
    let values = |name: &str| numbers(&found.get(name).expect("written").tensor().expect("a tensor"));
    assert_eq!(values("embedding.weight"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(values("head.weight"), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
}

#[test]
fn the_file_is_read_by_the_safetensors_library_and_its_values_are_aligned() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out.safetensors");
    let metadata = BTreeMap::from([("made by".to_owned(), "a \"test\"".to_owned())]);
    let tensors = tensors("views.pt");
    write_safetensors(&path, &tensors, &metadata, &WriteOptions::default()).expect("written");
    let bytes = fs::read(&path).expect("the file");
    let (header, found) = ::safetensors::SafeTensors::read_metadata(&bytes).expect("well formed");
    assert_eq!(header % 8, 0);
    for (name, info) in found.tensors() {
        assert_eq!(info.data_offsets.0 % (info.dtype.bitsize() / 8), 0, "{name}");
    }
    let texts = found.metadata().clone().expect("text pairs");
    assert_eq!(texts["format"], "pt");
    assert_eq!(texts["made by"], "a \"test\"");
}

#[test]
fn hyper_parameters_are_read_back_from_the_metadata() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out.safetensors");
    let parameters = value!({ "id": "autoencoder", "latent_dim": 100 });
    let metadata = BTreeMap::from([(HYPER_PARAMETERS.to_owned(), parameters.to_string())]);
    write_safetensors(&path, &tensors("small.pt"), &metadata, &WriteOptions::default()).expect("written");
    assert_eq!(read(&path).expect("it loads").hyper_parameters(), Some(parameters));
}

#[test]
fn the_checksum_is_the_files_and_the_one_sha256sum_gives() {
    let reference = json("files/expected.json");
    let small = &reference["files"]["small.pt"];
    assert_eq!(
        sha256_file(&file("small.pt")).expect("readable"),
        small["sha256"].as_str().expect("a checksum")
    );

    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out.safetensors");
    let written = write_safetensors(&path, &tensors("small.pt"), &BTreeMap::new(), &WriteOptions::default())
        .expect("written");
    assert_eq!(written.sha256, sha256_file(&path).expect("readable"));
    assert_eq!(written.bytes, fs::metadata(&path).expect("the file").len());
    assert_eq!(written.tensors, 9);
}

#[test]
fn a_failed_write_leaves_the_earlier_file_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out.safetensors");
    fs::write(&path, "before").expect("written");
    // A sparse tensor is found out only when its values are wanted, after others were written.
    let dense = Tensor::ones([3, 3], (Kind::Double, tch::Device::Cpu));
    let bad = [
        ("a".to_owned(), dense.shallow_clone()),
        ("b".to_owned(), dense.to_kind(Kind::Float).to_sparse(None, None::<i64>, None)),
    ];
    let error = write_safetensors(&path, &bad, &BTreeMap::new(), &WriteOptions::default())
        .expect_err("a sparse tensor");
    assert!(error.to_string().contains("tensor 'b'"), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("still there"), "before");
    assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 1);
}

#[test]
fn what_the_format_cannot_hold_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out.safetensors");
    let fault = |tensors: &[(String, Tensor)], options: &WriteOptions| {
        write_safetensors(&path, tensors, &BTreeMap::new(), options).expect_err("not writable").to_string()
    };
    let complex = Tensor::zeros([2], (Kind::ComplexFloat, tch::Device::Cpu));
    let error = fault(&[("spectrum".to_owned(), complex)], &WriteOptions::default());
    assert!(error.contains("'spectrum'") && error.contains("ComplexFloat"), "{error}");
    let twice: Vec<_> = [tensors("small.pt"), tensors("small.pt")].into_iter().flatten().collect();
    assert!(fault(&twice, &WriteOptions::default()).contains("two tensors have the name '0.weight'"));
    let nothing = WriteOptions { module: Some("head".to_owned()), ..WriteOptions::default() };
    assert!(fault(&tensors("small.pt"), &nothing).contains("nothing in the module 'head'"));
    assert!(fault(&[], &WriteOptions::default()).contains("no tensors"));
}
