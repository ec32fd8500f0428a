//! A plugin with an id that is there twice and one that is no id; without a description.

use thaw_plugin_api::prelude::*;

#[derive(Config)]
struct Twice {}

impl Callback for Twice {
    const ID: &'static str = "twice";
}

#[derive(Config)]
struct NoId {
    #[config(default = 1)]
    key_without_help: usize,
}

impl Callback for NoId {
    const ID: &'static str = "No Id";

    fn on_fit_start(&mut self, context: &mut Context) -> Result<()> {
        context.log("key", self.key_without_help as f64)
    }
}

export_plugin!(callbacks: [Twice, Twice, NoId]);
