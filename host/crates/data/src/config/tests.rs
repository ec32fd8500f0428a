use super::*;

use thaw_plugin_api::config::{ConfigError, Key};

fn parse(text: &str) -> Result<DataConfig, ConfigError> {
    let table: toml::Table = text.parse().expect("TOML");
    DataConfig::from_value(&serde_json::to_value(table).expect("JSON"), &Key::root().child("data"))
}

fn message(text: &str) -> String {
    parse(text).expect_err("refused").to_string()
}

#[test]
fn a_table_is_dealt_out_to_source_loading_and_images() {
    let config = parse(
        r#"kind = "image-folder"
        path = "data/emoji"
        batch_size = 8
        mean = [0.5, 0.5, 0.5]
        augment = { horizontal_flip = 0.5, random_resized_crop = { scale = [0.5, 1.0] } }"#,
    )
    .expect("valid");
    let Source::ImageFolder(source) = &config.source else { panic!("{:?}", config.source) };
    assert_eq!(source.path, Path::new("data/emoji"));
    assert_eq!(config.loading.batch_size, 8);
    assert!(config.loading.shuffle);
    assert_eq!(config.images.mean, Some([0.5; 3]));
    let crop = config.images.augment.random_resized_crop.expect("set");
    assert_eq!(crop.scale, [0.5, 1.0]);
    assert_eq!(crop.ratio, [0.75, 4.0 / 3.0]);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest() {
    let text = message("kind = \"tensors\"\npath = \"a.npz\"\nbatchsize = 2");
    assert!(text.contains("unknown key `data.batchsize`"), "{text}");
    assert!(text.contains("did you mean `batch_size`?"), "{text}");
    // A key of pictures means nothing to tensors.
    let text = message("kind = \"tensors\"\npath = \"a.npz\"\nimage_size = 2");
    assert!(text.contains("unknown key `data.image_size`"), "{text}");
    let text = message("kind = \"image-folder\"\npath = \"a\"\naugment = { horizontal_flop = 0.5 }");
    assert!(text.contains("`data.augment.horizontal_flop`, did you mean `horizontal_flip`?"), "{text}");
}

#[test]
fn an_unknown_or_missing_kind_names_them_all() {
    let text = message("kind = \"imagefolder\"\npath = \"a\"");
    assert!(text.contains("did you mean `image-folder`?"), "{text}");
    let text = message("path = \"a\"");
    assert!(text.contains("cifar10") && text.contains("text"), "{text}");
}

#[test]
fn wrong_types_and_values_out_of_range_name_the_key() {
    for (line, key) in [
        ("batch_size = \"many\"", "`data.batch_size`"),
        ("batch_size = 0", "`data.batch_size`"),
        ("batch_size = -1", "`data.batch_size`"),
        ("val_split = 1.5", "`data.val_split`"),
        ("crop_pct = 0.0", "`data.crop_pct`"),
        ("std = [1.0, 1.0, 0.0]", "`data.std`"),
        ("on_error = \"ignore\"", "`data.on_error`"),
        ("val_split = 0.1\nval_path = \"b\"", "`data.val_split`"),
        ("augment.color_jitter.contrast = -1.0", "`data.augment.color_jitter.contrast`"),
        ("augment.random_resized_crop.scale = [0.9, 0.5]", "`data.augment.random_resized_crop.scale`"),
    ] {
        let text = message(&format!("kind = \"image-folder\"\npath = \"a\"\n{line}"));
        assert!(text.contains(key), "{line}: {text}");
    }
    assert!(message("kind = \"cifar10\"").contains("missing key `data.path`, expected a path"));
    assert!(message("kind = \"text\"\npath = \"a.csv\"").contains("`data.tokenizer`"));
}

#[test]
fn a_config_written_out_reads_back_as_itself() {
    for text in [
        "kind = \"list\"\npath = \"l.csv\"\nroot = \"p\"\nclasses = [\"b\", \"a\"]\nworkers = 3",
        "kind = \"cifar10\"\npath = \"c\"\ncrop_pct = 1.0\nresize = \"squash\"",
        "kind = \"tensors\"\npath = \"d.npz\"\ninputs = [\"a\", \"b\"]",
        "kind = \"text\"\npath = \"t.jsonl\"\ntokenizer = \"t.json\"\nval_split = 0.25",
        "kind = \"image-folder\"\npath = \"d\"\naugment.color_jitter.contrast = 0.5",
    ] {
        let config = parse(text).expect("valid");
        let written = toml::to_string(&config).expect("serializes");
        let back: DataConfig = toml::from_str(&written).expect("reads back");
        assert_eq!(back, config, "{written}");
    }
}

#[test]
fn paths_come_with_their_keys() {
    let config = parse("kind = \"text\"\npath = \"t.csv\"\ntokenizer = \"/m/t.json\"").expect("valid");
    let paths = [("path", "t.csv"), ("tokenizer", "/m/t.json")];
    assert_eq!(config.paths(), paths.map(|(key, path)| (key.to_owned(), Path::new(path))));
}

const LIST: &str = "kind = \"list\"\npath = \"t.csv\"\nval_path = \"v.csv\"\nlabel_column = \"y\"\n";

#[test]
fn a_validation_set_has_the_keys_of_data_but_its_own() {
    let config = parse(&format!(
        "{LIST}test_path = \"e.csv\"\n[validation]\nfield = \"f.csv\"\nnight = {{ path = \"n.csv\", \
         label_column = \"z\" }}\n"
    ))
    .expect("valid");
    let places: Vec<String> = config.paths().into_iter().map(|(place, _)| place).collect();
    let expected = ["path", "val_path", "validation/field", "validation/night/path", "test_path"];
    assert_eq!(places, expected);
    let sets = config.held_out.sets();
    let columns = sets.iter().map(|set| match set.config(&config).expect("valid").source {
        Source::List(list) => (list.path, list.val_path, list.label_column),
        other => panic!("{other:?}"),
    });
    let of = |path: &str, column: &str| (PathBuf::from(path), None, column.to_owned());
    assert_eq!(columns.collect::<Vec<_>>(), [of("f.csv", "y"), of("n.csv", "z")]);
    let again = DataConfig::from_value(&config.to_value(), &Key::root()).expect("valid");
    assert_eq!(again, config);
}

#[test]
fn a_validation_set_that_is_none_is_refused_by_its_key() {
    for (set, says) in [
        ("night = 3", "`data.validation.night` is 3, expected a path, or a table"),
        ("night = { label_column = \"z\" }", "missing key `data.validation.night.path`"),
        ("night = { path = \"n\", label_colum = \"z\" }", "did you mean `label_column`?"),
        ("night = { path = \"n\", text = \"z\" }", "unknown key `data.validation.night.text`"),
        ("night = { path = \"n\", val_split = 0.5 }", "unknown key `data.validation.night.val_split`"),
        ("night = \"\"", "`data.validation.night` is empty"),
        ("\"a.b\" = \"n\"", "letters, digits"),
    ] {
        let text = message(&format!("{LIST}[validation]\n{set}\n"));
        assert!(text.contains(says), "{says}: {text}");
    }
    let text = message("kind = \"list\"\npath = \"t.csv\"\nvalidation = \"v.csv\"");
    assert!(text.contains("a table of names"), "{text}");
}
