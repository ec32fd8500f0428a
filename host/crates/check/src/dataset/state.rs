//! What a data set keeps in checkpoints.

use thaw_plugin_api::abi::{BoxedDataset, contain};
use thaw_plugin_api::error::ErrorKind;
use thaw_plugin_api::{Error, Result};

use super::{Opened, describe};
use crate::{Outcome, Subject, Verdict};

/// What is no state of any data set.
const NO_STATE: [&str; 4] =
    ["", "{}", "[1, 2]", "{\"version\": 4294967295, \"state\": {\"no_such_entry\": 1}}"];

fn save(raw: &BoxedDataset) -> Result<String> {
    contain(|| Ok(raw.state().into_result()?.into_string()))
}

fn load(raw: &mut BoxedDataset, text: &str) -> Result<()> {
    contain(|| Ok(raw.load_state(text.into()).into_result()?))
}

pub(super) fn round_trip(subject: &mut Subject) -> Verdict {
    let opened = Opened::of(subject)?;
    let hint = "`load_state` reads all that `state` writes, and `state` does not depend on what was read";
    let failed =
        |what: &str, error: Error| Outcome::failed(format!("`{what}` failed: {error}"), "no error", hint);
    let saved = save(&opened.raw).map_err(|error| failed("state", error))?;
    for (split, index) in opened.places() {
        let _ = opened.get(split, index);
    }
    let later = save(&opened.raw).map_err(|error| failed("state", error))?;
    if later != saved {
        return Err(Outcome::failed(format!("{later} after samples were read"), saved, hint));
    }
    let mut other = Opened::of(subject)?;
    load(&mut other.raw, &saved).map_err(|error| failed("load_state", error))?;
    other.description = describe(&other.raw).map_err(|error| failed("form", error))?;
    let again = save(&other.raw).map_err(|error| failed("state", error))?;
    if again != saved {
        return Err(Outcome::failed(again, saved, hint));
    }
    for (split, index) in opened.places() {
        let pair = opened.get(split, index).and_then(|one| Ok((one, other.get(split, index)?)));
        let (one, two) = pair.map_err(|error| failed("get", error))?;
        if one != two {
            let found = format!("{split} sample {index} is another one after `load_state`");
            return Err(Outcome::failed(found, "the same sample", hint));
        }
    }
    Ok(Outcome::passed())
}

/// What came of loading each text that is no state.
fn refusals(opened: &mut Opened) -> Vec<(&'static str, Result<()>)> {
    NO_STATE.into_iter().map(|text| (text, load(&mut opened.raw, text))).collect()
}

pub(super) fn refused(subject: &mut Subject) -> Verdict {
    let mut opened = Opened::of(subject)?;
    let before = save(&opened.raw).map_err(|error| Outcome::skipped(error.to_string()))?;
    for (text, loaded) in refusals(&mut opened) {
        match loaded {
            Ok(()) => {
                let hint =
                    "`load_state` refuses entries that it does not know, and misses those that it needs";
                return Err(Outcome::failed(format!("`{text}` was taken"), "an error", hint));
            }
            Err(error) if error.kind() == ErrorKind::Panic => {
                let hint = "return an error for state that does not fit";
                return Err(Outcome::failed(format!("`{text}`: {error}"), "an error", hint));
            }
            Err(_) => {}
        }
    }
    let after = save(&opened.raw).map_err(|error| Outcome::skipped(error.to_string()))?;
    if after != before {
        return Err(Outcome::failed(after, before, "change nothing before all of the state is read"));
    }
    Ok(Outcome::passed())
}

/// Errors that are to say something.
pub(super) fn errors(subject: &Subject) -> std::result::Result<Vec<(String, Error)>, Outcome> {
    let mut opened = Opened::of(subject)?;
    let refused = refusals(&mut opened).into_iter();
    Ok(refused.filter_map(|(text, loaded)| Some((format!("the state `{text}`"), loaded.err()?))).collect())
}
