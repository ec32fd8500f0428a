//! Optimizers over the fused kernels of libtorch, and schedulers of their rates.
//!
//! ```
//! use thaw_optim::optimizer::OptimizerConfig;
//!
//! let config: OptimizerConfig = toml::from_str("id = \"adamw\"\nlr = 3e-4").unwrap();
//! assert_eq!(config.algorithm.id(), "adamw");
//! ```

pub mod optimizer;
pub mod scheduler;
