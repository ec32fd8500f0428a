//! A perceptron that panics, returns an error or ends the program where its configuration says.

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Device, Kind, Reduction, Tensor};

/// How to fail.
#[derive(Config, Clone, Copy)]
enum How {
    /// Returns an error.
    Error,
    /// Panics.
    Panic,
    /// Ends the program with exit code 0.
    Exit,
    /// Calls libtorch with what it refuses, by a function that panics.
    Torch,
    /// Changes the working directory.
    Leave,
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
    /// Whether it has a step of its own, with the metrics `half`, which is one, and `none`, which is no
    /// number.
    #[config(default = false)]
    own_step: bool,
    /// Samples that there is memory for; half of them where the backbone trains.
    #[config(range = 1..)]
    memory: Option<i64>,
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
            How::Exit => std::process::exit(0),
            How::Leave => Ok(std::env::set_current_dir("/")?),
            How::Torch => {
                let tensor = nn::init::ones(&[2, 3])?;
                let _ = tensor.matmul(&tensor);
                Ok(())
            }
        }
    }
}

impl FaultyModel {
    /// Asks libtorch for more than any machine has, where a batch is too large.
    fn take_memory(&self, samples: i64) -> Result<()> {
        let needed = if self.backbone.weight().requires_grad() { 2 * samples } else { samples };
        if self.config.memory.is_some_and(|memory| needed > memory) {
            let _ = Tensor::f_zeros([1 << 52], (Kind::Float, Device::Cpu))?;
        }
        Ok(())
    }

    fn own_step(&self, batch: &Batch) -> Result<Option<StepOutput>> {
        let (true, Some(target)) = (self.config.own_step, &batch.target) else { return Ok(None) };
        let outputs = self.forward(Tensors::one("x", batch.inputs.first()?.shallow_clone()))?;
        let loss =
            outputs.first()?.f_cross_entropy_loss(target, None::<Tensor>, Reduction::Mean, -100, 0.0)?;
        Ok(Some(StepOutput {
            loss,
            outputs,
            metrics: vec![("half".to_owned(), 0.5), ("none".to_owned(), f64::NAN)],
        }))
    }
}

impl Drop for FaultyModel {
    fn drop(&mut self) {
        // It has nobody to return an error to.
        let _ = self.config.fail_in("drop");
    }
}

impl Model for FaultyModel {
    const ID: &'static str = "faulty-model";
    type Config = FaultyConfig;

    fn new(config: FaultyConfig, root: &nn::Path) -> Result<Self> {
        config.fail_in("new")?;
        if config.function == "tensors" {
            // One that libtorch has no values of: whoever asks for its sizes panics.
            let _ = (root / "nothing").module("Nothing")?.buffer("values", Tensor::new());
        }
        let backbone = nn::Linear::new(&(root / "backbone"), config.features, 8)?;
        let head = nn::Linear::new(&(root / "head"), 8, config.num_classes)?;
        Ok(Self { config, backbone, head })
    }

    fn stages(&self) -> Vec<Stage> {
        vec![Stage::new("backbone", ["backbone"]), Stage::new("head", ["head"])]
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        self.config.fail_in("run_stage")?;
        self.take_memory(inputs.first()?.size()[0])?;
        inputs.map_first(|x| match stage {
            "backbone" => Ok(nn::Module::forward(&self.backbone, x)?.f_relu()?),
            _ => nn::Module::forward(&self.head, x),
        })
    }

    fn training_step(&self, batch: &Batch) -> Result<Option<StepOutput>> {
        self.config.fail_in("training_step")?;
        self.own_step(batch)
    }

    fn validation_step(&self, batch: &Batch) -> Result<Option<StepOutput>> {
        self.config.fail_in("validation_step")?;
        self.own_step(batch)
    }
}

export_plugin!(models: [FaultyModel]);
