//! What runs, plans and predictions are made of, from the run config: model, strategies and callbacks,
//! optimizer with its groups, libtorch.

mod groups;
mod layout;
mod optimizer;
mod plugins;
mod settings;
mod torch;
mod weights;

pub use groups::{initial_groups, without_the_rest};
pub use layout::in_layout;
pub(crate) use optimizer::first_optimizer;
pub use optimizer::{optimizer_config, run_length};
pub use plugins::{build_model, create_callbacks, create_model};
pub(crate) use plugins::{of_table, place, storages};
pub(crate) use settings::{check_settings, replace_optimizer};
pub use torch::{precision_on, prepare_torch};
pub use weights::load_checkpoint;
pub(crate) use weights::start_from_weights;
