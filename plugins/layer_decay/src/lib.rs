//! Rates that fall with the depth of a layer.
