use crate::{Rename, WeightsConfig};
use thaw_plugin_api::config::{Config, Key};

fn parse(toml: &str) -> Result<WeightsConfig, String> {
    let table: toml::Table = toml.parse().expect("TOML");
    let weights = serde_json::to_value(&table["weights"]).expect("JSON");
    let key = Key::root().child("weights");
    WeightsConfig::from_value(&weights, &key).map_err(|error| error.to_string())
}

#[test]
fn a_path_alone_is_strict_and_renames_nothing() {
    assert_eq!(parse("weights = 'a/b.pth'"), Ok(WeightsConfig::new("a/b.pth")));
    assert_eq!(parse("weights = { path = 'a/b.pth' }"), Ok(WeightsConfig::new("a/b.pth")));
}

#[test]
fn a_table_has_all_keys() {
    let parsed = parse(
        "[weights]\npath = 'x.ckpt'\nignore = ['head.*']\nprefix = 'a.'\nstrip_prefix = 'b.'\n\
         rename = [{ pattern = '^conv', with = 'stem' }]\nmap = { c = 'd' }\nmodule = 'encoder'\nto = \
         'backbone'\nstrict = false",
    );
    let expected = WeightsConfig {
        ignore: vec!["head.*".to_owned()],
        prefix: "a.".to_owned(),
        strip_prefix: "b.".to_owned(),
        rename: vec![Rename { pattern: "^conv".to_owned(), with: "stem".to_owned() }],
        map: [("c".to_owned(), "d".to_owned())].into(),
        module: Some("encoder".to_owned()),
        to: Some("backbone".to_owned()),
        strict: false,
        ..WeightsConfig::new("x.ckpt")
    };
    assert_eq!(parsed, Ok(expected));
}

#[test]
fn an_unknown_key_is_refused_with_the_known_ones() {
    let error = parse("weights = { path = 'x', ignored = ['a'] }").expect_err("no such key");
    assert_eq!(error, "unknown key `weights.ignored`, did you mean `ignore`?");
    let error =
        parse("weights = { path = 'x', rename = [{ pattern = 'a', to = 'b' }] }").expect_err("no such key");
    assert_eq!(error, "unknown key `weights.rename[0].to`; the keys are: pattern, with");
}

#[test]
fn a_path_is_required_and_is_text() {
    assert!(parse("weights = { ignore = ['a'] }").expect_err("no path").contains("path"));
    assert!(parse("weights = 3").expect_err("no path").contains("a path, or a table"));
}

#[test]
fn what_is_written_is_read_back() {
    let config = WeightsConfig { module: Some("encoder".to_owned()), ..WeightsConfig::new("x.ckpt") };
    assert_eq!(WeightsConfig::from_value(&config.to_value(), &Key::root()), Ok(config));
}
