//! Layers thaw from the top down, some more each epoch.
