//! Perceptrons of a backbone and a head.

use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use thaw_plugin_api::model::Precision;
use thaw_plugin_api::nn::Module;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Kind, Tensor};

const FEATURES: i64 = 6;
const HIDDEN: i64 = 8;
const CLASSES: i64 = 3;

/// Takes no parameters.
#[derive(Config)]
pub struct NoConfig {}

/// The perceptron that is right.
struct Net {
    backbone: nn::Linear,
    head: nn::Linear,
}

impl Net {
    fn new(root: &nn::Path) -> Result<Self> {
        let backbone = nn::Linear::new(&(root / "backbone"), FEATURES, HIDDEN)?;
        Ok(Self { backbone, head: nn::Linear::new(&(root / "head"), HIDDEN, CLASSES)? })
    }

    fn run(&self, stage: &str, x: &Tensor) -> Result<Tensor> {
        if stage == "backbone" { Ok(self.backbone.forward(x)?.f_relu()?) } else { self.head.forward(x) }
    }
}

fn stages() -> Vec<Stage> {
    vec![Stage::new("backbone", ["backbone"]), Stage::new("head", ["head"])]
}

/// A model with a part of its own beside the perceptron: `$part` makes it, `$run` runs a stage with it.
macro_rules! fault {
    ($(#[$doc:meta])* $name:ident, $id:literal, $part:ty, $make:expr, $run:expr $(, $more:item)*) => {
        $(#[$doc])*
        pub struct $name {
            net: Net,
            part: $part,
        }

        impl Model for $name {
            const ID: &'static str = $id;
            type Config = NoConfig;

            fn new(_: NoConfig, root: &nn::Path) -> Result<Self> {
                let make: fn(&nn::Path) -> Result<$part> = $make;
                Ok(Self { net: Net::new(root)?, part: make(root)? })
            }

            fn stages(&self) -> Vec<Stage> {
                stages()
            }

            fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
                let run: fn(&Net, &$part, &str, &Tensor) -> Result<Tensor> = $run;
                inputs.map_first(|x| run(&self.net, &self.part, stage, x))
            }

            $($more)*
        }
    };
}

fault!(
    /// A forward that differs from its stages.
    ForwardOfItsOwn, "forward-of-its-own", (), |_| Ok(()), |net, (), stage, x| net.run(stage, x),
    fn forward(&self, inputs: Tensors) -> Result<Tensors> {
        inputs.map_first(|x| Ok(self.net.run("head", &self.net.run("backbone", x)?)?.f_mul_scalar(2.0)?))
    }
);

fault!(
    /// A weight that is no parameter, so that no checkpoint has it.
    HidesAWeight, "hides-a-weight", Tensor, |_| nn::init::normal(&[HIDDEN], 1.0), |net, weight, stage, x| {
        let x = net.run(stage, x)?;
        if stage == "backbone" { Ok(x.f_mul(weight)?) } else { Ok(x) }
    }
);

fault!(
    /// Counts on a batch of two.
    FixesTheBatch, "fixes-the-batch", (), |_| Ok(()), |net, (), stage, x| Ok(net.run(stage, x)?.f_reshape([2,
        -1])?)
);

fault!(
    /// Leaves the graph between backbone and head.
    CutsTheGraph, "cuts-the-graph", (), |_| Ok(()), |net, (), stage, x| {
        let x = net.run(stage, x)?;
        if stage == "backbone" { Ok(x.f_detach()?) } else { Ok(x) }
    }
);

fault!(
    /// Dropout that does not ask for its mode.
    DropsInEvaluation, "drops-in-evaluation", (), |_| Ok(()), |net, (), stage, x| {
        let x = net.run(stage, x)?;
        if stage == "backbone" { Ok(x.f_dropout(0.5, true)?) } else { Ok(x) }
    }
);

fault!(
    /// Statistics that are tracked whatever the mode, wherever gradients are on.
    TracksWhileFrozen, "tracks-while-frozen", Tensor,
    |root| Ok((root / "backbone.scale").module("Scale")?.buffer("mean", nn::init::zeros(&[HIDDEN])?)),
    |net, mean, stage, x| {
        let x = net.run(stage, x)?;
        if stage == "backbone" && net.head.weight().f_mul_scalar(1.0)?.requires_grad() {
            let _ = mean.shallow_clone().f_add_(&x.detach().f_mean_dim(0, false, Kind::Float)?)?;
        }
        Ok(x)
    }
);

fault!(
    /// A history of its outputs that nobody reads.
    KeepsEveryOutput, "keeps-every-output", Mutex<Vec<Tensor>>, |_| Ok(Mutex::default()), |net, history,
    stage, x| {
        let x = net.run(stage, x)?;
        let mut history = history.lock().map_err(|_| Error::new("the history is lost"))?;
        history.push(x.f_detach()?.f_repeat([1024, 1])?);
        Ok(x)
    }
);

fault!(
    /// Outputs in double precision.
    GivesDoubles, "gives-doubles", (), |_| Ok(()), |net, (), stage, x| {
        let x = net.run(stage, x)?;
        if stage == "head" { Ok(x.f_to_kind(Kind::Double)?) } else { Ok(x) }
    }
);

/// What the model says of itself.
#[derive(Config)]
pub struct PrecisionConfig {
    /// Whether it says that it needs float32.
    #[config(default = false)]
    fp32_only: bool,
}

/// Large numbers that nearly cancel out: in bfloat16 nothing is left of their difference. It declares
/// bfloat16 all the same.
pub struct LosesInBf16 {
    net: Net,
    fp32_only: bool,
}

impl Model for LosesInBf16 {
    const ID: &'static str = "loses-in-bf16";
    type Config = PrecisionConfig;

    fn new(config: PrecisionConfig, root: &nn::Path) -> Result<Self> {
        Ok(Self { net: Net::new(root)?, fp32_only: config.fp32_only })
    }

    fn precisions(&self) -> Vec<Precision> {
        if self.fp32_only { vec![Precision::Fp32] } else { Precision::ALL.to_vec() }
    }

    fn stages(&self) -> Vec<Stage> {
        stages()
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        inputs.map_first(|x| {
            if stage == "backbone" {
                return self.net.run(stage, x);
            }
            let large = self.net.head.weight().f_mul_scalar(1000.0)?;
            let nearly = large.f_mul_scalar(0.999)?;
            Ok(x.f_matmul(&large.f_tr()?)?
                .f_sub(&x.f_matmul(&nearly.f_tr()?)?)?
                .f_add(&self.net.head.forward(x)?)?)
        })
    }
}

/// A stage over a module that there is not.
pub struct NamesNoModule(Net);

impl Model for NamesNoModule {
    const ID: &'static str = "names-no-module";
    type Config = NoConfig;

    fn new(_: NoConfig, root: &nn::Path) -> Result<Self> {
        Net::new(root).map(Self)
    }

    fn stages(&self) -> Vec<Stage> {
        vec![Stage::new("backbone", ["backbone"]), Stage::new("head", ["haed"])]
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        inputs.map_first(|x| self.0.run(stage, x))
    }
}

fault!(
    /// tch's functions that panic.
    PanicsOnShapes, "panics-on-shapes", (), |_| Ok(()), |net, (), stage, x| {
        if stage == "backbone" { Ok(x.linear(net.backbone.weight(),
            net.backbone.bias()).relu()) } else { net.run(stage, x) }
    }
);

fault!(
    /// Initial values of a seed of its own.
    DrawsAnySeed, "draws-any-seed", Tensor,
    |root| {
        let number = (RandomState::new().hash_one(1) >> 44) as f64;
        (root / "scale").module("Scale")?.parameter("weight", nn::init::constant(&[1], 1.0 + number)?)
    },
    |net, scale, stage, x| Ok(net.run(stage, x)?.f_mul(scale)?)
);

static MODELS: AtomicI64 = AtomicI64::new(0);

fault!(
    /// Initial values that follow from how many models there were.
    CountsModels, "counts-models", Tensor,
    |root| {
        let count = MODELS.fetch_add(1, Ordering::Relaxed) + 1;
        (root / "scale").module("Scale")?.parameter("weight", nn::init::constant(&[1], count as f64)?)
    },
    |net, scale, stage, x| Ok(net.run(stage, x)?.f_mul(scale)?)
);

static WEIGHT: Mutex<Option<Tensor>> = Mutex::new(None);

fault!(
    /// A weight that all models of the process share.
    SharesAWeight, "shares-a-weight", Tensor,
    |root| {
        let mut weight = WEIGHT.lock().map_err(|_| Error::new("the shared weight is lost"))?;
        let shared = match weight.take() {
            Some(shared) => shared,
            None => nn::init::ones(&[1])?,
        };
        let own = (root / "scale").module("Scale")?.parameter("weight", shared)?;
        *weight = Some(own.shallow_clone());
        Ok(own)
    },
    |net, scale, stage, x| Ok(net.run(stage, x)?.f_mul(scale)?)
);
