//! BERT-type encoders for text classification and sentence pairs.
