//! Inputs that a model takes: what it says of its data, else what its first layer looks like.

use std::fmt;

use tch::{Kind, TchError, Tensor};
use thaw_plugin_api::model::Tensors;
use thaw_plugin_api::module_tree::Module;

use thaw_data::{CounterRng, PICTURE_INPUT};
use thaw_train::model::{HostModel, Phase};

/// How inputs are made.
#[derive(Clone, Debug)]
pub enum Inputs {
    /// Numbers of this shape for each sample.
    Numbers(Vec<i64>),
    /// Token ids below a limit, with mask and segments where there are three inputs.
    Tokens {
        /// Tokens of a sample.
        length: i64,
        /// Ids are below it.
        limit: i64,
        /// Whether mask and segments come with them, as texts are read.
        is_text: bool,
    },
}

impl fmt::Display for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbers(shape) => {
                write!(f, "inputs of {}", shape.iter().map(i64::to_string).collect::<Vec<_>>().join("x"))
            }
            Self::Tokens { length, .. } => write!(f, "inputs of {length} tokens"),
        }
    }
}

impl Inputs {
    /// The first kind of input that goes through a model.
    ///
    /// # Errors
    /// What the model said to the first one that was tried.
    pub fn taken_by(model: &mut HostModel) -> Result<Self, String> {
        let mut first = None;
        for inputs in candidates(model) {
            model.set_phase(Phase::Validate);
            let batch = inputs.batch(2).map_err(|error| error.to_string())?;
            let answer = tch::no_grad(|| model.forward(batch));
            model.set_phase(Phase::Train);
            match answer {
                Ok(_) => return Ok(inputs),
                Err(error) => drop(first.get_or_insert(format!("{inputs}: {error}"))),
            }
        }
        Err(first.unwrap_or_else(|| "it has no layer that says what goes in".to_owned()))
    }

    /// So many samples: the first ones are the same in every batch.
    pub fn batch(&self, samples: i64) -> Result<Tensors, TchError> {
        match self {
            Self::Numbers(shape) => {
                let count = samples * shape.iter().product::<i64>();
                let mut numbers = CounterRng::new(&[11]);
                let values: Vec<f32> = (0..count).map(|_| numbers.between(-1.0, 1.0) as f32).collect();
                let size: Vec<i64> = [samples].into_iter().chain(shape.iter().copied()).collect();
                Ok(Tensors::one(PICTURE_INPUT, Tensor::f_from_slice(&values)?.f_view(&size[..])?))
            }
            Self::Tokens { length, limit, is_text } => {
                let mut numbers = CounterRng::new(&[12]);
                let low = 3.min(limit - 1);
                let ids: Vec<i64> = (0..samples * length)
                    .map(|_| low + numbers.below((limit - low).max(1) as u64) as i64)
                    .collect();
                let ids = Tensor::f_from_slice(&ids)?.f_view([samples, *length])?;
                if !is_text {
                    return Ok(Tensors::one(PICTURE_INPUT, ids));
                }
                let mask = Tensor::f_ones([samples, *length], (Kind::Int64, tch::Device::Cpu))?;
                let segments = mask.f_zeros_like()?;
                Ok(Tensors::one("input_ids", ids)
                    .with("attention_mask", mask)
                    .with("token_type_ids", segments))
            }
        }
    }
}

/// What to try, the likeliest first.
fn candidates(model: &HostModel) -> Vec<Inputs> {
    let input = &model.description().input;
    let modules = model.tree().modules();
    let first =
        |kind: &str| modules.iter().find(|module| module.kind == kind && !module.parameters.is_empty());
    let limit = first("Embedding").and_then(|module| weight(module)?.first().copied()).unwrap_or(100);
    let mut candidates = Vec::new();
    if let Some(longest) = input.max_length {
        candidates.push(Inputs::Tokens { length: longest.min(7) as i64, limit, is_text: true });
    }
    if let Some(size) = input.image_size {
        let channels = first("Conv2d").and_then(|module| weight(module)?.get(1).copied()).unwrap_or(3);
        candidates.extend(
            [channels, 3, 1].map(|channels| Inputs::Numbers(vec![channels, size as i64, size as i64])),
        );
    }
    for module in modules {
        let Some(weight) = weight(module) else { continue };
        match (module.kind.as_str(), weight) {
            ("Linear", [_, features]) => candidates.push(Inputs::Numbers(vec![*features])),
            ("Conv2d", [_, channels, ..]) => {
                candidates.extend([32, 64, 224].map(|size| Inputs::Numbers(vec![*channels, size, size])))
            }
            ("Conv1d", [_, channels, ..]) => candidates.push(Inputs::Numbers(vec![*channels, 64])),
            ("Embedding", [entries, _]) => {
                candidates.extend([false, true].map(|is_text| Inputs::Tokens {
                    length: 7,
                    limit: *entries,
                    is_text,
                }));
            }
            _ => {}
        }
        // What goes in is told by the first layers, if at all.
        if candidates.len() > 8 {
            break;
        }
    }
    candidates
}

fn weight(module: &Module) -> Option<&[i64]> {
    module
        .parameters
        .iter()
        .find(|parameter| parameter.name.ends_with("weight"))
        .map(|parameter| parameter.shape.as_slice())
}
