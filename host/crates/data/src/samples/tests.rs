use std::sync::atomic::{AtomicUsize, Ordering};

use thaw_plugin_api::config::{Config, ConfigError, Key};
use thaw_plugin_api::dataset::{Array, Dtype};

use super::*;
use crate::testing::contents;
use crate::{Batch, DataConfig, DataModule, PredictData, Split as Part, TestData};

/// Samples that a test makes up.
struct MadeUp {
    form: Form,
    lens: [Option<usize>; 3],
    classes: &'static [&'static str],
    sample: fn(Split, usize) -> Sample,
    target: fn(usize) -> Option<Target>,
    read: AtomicUsize,
}

impl MadeUp {
    fn new(form: Form, train: usize, sample: fn(Split, usize) -> Sample) -> Self {
        let read = AtomicUsize::new(0);
        Self { form, lens: [Some(train), None, None], classes: &[], sample, target: |_| None, read }
    }
}

impl Samples for MadeUp {
    fn form(&self) -> Form {
        self.form.clone()
    }
    fn len(&self, split: Split) -> Option<usize> {
        let place = Split::ALL.iter().position(|known| *known == split);
        self.lens[place.unwrap()]
    }
    fn get(&self, split: Split, index: usize) -> Result<Sample> {
        self.read.fetch_add(1, Ordering::Relaxed);
        Ok((self.sample)(split, index))
    }
    fn class_names(&self) -> Vec<String> {
        self.classes.iter().map(|name| (*name).to_owned()).collect()
    }
    fn target(&self, _: Split, index: usize) -> Result<Option<Target>> {
        Ok((self.target)(index))
    }
}

fn config(edit: impl FnOnce(&mut SamplesConfig)) -> SamplesConfig {
    let mut config = SamplesConfig::default();
    config.loading.batch_size = 4;
    config.loading.workers = Some(2);
    edit(&mut config);
    config
}

fn open(samples: MadeUp, config: &SamplesConfig) -> std::result::Result<DataModule, DataError> {
    DataModule::of_samples(Box::new(samples), config, 42, &InputDefaults::default())
}

fn refusal(samples: MadeUp, config: &SamplesConfig) -> String {
    open(samples, config).err().expect("refused").to_string()
}

fn epoch(data: &DataModule, part: Part) -> Vec<Batch> {
    let loader = data.loader(part, 0, 0).unwrap().expect("there is such a split");
    loader.collect::<std::result::Result<_, _>>().unwrap()
}

fn number(x: f32) -> Sample {
    Sample::array("x", Array::new([1], &[x]).unwrap())
}

fn numbers(train: usize) -> MadeUp {
    let form = Form::array("x", Dtype::F32, [1]);
    let made = MadeUp::new(form, train, |_, index| number(index as f32).class(index % 2));
    MadeUp { classes: &["even", "odd"], ..made }
}

#[test]
fn arrays_become_the_tensors_that_a_file_would_give() {
    let form = Form::Arrays(vec![
        thaw_plugin_api::dataset::ArrayForm { name: "ids".into(), dtype: Dtype::I32, shape: vec![2] },
        thaw_plugin_api::dataset::ArrayForm { name: "pixels".into(), dtype: Dtype::U8, shape: vec![1, 2] },
        thaw_plugin_api::dataset::ArrayForm { name: "wide".into(), dtype: Dtype::F64, shape: vec![] },
    ]);
    let samples = MadeUp::new(form, 3, |_, index| {
        let n = index as i32;
        Sample::arrays([
            ("ids", Array::new([2], &[n, -n]).unwrap()),
            ("pixels", Array::new([1, 2], &[0u8, 255]).unwrap()),
            ("wide", Array::new([], &[f64::from(n) / 2.0]).unwrap()),
        ])
        .value(f64::from(n))
    });
    let data = open(samples, &config(|config| config.loading.shuffle = false)).unwrap();
    let batch = epoch(&data, Part::Train).remove(0);
    let [ids, pixels, wide] = &batch.inputs[..] else { panic!("three inputs") };
    let ids: Vec<i64> = ids.1.flatten(0, -1).try_into().unwrap();
    assert_eq!(ids, [0, 0, 1, -1, 2, -2]);
    assert_eq!(pixels.1.size(), [3, 1, 2]);
    assert_eq!(Vec::<f32>::try_from(pixels.1.flatten(0, -1)).unwrap(), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(Vec::<f32>::try_from(&wide.1).unwrap(), [0.0, 0.5, 1.0]);
    let targets: Vec<f32> = batch.targets.as_ref().unwrap().try_into().unwrap();
    assert_eq!(targets, [0.0, 1.0, 2.0]);
    assert_eq!(data.summary().input, "ids 2, pixels 1x2, wide");
}

#[test]
fn an_epoch_is_the_same_with_and_without_threads() {
    let epochs = [0, 3].map(|workers| {
        let data = open(numbers(11), &config(|config| config.loading.workers = Some(workers))).unwrap();
        contents(&epoch(&data, Part::Train))
    });
    assert_eq!(epochs[0], epochs[1]);
    let order: Vec<usize> = epochs[0].iter().flat_map(|(_, indices, ..)| indices.clone()).collect();
    assert_ne!(order, (0..11).collect::<Vec<_>>(), "it is shuffled");
}

#[test]
fn val_split_keeps_its_share_of_each_class_where_targets_are_known_alone() {
    let samples = MadeUp {
        target: |index| Some(Target::Class(usize::from(index < 4))),
        sample: |_, index| number(index as f32).class(usize::from(index < 4)),
        ..numbers(20)
    };
    let data = open(samples, &config(|config| config.loading.val_split = Some(0.25))).unwrap();
    let summary = data.summary();
    assert_eq!(summary.train.per_class, [12, 3]);
    assert_eq!(summary.val.unwrap().per_class, [4, 1]);
}

#[test]
fn targets_that_come_with_their_samples_are_not_read_to_open_the_data() {
    let samples: Arc<dyn Samples> = Arc::new(numbers(1000));
    let config = config(|config| config.loading.val_split = Some(0.5));
    let data = DataModule::of_shared_samples(samples, &config, 42, &InputDefaults::default()).unwrap();
    assert_eq!((data.samples(Part::Train), data.samples(Part::Val)), (500, 500));
    assert!(data.summary().train.per_class.is_empty());
    assert!(data.summary().to_string().ends_with("2 classes: even, odd"), "{}", data.summary());
}

#[test]
fn a_split_of_their_own_is_validated_on_and_not_shuffled() {
    let samples = MadeUp { lens: [Some(4), Some(6), None], ..numbers(4) };
    let data = open(samples, &config(|_| ())).unwrap();
    let order: Vec<usize> = epoch(&data, Part::Val).iter().flat_map(|batch| batch.indices.clone()).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn pictures_are_prepared_as_those_of_files_and_keep_their_targets_in_the_cache() {
    let samples = MadeUp::new(Form::Pictures, 2, |_, index| match index {
        0 => Sample::grey_pixels(2, 2, [255; 4]).label("bright"),
        _ => {
            let mut file = std::io::Cursor::new(Vec::new());
            image::RgbImage::new(3, 3).write_to(&mut file, image::ImageFormat::Png).unwrap();
            Sample::picture(file.into_inner()).class(0)
        }
    });
    let samples =
        Arc::new(MadeUp { classes: &["dark", "bright"], lens: [Some(2), Some(2), None], ..samples });
    let config = config(|config| {
        config.images.image_size = Some(2);
        config.images.mean = Some([0.0; 3]);
        config.images.std = Some([1.0; 3]);
        config.loading.workers = Some(0);
    });
    let shared: Arc<dyn Samples> = Arc::clone(&samples) as Arc<dyn Samples>;
    let data = DataModule::of_shared_samples(shared, &config, 42, &InputDefaults::default()).unwrap();
    let first = contents(&epoch(&data, Part::Val));
    assert_eq!(first[0].2, [[1.0; 12], [0.0; 12]].concat());
    assert_eq!(first[0].3, [1, 0]);
    let read = samples.read.load(Ordering::Relaxed);
    assert_eq!(contents(&epoch(&data, Part::Val)), first);
    assert_eq!(samples.read.load(Ordering::Relaxed), read, "the second epoch reads none anew");
}

#[test]
fn classes_have_the_order_that_is_asked_for() {
    let order = ["odd", "none", "even"].map(str::to_owned);
    let data = open(
        numbers(2),
        &config(|config| {
            config.classes = Some(order.to_vec());
            config.loading.shuffle = false;
        }),
    );
    let data = data.unwrap();
    assert_eq!(data.class_names(), order);
    assert_eq!(contents(&epoch(&data, Part::Train))[0].3, [2, 0]);
}

#[test]
fn a_test_split_takes_the_models_classes_and_predictions_need_no_targets() {
    let samples = MadeUp { lens: [Some(2), None, Some(3)], ..numbers(2) };
    let samples: Arc<dyn Samples> = Arc::new(samples);
    let (config, defaults) = (config(|_| ()), InputDefaults::default());
    let classes = ["odd", "even", "other"].map(str::to_owned);
    let test = TestData::of_samples(&samples, Split::Test, &config, &classes, &defaults).unwrap();
    let batches: Vec<Batch> = test.loader().unwrap().map(std::result::Result::unwrap).collect();
    assert_eq!(contents(&batches)[0].3, [1, 0, 1]);
    let predicted = PredictData::of_samples(&samples, Split::Test, &config, &defaults).unwrap();
    assert_eq!(predicted.len(), 3);
    assert!(predicted.loader().unwrap().all(|batch| batch.unwrap().targets.is_none()));
    let error = TestData::of_samples(&samples, Split::Val, &config, &classes, &defaults).err().unwrap();
    assert_eq!(error.to_string(), "the data set has no val samples; it has: train, test");
}

#[test]
fn what_is_not_as_declared_is_named_with_its_split_and_index() {
    let with = |sample: fn(Split, usize) -> Sample| MadeUp { sample, ..numbers(3) };
    let fail = |samples: MadeUp| {
        let data = open(samples, &config(|config| config.loading.shuffle = false)).unwrap();
        let mut loader = data.loader(Part::Train, 0, 0).unwrap().unwrap();
        loader.find_map(std::result::Result::err).expect("an error").to_string()
    };
    for (error, words) in [
        (
            fail(with(|_, index| if index == 2 { number(1.0).class(2) } else { number(0.0).class(1) })),
            "class index 2",
        ),
        (fail(with(|_, index| if index == 2 { number(1.0) } else { number(0.0).class(1) })), "no target"),
        (
            fail(with(|_, index| if index == 2 { number(1.0).value(1.0) } else { number(0.0).class(1) })),
            "a number",
        ),
        (
            fail(with(|_, index| if index == 2 { Sample::text("").class(0) } else { number(0.0).class(1) })),
            "a text",
        ),
    ] {
        assert!(error.starts_with("train sample 2: ") && error.contains(words), "{error}");
    }
    let nameless = MadeUp { classes: &[], ..numbers(3) };
    assert!(refusal(nameless, &config(|_| ())).contains("names of the classes"));
    assert!(refusal(numbers(0), &config(|_| ())).contains("no train samples"));
    let texts = MadeUp::new(Form::Texts, 1, |_, _| Sample::text("one"));
    assert!(refusal(texts, &config(|_| ())).contains("tokenizer"));
}

fn read(text: &str) -> std::result::Result<DataConfig, ConfigError> {
    let table: toml::Table = text.parse().expect("TOML");
    DataConfig::from_value(&serde_json::to_value(table).expect("JSON"), &Key::root().child("data"))
}

/// The table of a data set whose own keys are `path`, `cache` and `rows`.
fn dealt(lines: &str, form: &Form) -> std::result::Result<(Value, SamplesConfig), ConfigError> {
    let text = format!("kind = \"plugin\"\nid = \"mine\"\nbatch_size = 7\n{lines}");
    let data = read(&text)?;
    let schema = serde_json::json!({
        "properties": { "path": { "type": "string" }, "cache": { "type": "integer" }, "rows": {} },
        "additionalProperties": false,
    });
    let crate::Source::Plugin(plugin) = &data.source else { panic!("a plugin's") };
    let again = DataConfig::from_value(&data.to_value(), &Key::root())?;
    assert_eq!(again, data, "a written config is read as it was");
    Ok((plugin.own(&schema)?, plugin.samples(&schema, form, &data.loading)?))
}

#[test]
fn keys_are_dealt_out_between_the_data_set_and_the_host() {
    let lines = "path = \"a\"\ncache = 3\nimage_size = 9\nclasses = [\"a\", \"b\"]";
    let (own, config) = dealt(lines, &Form::Pictures).unwrap();
    assert_eq!(own, serde_json::json!({ "path": "a", "cache": 3 }));
    assert_eq!((config.loading.batch_size, config.images.image_size), (7, Some(9)));
    assert!(config.images.cache, "the key that both have is the data set's");
    assert_eq!(config.classes.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
    let (_, config) = dealt("tokenizer = \"t\"\nbucket = false", &Form::Texts).unwrap();
    assert!(!config.texts.unwrap().bucket);
}

#[test]
fn keys_that_nobody_has_or_that_do_not_fit_the_samples_are_refused() {
    let arrays = Form::array("x", Dtype::F32, [1]);
    for (lines, form, words) in [
        ("pth = \"a\"", &arrays, "did you mean `path`?"),
        ("image_sise = 3", &Form::Pictures, "did you mean `image_size`?"),
        ("image_size = 3", &arrays, "dataset `mine` gives arrays"),
        ("image_size = 0", &Form::Pictures, "at least 1 and at most 16384"),
        ("text = \"column\"", &Form::Texts, "unknown key `data.text`"),
        ("bucket = true", &Form::Texts, "a tokenizer.json"),
        ("max_length = 1\ntokenizer = \"t\"", &Form::Texts, "at least 2"),
    ] {
        let error = dealt(lines, form).expect_err("refused").to_string();
        assert!(error.contains(words), "{lines}: {error}");
    }
    assert!(read("kind = \"plugin\"").unwrap_err().to_string().contains("`data.id`"));
}
