//! transformers' image processors, and what each does where its file does not say.

use serde_json::{Value, json};

const IMAGENET_STANDARD: ([f64; 3], [f64; 3]) = ([0.5; 3], [0.5; 3]);
const CLIP: ([f64; 3], [f64; 3]) =
    ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]);
/// Pillow's numbers.
const BILINEAR: u64 = 2;
const BICUBIC: u64 = 3;

/// An image processor; the values are transformers' defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Processor {
    /// Its class without `ImageProcessor` or `FeatureExtractor`.
    name: &'static str,
    /// What one number as `size` means.
    pub sizing: Sizing,
    side: u64,
    /// Side of the crop of the centre, where it cuts one out.
    pub crop: Option<u64>,
    /// Filter.
    pub resample: u64,
    /// Per channel.
    pub mean: [f64; 3],
    /// Per channel.
    pub std: [f64; 3],
}

/// How pictures get to a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sizing {
    /// Both sides are brought to it.
    Square,
    /// The shorter side is.
    ShorterSide,
    /// The shorter side of what `crop_pct` is cut out of; from 384 on both sides are.
    ConvNext,
}

const fn processor(
    name: &'static str,
    (sizing, side, crop): (Sizing, u64, Option<u64>),
    resample: u64,
    (mean, std): ([f64; 3], [f64; 3]),
) -> Processor {
    Processor { name, sizing, side, crop, resample, mean, std }
}

/// Those that are known; `tests/fixtures/hub_pictures/processors.py` records transformers' own.
const PROCESSORS: [Processor; 5] = [
    processor("ViT", (Sizing::Square, 224, None), BILINEAR, IMAGENET_STANDARD),
    processor("ConvNext", (Sizing::ConvNext, 384, None), BICUBIC, IMAGENET_STANDARD),
    processor("Bit", (Sizing::ShorterSide, 224, Some(224)), BICUBIC, CLIP),
    processor("CLIP", (Sizing::ShorterSide, 224, Some(224)), BICUBIC, CLIP),
    processor("DeiT", (Sizing::Square, 256, Some(224)), BICUBIC, IMAGENET_STANDARD),
];

impl Processor {
    /// The one that a file names, else `usual`; None for one that is not known.
    pub fn of(json: &Value, usual: &str) -> Option<&'static Self> {
        let class = ["image_processor_type", "feature_extractor_type"].map(|key| json.get(key));
        let class = class.into_iter().flatten().find_map(Value::as_str);
        let name = class.map_or(usual, |class| {
            class
                .split("ImageProcessor")
                .next()
                .and_then(|name| name.split("FeatureExtractor").next())
                .unwrap_or(class)
        });
        PROCESSORS.iter().find(|known| known.name == name)
    }

    /// As a file has it.
    pub fn size(&self) -> Value {
        let side = self.side;
        match self.sizing {
            Sizing::Square => json!({ "height": side, "width": side }),
            Sizing::ShorterSide | Sizing::ConvNext => json!({ "shortest_edge": side }),
        }
    }
}
