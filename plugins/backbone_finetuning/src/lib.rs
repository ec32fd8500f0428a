//! Lightning's BackboneFinetuning.
