//! Derive macros of `thaw-plugin-api`.
