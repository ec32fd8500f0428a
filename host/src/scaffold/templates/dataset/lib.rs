//! The data set `my-plugin`.

use thaw_plugin_api::prelude::*;

/// What a run config can set.
#[derive(Config)]
struct MyPluginConfig {
    /// Number of points to train on.
    #[config(default = 128, range = 2..=100_000)]
    points: usize,
    /// Radius of the outer ring; the inner one has the radius 1.
    #[config(default = 2.0, range = 1.5..=10.0)]
    radius: f64,
}

/// Points on two rings, by the ring on which they lie.
struct MyPlugin {
    config: MyPluginConfig,
}

/// Points of the test split.
const TEST_POINTS: usize = 50;

impl Dataset for MyPlugin {
    const ID: &'static str = "my-plugin";
    const DESCRIPTION: &'static str = "points on two rings";
    type Config = MyPluginConfig;

    // Open files here: a folder or file of the configuration is a `PathBuf`.
    fn new(config: MyPluginConfig) -> Result<Self> {
        Ok(Self { config })
    }

    fn form(&self) -> Form {
        Form::array("x", Dtype::F32, [2])
    }

    fn class_names(&self) -> Vec<String> {
        vec!["inner".to_owned(), "outer".to_owned()]
    }

    fn len(&self, split: Split) -> Option<usize> {
        match split {
            Split::Train => Some(self.config.points),
            Split::Test => Some(TEST_POINTS),
            Split::Val => None,
        }
    }

    // The same index has to give the same sample, on any thread.
    fn get(&self, split: Split, index: usize) -> Result<Sample> {
        let start = if split == Split::Test { 0.5 } else { 0.0 };
        let angle = start + index as f64 * 2.4;
        let ring = index % 2;
        let radius = if ring == 0 { 1.0 } else { self.config.radius };
        let point = [radius * angle.cos(), radius * angle.sin()].map(|x| x as f32);
        Ok(Sample::array("x", Array::new([2], &point)?).class(ring))
    }

    fn target(&self, _: Split, index: usize) -> Result<Option<Target>> {
        Ok(Some(Target::Class(index % 2)))
    }

    fn in_memory(&self) -> bool {
        true
    }
}

export_plugin!(datasets: [MyPlugin]);

#[cfg(test)]
mod tests;
