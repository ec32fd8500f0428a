//! Configuration: what the schema says is what is read.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::error::ErrorKind;

use super::outcome::says_something;
use super::values::{Sizes, random, same, wrong_values};
use super::{Body, Check, Outcome, Reach, Subject, Verdict};

pub(super) const CHECKS: &[Check] = &[
    Check::new("builds", "the id can be made with the defaults of its configuration", Body::Item(builds))
        .on(Reach::All),
    Check::new(
        "config-defaults",
        "what is left out has the defaults that the schema names",
        Body::Item(defaults),
    )
    .after("builds"),
    Check::new("config-round-trip", "the resolved configuration gives itself again", Body::Item(round_trip))
        .after("builds"),
    Check::new(
        "config-unknown-key",
        "a key that the schema does not have is refused by name",
        Body::Item(unknown_key),
    )
    .after("builds")
    .on(Reach::All),
    Check::new(
        "config-bounds",
        "values outside of their range or of another type are refused",
        Body::Item(bounds),
    )
    .after("builds")
    .on(Reach::All),
    Check::new(
        "config-random",
        "200 random configurations of the schema build or are refused with a reason",
        Body::Item(many),
    )
    .after("builds"),
    Check::new("errors-carry-messages", "what is refused is refused with a reason", Body::Item(messages))
        .after("builds"),
];

const CONFIGS: usize = 200;
/// Time for random configurations: models without keys for their size take theirs to be built.
const TIME_FOR_RANDOM: Duration = Duration::from_secs(120);

fn builds(subject: &mut Subject) -> Verdict {
    match subject.resolved(subject.config()) {
        Ok(_) => Ok(Outcome::passed()),
        // Nothing else of the id can be looked at: not to be passed over as skipped.
        Err(error) => {
            let hint = "every key needs a default that can be used, or none; where an id is nothing without \
                        a schedule or the like, give one with --config";
            Err(Outcome::failed(error.to_string(), "an instance", hint))
        }
    }
}

/// What the plugin makes of a configuration; that it takes it is another check's.
fn resolved(subject: &Subject, config: &Map<String, Value>) -> Result<Value, Outcome> {
    let resolved =
        subject.resolved(config).map_err(|error| Outcome::skipped(format!("it cannot be made: {error}")))?;
    resolved.ok_or_else(|| {
        Outcome::skipped("the plugin was built before models said their resolved configuration")
    })
}

fn properties(schema: &Value) -> Map<String, Value> {
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn defaults(subject: &mut Subject) -> Verdict {
    let found = resolved(subject, subject.config())?;
    let schema = properties(&subject.item().schema);
    let mut wrong = Vec::new();
    for (key, property) in &schema {
        // A value that is given has no default to be compared with, and may be resolved to another form.
        let expected = property.get("default").filter(|_| !subject.config().contains_key(key));
        match (found.get(key), expected) {
            (None, _) => wrong.push(format!("`{key}` is not in the resolved configuration")),
            (Some(found), Some(expected)) if !same(found, expected) => {
                wrong.push(format!("`{key}` is {found}, the schema says {expected}"))
            }
            _ => {}
        }
    }
    let unknown = found.as_object().into_iter().flat_map(Map::keys).filter(|key| !schema.contains_key(*key));
    wrong.extend(unknown.map(|key| format!("`{key}` is not in the schema")));
    if wrong.is_empty() {
        return Ok(Outcome::passed());
    }
    let hint = "schema, reading and writing come from one `#[derive(Config)]`; a hand-written `Config` has \
                to keep them together";
    Err(Outcome::failed(wrong.join("; "), "the defaults of the schema", hint))
}

fn round_trip(subject: &mut Subject) -> Verdict {
    let mut random_numbers = subject.random(1);
    let schema = subject.item().schema.clone();
    // Small ones of a model are built soon, and their sizes go together.
    let (count, around) = match subject.item().kind {
        Kind::Model => (4, super::model::small(subject)),
        Kind::Strategy | Kind::Callback | Kind::Dataset => (30, subject.config().clone()),
    };
    let drawn = (0..5 * count).map(|_| random(&schema, &around, &around, &mut random_numbers, Sizes::Small));
    let mut trips = 0;
    for (index, config) in std::iter::once(subject.config().clone()).chain(drawn).enumerate() {
        if trips > count {
            break;
        }
        subject.job().doing(&format!("making it of {}", json!(config)));
        let first = match subject.resolved(&config) {
            Ok(Some(first)) => first,
            Ok(None) => {
                return Err(Outcome::skipped(
                    "the plugin was built before models said their resolved configuration",
                ));
            }
            // That of the defaults is another check's, and random ones may be refused.
            Err(error) if index == 0 => return Err(Outcome::skipped(format!("it cannot be made: {error}"))),
            Err(_) => continue,
        };
        let again = subject.resolved(&first.as_object().cloned().unwrap_or_default());
        let found = match again {
            Ok(again) => again.unwrap_or_default(),
            Err(error) => Value::String(error.to_string()),
        };
        if !same(&first, &found) {
            let hint = "`to_value` has to write every key as `from_value` reads it: a run directory's \
                        config.toml is read again on resuming";
            return Err(Outcome::failed(found.to_string(), first.to_string(), hint));
        }
        trips += 1;
    }
    Ok(Outcome::noted(format!("{trips} configurations")))
}

fn with(config: &Map<String, Value>, key: &str, value: Value) -> Map<String, Value> {
    let mut config = config.clone();
    config.insert(key.to_owned(), value);
    config
}

fn unknown_key(subject: &mut Subject) -> Verdict {
    let schema = properties(&subject.item().schema);
    let near = schema.keys().next().map(|key| format!("{key}x"));
    let unknown = near.into_iter().chain(["no_such_key".to_owned()]).filter(|key| !schema.contains_key(key));
    let mut wrong = Vec::new();
    for key in unknown {
        match subject.resolved(&with(subject.config(), &key, json!(1))) {
            Ok(_) => wrong.push(format!("`{key}` was taken")),
            Err(error) if !error.to_string().contains(&key) => {
                wrong.push(format!("`{key}` was refused without its name: {error}"))
            }
            Err(_) => {}
        }
    }
    // Tables inside, as they are by default.
    for (name, property) in &schema {
        let Some(Value::Object(table)) = property.get("default") else { continue };
        if property.get("additionalProperties").is_none_or(|more| more != &Value::Bool(false)) {
            continue;
        }
        let nested = Value::Object(with(table, "no_such_key", json!(1)));
        if subject.resolved(&with(subject.config(), name, nested)).is_ok() {
            wrong.push(format!("`{name}.no_such_key` was taken"));
        }
    }
    if wrong.is_empty() {
        return Ok(Outcome::passed());
    }
    let hint = "a misspelt key would be passed over in silence: `ObjectReader::finish` refuses it, as the \
                derived `Config` does";
    Err(Outcome::failed(wrong.join("; "), "an error that names the key", hint))
}

fn bounds(subject: &mut Subject) -> Verdict {
    let schema = properties(&subject.item().schema);
    let mut taken = Vec::new();
    let mut tried = 0;
    for (key, property) in &schema {
        for value in wrong_values(property) {
            tried += 1;
            subject.job().doing(&format!("making it with {key} = {value}"));
            match subject.resolved(&with(subject.config(), key, value.clone())) {
                Ok(_) => taken.push(format!("{key} = {value} was taken")),
                Err(error) if error.kind() == ErrorKind::Panic => {
                    taken.push(format!("{key} = {value}: {error}"))
                }
                Err(error) if !error.to_string().contains(key.as_str()) => {
                    taken.push(format!("{key} = {value} was refused without its key: {error}"))
                }
                Err(_) => {}
            }
        }
    }
    if taken.is_empty() {
        return Ok(if tried == 0 {
            Outcome::skipped("it takes no parameters")
        } else {
            Outcome::noted(format!("{tried} values"))
        });
    }
    let hint = "the schema promises a type and a range that reading does not keep: `#[config(range = …)]` \
                writes both";
    Err(Outcome::failed(taken.join("; "), "an error that names the key", hint))
}

fn many(subject: &mut Subject) -> Verdict {
    let schema = subject.item().schema.clone();
    if properties(&schema).is_empty() {
        return Err(Outcome::skipped("it takes no parameters"));
    }
    let is_model = subject.item().kind == Kind::Model;
    // The largest sizes that a schema allows would fill the machine's memory with a model or samples.
    let (usual, sizes) = if is_model {
        (super::model::small(subject), Sizes::Small)
    } else if subject.item().kind == Kind::Dataset {
        (subject.config().clone(), Sizes::Small)
    } else {
        (subject.config().clone(), Sizes::Any)
    };
    let mut random_numbers = subject.random(2);
    let started = Instant::now();
    let (mut built, mut refused) = (0, 0);
    while built + refused < CONFIGS && (!is_model || started.elapsed() < TIME_FOR_RANDOM) {
        let config = random(&schema, &usual, subject.config(), &mut random_numbers, sizes);
        let text = json!(config).to_string();
        subject.job().doing(&format!("making it of {text}"));
        match subject.resolved(&config) {
            Ok(_) => built += 1,
            Err(error) if error.kind() == ErrorKind::Panic => {
                let hint = "check what goes together in `#[config(check = …)]`, and return an error instead \
                            of a panic";
                return Err(Outcome::failed(
                    format!("{text}: {error}"),
                    "an instance, or an error with a reason",
                    hint,
                ));
            }
            Err(error) if !says_something(&error) => {
                return Err(Outcome::failed(
                    format!("{text}: \"{error}\""),
                    "an error with a reason",
                    "say what was found and what is expected",
                ));
            }
            Err(_) => refused += 1,
        }
    }
    if built == 0 {
        let hint = "check the ranges of the schema: most of what it allows should work";
        return Err(Outcome::warning(format!("none of {refused} was taken"), "some that build", hint));
    }
    let short = if built + refused < CONFIGS {
        format!(" in {} s", TIME_FOR_RANDOM.as_secs())
    } else {
        String::new()
    };
    Ok(Outcome::noted(format!("{built} built, {refused} refused{short}")))
}

fn messages(subject: &mut Subject) -> Verdict {
    let mut errors = Vec::new();
    let schema = properties(&subject.item().schema);
    errors.extend(
        subject
            .resolved(&with(subject.config(), "no_such_key", json!(1)))
            .err()
            .map(|error| ("an unknown key".to_owned(), error)),
    );
    for (key, property) in &schema {
        for value in wrong_values(property) {
            let error = subject.resolved(&with(subject.config(), key, value.clone())).err();
            errors.extend(error.map(|error| (format!("{key} = {value}"), error)));
        }
    }
    match subject.item().kind {
        Kind::Model => errors.extend(super::model::errors(subject)?),
        Kind::Dataset => errors.extend(super::dataset::errors(subject)?),
        Kind::Strategy | Kind::Callback => {
            errors.extend(super::state::errors(subject)?);
            errors.extend(super::run::errors(subject)?);
        }
    }
    let bare: Vec<String> = errors
        .iter()
        .filter(|(_, error)| !says_something(error))
        .map(|(cause, error)| format!("for {cause}: \"{error}\""))
        .collect();
    if bare.is_empty() {
        return Ok(Outcome::noted(format!("{} errors", errors.len())));
    }
    let hint = "`Error::new` takes what was found and what is expected, `.help(…)` what to do";
    Err(Outcome::failed(bare.join("; "), "a message that says what is wrong", hint))
}
