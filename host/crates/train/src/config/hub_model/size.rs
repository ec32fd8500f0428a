//! The size of pictures, which model and data have to agree on.

use serde_json::{Map, Value, json};
use thaw_plugin_api::config::ConfigError as KeyError;

use super::family::PictureSize;
use super::{CONFIG, KEY, PREPROCESSOR};

const SIZE: &str = "image_size";
/// transformers' default.
const USUAL: u64 = 224;

/// What becomes of the weights of a model that is built for pictures of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// They are for this size.
    AsTheyAre,
    /// Position embeddings are brought to another size.
    Interpolated,
}

/// Settles `image_size` of `[model]` and `[data]` for a family that is built for one size: where one of them
/// is given, the other follows, before what the directory's files have. `keys` are those that the directory
/// gives to `[data]`.
///
/// # Errors
/// Two different sizes.
pub(super) fn settle(
    model: &mut Map<String, Value>,
    data: &Map<String, Value>,
    keys: &mut Map<String, Value>,
    config: &Value,
    size: PictureSize,
) -> Result<Fit, KeyError> {
    if size == PictureSize::Any {
        return Ok(Fit::AsTheyAre);
    }
    let made_for = side(config.get(SIZE)).unwrap_or(USUAL);
    let number = |value: Option<&Value>| value.and_then(Value::as_u64);
    let (of_model, of_data) = (number(model.get(SIZE)), number(data.get(SIZE)));
    let built = match (of_model, of_data, number(keys.get(SIZE))) {
        (Some(model), Some(data), _) if model != data => {
            let expected =
                format!("that of the model, which is {model}: give one of them, or the same to both");
            return Err(KeyError::value("data.image_size", data, expected));
        }
        (Some(given), _, _) => {
            keys.insert(SIZE.to_owned(), json!(given));
            given
        }
        (None, Some(given), _) => {
            if given != made_for {
                model.insert(SIZE.to_owned(), json!(given));
            }
            given
        }
        (None, None, Some(prepared)) if prepared != made_for => {
            let expected = format!(
                "the same size in both: set `image_size` in [data], {made_for} for smaller or larger \
                 pictures, {prepared} for a model of that size{}",
                if size == PictureSize::Positions { " with interpolated position embeddings" } else { "" }
            );
            let found = format!(
                "a directory whose {PREPROCESSOR} prepares pictures of {prepared} pixels, and whose {CONFIG} \
                 has a model for {made_for}"
            );
            return Err(KeyError::value(KEY, found, expected));
        }
        (None, None, _) => made_for,
    };
    let is_resized = size == PictureSize::Positions && built != made_for;
    Ok(if is_resized { Fit::Interpolated } else { Fit::AsTheyAre })
}

/// The side of a square, one number or two that are the same.
fn side(value: Option<&Value>) -> Option<u64> {
    match value?.as_array().map(Vec::as_slice) {
        Some([height, width]) if height == width => height.as_u64(),
        Some(_) => None,
        None => value?.as_u64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(
        model: Value,
        data: Value,
        prepared: Option<u64>,
        size: PictureSize,
    ) -> Result<(Value, Value, Fit), String> {
        let map = |value: Value| value.as_object().cloned().unwrap();
        let mut model = map(model);
        let mut keys = prepared.map(|side| (SIZE.to_owned(), json!(side))).into_iter().collect();
        let config = json!({ SIZE: [224, 224] });
        let fit = settle(&mut model, &map(data), &mut keys, &config, size);
        fit.map(|fit| (Value::Object(model), Value::Object(keys), fit)).map_err(|error| error.to_string())
    }

    #[test]
    fn one_size_that_is_given_is_that_of_both() {
        use PictureSize::{Any, Built, Positions};
        let none = || json!({});
        let of = |side: u64| json!({ SIZE: side });
        assert_eq!(settled(none(), none(), Some(224), Positions), Ok((none(), of(224), Fit::AsTheyAre)));
        assert_eq!(settled(of(384), none(), Some(224), Positions), Ok((of(384), of(384), Fit::Interpolated)));
        assert_eq!(
            settled(none(), of(384), Some(224), Positions),
            Ok((of(384), of(224), Fit::Interpolated)),
            "what [data] has itself stays"
        );
        assert_eq!(settled(none(), of(384), None, Built), Ok((of(384), none(), Fit::AsTheyAre)));
        assert_eq!(settled(none(), of(224), None, Built), Ok((none(), none(), Fit::AsTheyAre)));
        assert_eq!(settled(none(), none(), Some(256), Any), Ok((none(), of(256), Fit::AsTheyAre)));
        let error = settled(of(384), of(256), None, Positions).unwrap_err();
        assert!(error.contains("`data.image_size` is 256") && error.contains("384"), "{error}");
        let error = settled(none(), none(), Some(384), Positions).unwrap_err();
        for expected in ["model.path", "384", "224", "`image_size` in [data]", "interpolated"] {
            assert!(error.contains(expected), "{error}");
        }
    }
}
