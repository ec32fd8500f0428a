//! Optimizers over the fused kernels of libtorch, and schedulers of their rates.
//!
//! ```
//! use tch::Tensor;
//! use thaw_optim::optimizer::{Optimizer, OptimizerConfig, Parameters};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The table [optimizer] of a run config.
//! let config: OptimizerConfig = toml::from_str("id = \"sgd\"\nlr = 0.5")?;
//! let weight = Tensor::from_slice(&[1.0_f32, 2.0]).set_requires_grad(true);
//! let parameters = Parameters::new([("weight".to_owned(), weight.shallow_clone())])?;
//! let groups = vec![config.group("all", vec!["weight".to_owned()])];
//! let mut optimizer = Optimizer::new(config, groups)?;
//! (&weight * &weight).sum(tch::Kind::Float).backward();
//! optimizer.step(&parameters)?;
//! assert_eq!(Vec::<f32>::try_from(&weight)?, [0.0, 0.0]);
//! # Ok(())
//! # }
//! ```

pub mod optimizer;
pub mod scheduler;
