//! Phases of fine-tuning from a schedule file.
