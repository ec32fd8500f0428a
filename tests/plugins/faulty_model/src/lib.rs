//! A perceptron that panics or returns an error where its configuration says.

use thaw_plugin_api::prelude::*;

/// How to fail.
#[derive(Config, Clone, Copy)]
enum How {
    /// Returns an error.
    Error,
    /// Panics.
    Panic,
    /// Calls libtorch with what it refuses, by a function that panics.
    Torch,
}

/// Where and how to fail.
#[derive(Config)]
struct FaultyConfig {
    /// The function to fail in; none by default.
    #[config(default = "")]
    function: String,
    /// How to fail.
    #[config(default = How::Error)]
    how: How,
    /// Features of a sample.
    #[config(default = 16, range = 1..)]
    features: i64,
    /// Number of classes.
    #[config(default = 4, range = 1..)]
    num_classes: i64,
}

struct FaultyModel {
    config: FaultyConfig,
    backbone: nn::Linear,
    head: nn::Linear,
}

impl FaultyConfig {
    fn fail_in(&self, function: &str) -> Result<()> {
        if function != self.function {
            return Ok(());
        }
        match self.how {
            How::Error => bail!("told to fail in {function}"),
            How::Panic => panic!("told to panic in {function}"),
            How::Torch => {
                let tensor = nn::init::ones(&[2, 3])?;
                let _ = tensor.matmul(&tensor);
                Ok(())
            }
        }
    }
}

impl Model for FaultyModel {
    const ID: &'static str = "faulty-model";
    type Config = FaultyConfig;

    fn new(config: FaultyConfig, root: &nn::Path) -> Result<Self> {
        config.fail_in("new")?;
        let backbone = nn::Linear::new(&(root / "backbone"), config.features, 8)?;
        let head = nn::Linear::new(&(root / "head"), 8, config.num_classes)?;
        Ok(Self { config, backbone, head })
    }

    fn stages(&self) -> Vec<Stage> {
        vec![Stage::new("backbone", ["backbone"]), Stage::new("head", ["head"])]
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        self.config.fail_in("run_stage")?;
        inputs.map_first(|x| match stage {
            "backbone" => Ok(nn::Module::forward(&self.backbone, x)?.f_relu()?),
            _ => nn::Module::forward(&self.head, x),
        })
    }

    fn training_step(&self, _: &Batch) -> Result<Option<StepOutput>> {
        self.config.fail_in("training_step")?;
        Ok(None)
    }

    fn validation_step(&self, _: &Batch) -> Result<Option<StepOutput>> {
        self.config.fail_in("validation_step")?;
        Ok(None)
    }
}

export_plugin!(models: [FaultyModel]);
