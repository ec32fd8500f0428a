//! An autoencoder, and the classifier on its encoder.
