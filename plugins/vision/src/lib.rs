//! Image classifiers with torchvision's and timm's names.
