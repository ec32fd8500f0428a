//! `#[derive(Config)]` where the author's names are those that the generated code uses, or those of the
//! prelude.

mod taken {
    #![allow(dead_code)]

    pub struct Option;
    pub struct String;
    pub struct Result;
    pub struct Vec;
    pub struct Map;
    pub struct Value;
    pub struct Key;
    pub struct Some;
    pub struct Ok;

    fn value() -> usize {
        7
    }

    use thaw_plugin_api::config::Config;

    #[derive(Config)]
    #[config(check = Taken::check)]
    pub struct Taken {
        /// A field, a function and a variable.
        #[config(default = value(), range = ..10)]
        pub value: usize,
        #[config(default = value())]
        pub key: usize,
        #[config(default = "text")]
        pub table: std::string::String,
        #[config(default = false)]
        pub config: bool,
        #[config(default = 0.5, range = 0.0..=1.0)]
        pub default: f64,
        pub schema: std::option::Option<usize>,
        #[config(default = true)]
        pub r#type: bool,
        #[config(default = Reader::Keys)]
        pub reader: Reader,
        #[config(flatten)]
        pub nested: Nested,
        #[config(state)]
        pub state: u64,
        #[config(state)]
        pub error: u64,
        #[config(skip)]
        pub properties: u64,
    }

    impl Taken {
        fn check(&mut self) -> thaw_plugin_api::Result<()> {
            self.properties = 1;
            std::result::Result::Ok(())
        }
    }

    /// Its keys are at the level of the one that it is in.
    #[derive(Config)]
    pub struct Nested {
        #[config(default = 2)]
        pub required: usize,
        #[config(state)]
        pub nested: u64,
    }

    /// Variants like variables and types.
    #[derive(Config, Clone, Copy, Debug, PartialEq)]
    pub enum Reader {
        /// A name of the generated code.
        Keys,
        /// A name of the prelude.
        Option,
    }
}

use serde_json::json;
use taken::{Reader, Taken};
use thaw_plugin_api::config::{Config, parse};

#[test]
fn names_of_the_generated_code_may_be_the_authors() {
    let mut read: Taken = parse(r#"{ "key": 4, "reader": "option", "type": false, "required": 5 }"#).unwrap();
    assert_eq!((read.value, read.key, read.schema, read.properties), (7, 4, None, 1));
    assert_eq!((read.reader, read.r#type, read.nested.required), (Reader::Option, false, 5));
    let written = json!({
        "value": 7, "key": 4, "table": "text", "config": false, "default": 0.5, "schema": null, "type": false,
        "reader": "option", "required": 5,
    });
    assert_eq!(Config::to_value(&read), written);
    assert!(parse::<Taken>(r#"{ "value": 10 }"#).is_err());
    assert_eq!(Taken::schema()["properties"]["value"]["default"], 7);

    (read.state, read.error, read.nested.nested) = (1, 2, 3);
    let mut state = Config::state(&read).unwrap();
    assert_eq!(serde_json::Value::Object(state.clone()), json!({ "state": 1, "error": 2, "nested": 3 }));
    let mut restored: Taken = parse("{}").unwrap();
    Config::load_state(&mut restored, &mut state).unwrap();
    assert_eq!((restored.state, restored.error, restored.nested.nested), (1, 2, 3));
}
