//! The manifest of `examples/cluster` is what Kubeflow's training operator takes.

use serde_json::{Value, json};
use thaw_tests::{fixtures, workspace};

fn manifest() -> Value {
    let path = workspace().join("examples/cluster/pytorchjob.yaml");
    serde_yaml_ng::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn errors(manifest: &Value) -> Vec<String> {
    let schema = std::fs::read_to_string(fixtures().join("cluster/pytorchjob.schema.json")).unwrap();
    let schema = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(manifest).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_manifest_of_a_pytorchjob_fits_its_schema() {
    assert_eq!(errors(&manifest()), Vec::<String>::new());
    let replicas = "/spec/pytorchReplicaSpecs";
    for (place, wrong) in [
        ("/kind".to_owned(), json!("PytorchJob")),
        (format!("{replicas}/Master/replicas"), json!(2)),
        (format!("{replicas}/Worker/restartPolicy"), json!("exitcode")),
        (format!("{replicas}/Worker/template/spec/containers/0/name"), json!("torch")),
        (format!("{replicas}/Master/template/spec"), json!({ "container": [] })),
    ] {
        let mut manifest = manifest();
        *manifest.pointer_mut(&place).unwrap_or_else(|| panic!("there is no {place}")) = wrong;
        assert_ne!(errors(&manifest), Vec::<String>::new(), "{place}");
    }
}

/// What its containers mount is there, and all of them share the run directory.
#[test]
fn every_pod_of_the_manifest_mounts_the_run_directory_that_it_names() {
    for replica in ["Master", "Worker"] {
        let pod = &manifest()["spec"]["pytorchReplicaSpecs"][replica]["template"]["spec"];
        let volumes: Vec<&Value> =
            pod["volumes"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        let container = &pod["containers"][0];
        let mounts = container["volumeMounts"].as_array().unwrap();
        assert!(mounts.iter().all(|mount| volumes.contains(&&mount["name"])), "{replica}: {mounts:?}");
        let words: Vec<&str> =
            container["command"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let place = words.iter().position(|word| *word == "--run-dir").unwrap();
        let is_mounted = |mount: &Value| words[place + 1].starts_with(mount["mountPath"].as_str().unwrap());
        assert!(mounts.iter().any(is_mounted), "{words:?}");
    }
}
