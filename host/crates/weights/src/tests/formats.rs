use super::*;
use serde_json::json as value;

#[test]
fn every_reference_file_is_read_or_refused_as_it_should_be() {
    let expected = json("files/expected.json");
    let files = expected["files"].as_object().expect("files");
    assert!(files.len() > 30);
    for (name, file_expected) in files {
        let path = file(name);
        let verdict = file_expected["expect"].as_str().expect("a verdict");
        match verdict {
            "loads" => {
                let found = read(&path).unwrap_or_else(|error| panic!("{error}"));
                found.verify().unwrap_or_else(|error| panic!("{error}"));
                if let Some(content) = file_expected["content"].as_str() {
                    assert_holds(&found, &expected["contents"][content], file_expected["dtype"].as_str());
                }
            }
            "refused" | "refused by CRC-32" => {
                let error = refusal(&path).to_string();
                assert!(error.contains(name), "the message names no file: {error}");
                assert!(!error.contains("\n"), "more than one line: {error}");
            }
            "refused or tensors only" => {
                let found = read(&path).unwrap_or_else(|error| panic!("{error}"));
                assert_holds(&found, &expected["contents"]["autoencoder"], None);
            }
            other => panic!("{name}: unknown verdict {other}"),
        }
    }
}

#[test]
fn hostile_pickles_are_refused_by_the_name_of_what_they_call() {
    for (name, call) in [
        ("hostile_raw.pth", "calls os.system"),
        ("hostile_raw_protocol4.bin", "calls posix.system"),
        ("hostile_zip.pt", "calls os.system"),
        ("hostile_eval.pt", "calls builtins.eval"),
        ("hostile_legacy.pth", "calls posix.system"),
        ("hostile_hyper_parameters.ckpt", "calls posix.system"),
    ] {
        let error = refusal(&file(name));
        assert!(matches!(&error, WeightsError::Refused { what, .. } if what == call), "{name}: {error}");
    }
}

#[test]
fn damage_is_reported_with_the_tensor_where_it_is_known() {
    for (name, tensor) in [
        ("bitflip_data.pt", Some("0.weight")),
        ("truncated.pth", Some("2.weight")),
        ("truncated.safetensors", Some("2.weight")),
        ("bad_overlap.safetensors", Some("b")),
        ("bad_shape.safetensors", Some("a")),
        ("bad_range.safetensors", Some("a")),
        ("truncated.pt", None),
        ("truncated_pickle.pth", None),
        ("truncated_header.safetensors", None),
        ("bitflip_header.safetensors", None),
        ("empty.pt", None),
    ] {
        let error = refusal(&file(name));
        let WeightsError::Damaged { tensor: found, .. } = &error else {
            panic!("{name}: {error}");
        };
        assert_eq!(found.as_deref(), tensor, "{error}");
    }
}

#[test]
fn a_flipped_bit_in_a_view_of_a_larger_storage_is_found() {
    let mut bytes = std::fs::read(file("views.pt")).expect("a fixture");
    // `last_element` and `column` are views of a storage of 1000 floats; neither reaches its middle, where a
    // bit flips.
    let data = find(&bytes, b"views/data/1").expect("its entry") + 500;
    let at = (data..).find(|&at| bytes[at] != 0).expect("values");
    bytes[at] ^= 1;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("flipped.pt");
    std::fs::write(&path, bytes).expect("written");
    let error = refusal(&path);
    assert!(
        matches!(&error, WeightsError::Damaged { tensor: Some(tensor), .. } if tensor == "last_element"),
        "{error}"
    );
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[test]
fn a_state_dict_keeps_its_order() {
    let expected = json("files/expected.json");
    for name in ["autoencoder.pt", "autoencoder.pth", "autoencoder.ckpt"] {
        let found = read(file(name)).expect("it loads");
        let names: Vec<_> = found.names().collect();
        let content = expected["contents"]["autoencoder"].as_object().expect("tensors");
        assert_eq!(names, content.keys().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a_lightning_checkpoint_gives_its_hyper_parameters_and_counters() {
    let found = read(file("autoencoder.ckpt")).expect("it loads");
    let expected = json("files/autoencoder.json");
    assert_eq!(found.hyper_parameters(), Some(expected["hyper_parameters"].clone()));
    assert_eq!(found.data()["epoch"], expected["epoch"]);
    assert_eq!(found.data()["global_step"], expected["global_step"]);
    assert_eq!(found.data()["pytorch-lightning_version"], expected["lightning_version"]);
    assert_eq!(found.data()["lr_schedulers"][0]["_last_lr"], expected["lr_schedulers"][0]["_last_lr"]);
    assert!(found.data().get("state_dict").is_none());
}

#[test]
fn a_state_dict_alone_has_no_hyper_parameters() {
    let found = read(file("autoencoder.pt")).expect("it loads");
    assert_eq!(found.hyper_parameters(), None);
    assert_eq!(found.data(), &Value::Null);
    assert_eq!(found.metadata().len(), 0);
    let found = read(file("autoencoder.safetensors")).expect("it loads");
    assert_eq!(found.metadata().get("format").map(String::as_str), Some("pt"));
}

#[test]
fn half_precision_values_are_the_float32_ones_rounded_to_nearest_even() {
    let full = read(file("autoencoder.safetensors")).expect("it loads");
    for (name, kind) in
        [("autoencoder_fp16.safetensors", Kind::Half), ("autoencoder_bf16.safetensors", Kind::BFloat16)]
    {
        let half = read(file(name)).expect("it loads");
        for entry in full.entries() {
            let rounded = entry.tensor().expect("a tensor").to_kind(kind);
            let found = half.get(entry.name()).expect("the same names").tensor().expect("a tensor");
            assert_eq!(found.kind(), kind);
            assert!(found.equal(&rounded), "{name}: {}", entry.name());
        }
    }
}

#[test]
fn a_torchscript_archive_is_refused_with_what_to_do() {
    for name in ["script_classifier.pt", "trace_classifier.pt"] {
        let error = refusal(&file(name));
        assert!(matches!(error, WeightsError::TorchScript { .. }), "{error}");
        assert!(error.to_string().contains("id = \"torchscript\""), "{error}");
    }
}

#[test]
fn unsigned_integers_become_the_next_wider_type() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("unsigned.safetensors");
    let mut values = Vec::new();
    values.extend([u64::MAX / 2, 7].map(u64::to_le_bytes).concat());
    values.extend([u32::MAX, 8].map(u32::to_le_bytes).concat());
    values.extend([u16::MAX, 9].map(u16::to_le_bytes).concat());
    let header = value!({
        "u64": { "dtype": "U64", "shape": [2], "data_offsets": [0, 16] },
        "u32": { "dtype": "U32", "shape": [2], "data_offsets": [16, 24] },
        "u16": { "dtype": "U16", "shape": [2], "data_offsets": [24, 28] },
    });
    write_raw(&path, &header, &values);
    let found = read(&path).expect("it loads");
    for (name, kind, expected) in [
        ("u64", Kind::Int64, [i64::MAX as f64, 7.0]),
        ("u32", Kind::Int64, [u32::MAX.into(), 8.0]),
        ("u16", Kind::Int, [u16::MAX.into(), 9.0]),
    ] {
        let tensor = found.get(name).expect("a tensor").tensor().expect("its values");
        assert_eq!(tensor.kind(), kind);
        assert_eq!(numbers(&tensor), expected, "{name}");
    }
    values[7] = 0x80;
    write_raw(&path, &header, &values);
    assert!(refusal(&path).to_string().contains("too large"));
}

#[test]
fn a_bool_that_is_neither_true_nor_false_is_damage() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("bool.safetensors");
    let header = value!({ "mask": { "dtype": "BOOL", "shape": [2], "data_offsets": [0, 2] } });
    write_raw(&path, &header, &[1, 7]);
    assert!(refusal(&path).to_string().contains("mask"));
}

#[test]
fn an_element_type_that_libtorch_lacks_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("float4.safetensors");
    write_raw(&path, &value!({ "tiny": { "dtype": "F4", "shape": [2], "data_offsets": [0, 1] } }), &[0]);
    let error = refusal(&path).to_string();
    assert!(error.contains("tiny") && error.contains("F4"), "{error}");
}

/// A .safetensors file with exactly this header and data.
fn write_raw(path: &Path, header: &Value, data: &[u8]) {
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn no_cut_and_no_flipped_bit_makes_a_reader_panic() {
    let directory = tempfile::tempdir().expect("a directory");
    let read_all = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        read(&path).and_then(|found| found.verify())
    };
    for name in ["small.pt", "small.pth", "small.safetensors"] {
        let whole = std::fs::read(file(name)).expect("a fixture");
        for end in (0..whole.len()).step_by(37) {
            assert!(read_all(name, &whole[..end]).is_err(), "{name} cut at {end} was read");
        }
        for at in (0..whole.len()).step_by(29) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            // Some flips cannot be seen: in values of formats without checksums, in padding.
            let _ = read_all(name, &flipped);
        }
    }
}

#[test]
fn an_exported_program_is_called_what_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    for entry in ["archive_format", "serialized_exported_program.json"] {
        let path = directory.path().join("model.pt2");
        let mut archive = ZipWriter::new(File::create(&path).expect("a file"));
        archive.start_file(format!("model/{entry}"), SimpleFileOptions::default()).expect("begun");
        archive.finish().expect("written");
        let error = refusal(&path).to_string();
        assert!(error.contains("model.pt2: this is an exported program"), "{error}");
    }
}
