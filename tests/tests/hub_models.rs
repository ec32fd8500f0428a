//! `[model] path`: a directory that transformers wrote is the whole of a model.

use thaw_tests::Run;
use thaw_tests::hub::{self, agrees, folder};

/// Folder of the recorded classifier, and the module that holds its encoder.
const FAMILIES: [(&str, &str); 7] = [
    ("bert", "bert"),
    ("distilbert", "distilbert"),
    ("roberta", "roberta"),
    ("electra", "electra"),
    ("albert", "albert"),
    ("mpnet", "mpnet"),
    ("deberta", "deberta"),
];

/// A run on the recorded texts with these labels, for which the directory is named and nothing else.
fn labelled(family: &str, labels: [&str; 4], more: &str) -> Run {
    let run = Run::new(&format!(
        "plugins = [\"text\"]\n[model]\npath = {:?}\n[data]\nkind = \"text\"\npath = \"train.csv\"\n\
         val_path = \"train.csv\"\n[optimizer]\nid = \"sgd\"\nlr = 0.0\n[trainer]\nmax_epochs = 1\n{more}",
        folder(family)
    ));
    hub::write_texts(&run, family, labels);
    run
}

const LABELS: [&str; 4] = ["negative", "positive", "neutral", "negative"];

#[test]
fn every_family_predicts_as_transformers_with_nothing_but_its_directory_named() {
    for (family, _) in FAMILIES {
        let run = labelled(family, LABELS, "");
        let fitted = run.fit(&[]).succeeded();
        assert!(fitted.stderr.contains("model.path"), "{fitted}");
        // The rate is 0, and the run says so.
        let warnings =
            fitted.stderr.lines().filter(|line| line.contains("WARN") && !line.contains("rate is 0"));
        assert_eq!(warnings.count(), 0, "{fitted}");
        agrees(&run, family);
    }
}

#[test]
fn a_run_of_a_directory_is_resumed_and_repeated() {
    for (family, _) in FAMILIES {
        let run = labelled(family, LABELS, "");
        run.fit(&["--set", "optimizer.lr=0.01"]).succeeded();
        run.resume(&["--set", "trainer.max_epochs=2", "--set", "optimizer.lr=0.01"]).succeeded();
        let set = ["--set", "trainer.max_epochs=2", "--set", "optimizer.lr=0.01"];
        let again = [&["fit", "run.toml", "--run-dir", "again"][..], &set].concat();
        run.host(again).succeeded();
        let last = |folder: &str| {
            let path = run.folder().join(folder).join("checkpoints/last/model.safetensors");
            std::fs::read(path).unwrap()
        };
        assert!(last("run") == last("again"), "{family}");
    }
}

#[test]
fn a_head_with_other_classes_is_said_and_trained_anew() {
    for (family, _) in FAMILIES {
        let run = labelled(family, ["cat", "dog", "cat", "dog"], "");
        let fitted = run.fit(&[]).succeeded();
        for expected in ["neutral, positive, negative", "cat, dog", "a new head is trained"] {
            assert!(fitted.stderr.contains(expected), "{family}: {fitted}");
        }
        run.resume(&["--set", "trainer.max_epochs=2"]).succeeded();
        // The run's own config has all that it takes to do the same again.
        run.host(["fit", "run/config.toml", "--run-dir", "again"]).succeeded();
    }
}

#[test]
fn as_many_classes_of_other_names_are_no_reason_to_keep_a_head() {
    let run = labelled("bert", ["cat", "dog", "owl", "cat"], "");
    run.fit(&[]).succeeded().says("a new head is trained");
    let numbers = labelled("bert", ["0", "1", "2", "0"], "");
    numbers.fit(&[]).succeeded().does_not_say("a new head is trained");
    let fewer = labelled("bert", ["negative", "positive", "negative", "positive"], "");
    fewer.fit(&[]).succeeded().does_not_say("a new head is trained");
    agrees(&fewer, "bert");
}

#[test]
fn a_head_follows_the_order_of_classes_that_the_run_config_lists() {
    for (family, _) in FAMILIES {
        let run = labelled(family, LABELS, "");
        let classes = "data.classes=[\"negative\", \"neutral\", \"positive\"]";
        let fitted = run.fit(&["--set", classes]).succeeded();
        assert!(fitted.stderr.contains("in the order of the data's classes"), "{fitted}");
        agrees(&run, family);
        run.resume(&["--set", "trainer.max_epochs=2", "--set", classes]).succeeded();
        agrees(&run, family);
    }
}

#[test]
fn layers_of_every_family_thaw() {
    for (family, module) in FAMILIES {
        let callbacks = format!(
            "[[callbacks]]\nid = \"layerwise-finetuning\"\nmodule = \"{module}\"\nunfreeze_at_epoch = 1\n\
             layers_per_epoch = 1\n"
        );
        let run = labelled(family, LABELS, &callbacks);
        run.fit(&["--plugin", "layerwise_finetuning", "--set", "trainer.max_epochs=4"]).succeeded();
        let last = run.groups().last().unwrap()["groups"].as_array().unwrap().len();
        assert!(last > 2, "{family}: {last} groups");
    }
}

#[test]
fn a_directory_that_is_none_is_refused_before_anything_runs() {
    let run = labelled("bert", LABELS, "");
    run.fit(&["--set", "model.path=nowhere"]).failed(2, &["model.path", "nowhere", "save_pretrained"]);
    run.write("gpt/config.json", "{\"model_type\": \"gpt2\"}");
    run.fit(&["--set", "model.path=gpt"]).failed(2, &["`gpt2`"]);
}

#[test]
fn a_vocabulary_alone_is_a_tokenizer_that_checkpoints_keep() {
    let run = labelled("bert", LABELS, "");
    for file in ["config.json", "model.safetensors"] {
        run.write(&format!("mine/{file}"), std::fs::read(folder("bert").join(file)).unwrap());
    }
    let words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\ngood\nbad\nfilm\nfine\nawful\ngreat\nthe\na\n";
    run.write("mine/vocab.txt", words);
    let path = ["--set", "model.path=mine"];
    let fitted = run.fit(&path).succeeded();
    assert!(fitted.stderr.contains("made of the vocabulary"), "{fitted}");
    agrees(&run, "bert");
    let more = ["fit", "run.toml", "--resume", "run", "--set", "trainer.max_epochs=2"];
    run.host([&more[..], &path].concat()).succeeded();
    std::fs::remove_dir_all(run.folder().join("mine")).unwrap();
    agrees(&run, "bert");
    run.host(["export", "--checkpoint", "run", "--hf", "out"]).succeeded();
    assert!(run.folder().join("out/tokenizer.json").is_file());
}

#[test]
fn the_hub_is_read_through_its_cache() {
    let run = labelled("bert", LABELS, "").env("HF_HOME", "cache").env("HF_HUB_OFFLINE", "1");
    let snapshot = "cache/hub/models--me--my-bert/snapshots/c0ffee";
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        run.write(&format!("{snapshot}/{file}"), std::fs::read(folder("bert").join(file)).unwrap());
    }
    run.write("cache/hub/models--me--my-bert/refs/main", "c0ffee");
    run.fit(&["--set", "model.path=hf://me/my-bert"]).succeeded();
    agrees(&run, "bert");
    run.host(["fit", "run.toml", "--resume", "run", "--set", "model.path=hf://me/my-bert"]).succeeded();
    run.fit(&["--set", "model.path=hf://me/other"])
        .failed(2, &["hf://me/other", "HF_HUB_OFFLINE", "hf download me/other"]);
}
