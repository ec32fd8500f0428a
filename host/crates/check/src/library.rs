//! The file: that it loads, quietly and soon, and what it says of itself.

use std::time::{Duration, Instant};

use serde_json::Value;
use thaw_plugin_api::Error;
use thaw_plugin_api::abi::{Kind, Metadata, PluginRoot_Ref, contain, torch_versions};

use super::process_state::{Threads, bytes_moved, has_opened_cuda, time_waited};
use super::{Body, Check, Job, Outcome, Verdict};
use thaw_plugins::{LoadedPlugin, PluginFile, links_libtorch, root_and_metadata};

pub(super) const CHECKS: &[Check] = &[
    Check::new("loads", "the file is a whole library and all its symbols resolve", Body::File(loads)),
    Check::new(ROOT, "the library is a plugin of this major version of thaw-plugin-api", Body::File(root))
        .after("loads"),
    Check::new(
        "panic-unwinds",
        "a panic can be caught: the plugin is not built with panic = \"abort\"",
        Body::File(panic_unwinds),
    )
    .after(ROOT),
    Check::new(
        "libtorch",
        "a plugin of models was built for the host's libtorch and tch",
        Body::File(libtorch),
    )
    .after(ROOT),
    Check::new(
        "load-time",
        "opening the plugin and asking what it offers takes less than 100 ms",
        Body::File(load_time),
    )
    .after(ROOT),
    Check::new(
        "load-quiet",
        "opening the plugin starts no thread, moves no data and opens no GPU",
        Body::File(load_quiet),
    )
    .after(ROOT),
    Check::new(
        "metadata",
        "name, version, description and every id's description and keys are there",
        Body::File(metadata),
    )
    .after(ROOT),
    Check::new("ids-well-formed", "ids are made of a-z, 0-9 and -", Body::File(ids_well_formed)).after(ROOT),
    Check::new("ids-unique", "no id is there twice", Body::File(ids_unique)).after(ROOT),
    Check::new(
        "unknown-id",
        "an id that the plugin does not offer is an error that names it",
        Body::File(unknown_id),
    )
    .after(ROOT),
    Check::new("unknown-kind", "an id asked for as another kind is an error", Body::File(unknown_kind))
        .after(ROOT),
];

/// The check that asks what the plugin offers.
pub(super) const ROOT: &str = "plugin-root";
/// Where it leaves the answer.
pub(super) const METADATA: &str = "metadata.json";

/// What a scan of a folder can take for each plugin.
const LOAD_LIMIT: Duration = Duration::from_millis(100);
/// More than the loader reads of a library, less than any file worth reading.
const QUIET_BYTES: u64 = 64 << 10;

fn loads(job: &Job) -> Verdict {
    job.file.map(&job.file.path).map(|()| Outcome::passed()).map_err(|error| {
        let hint = "build it with `crate-type = [\"cdylib\"]` on this system; a symbol that is missing \
                    belongs to a library that was not linked, or to another libtorch";
        Outcome::failed(error.to_string(), "a library whose symbols all resolve when it is opened", hint)
    })
}

/// Opens the plugin as far as the check before needs it; a refusal is that check's.
fn open(file: &PluginFile) -> Result<(PluginRoot_Ref, Metadata), Outcome> {
    file.map(&file.path)
        .and_then(|()| root_and_metadata(&file.path, &file.opened))
        .map_err(|error| Outcome::skipped(error.to_string()))
}

fn root(job: &Job) -> Verdict {
    job.file.map(&job.file.path).map_err(|error| Outcome::skipped(error.to_string()))?;
    let (_, metadata) = root_and_metadata(&job.file.path, &job.file.opened).map_err(|error| {
        let hint = "name `export_plugin!(…)` once in the crate, and build it against a plugin-api of the \
                    host's major version";
        Outcome::failed(
            error.to_string(),
            format!("a plugin of thaw-plugin-api {}", thaw_plugin_api::VERSION),
            hint,
        )
    })?;
    let text = serde_json::to_string(&metadata).unwrap_or_default();
    job.leave_behind(METADATA, &text)?;
    match metadata.error {
        None => Ok(Outcome::passed()),
        Some(error) => Err(Outcome::failed(
            error,
            "what the file offers",
            "a schema that the author wrote panicked: mend `Config::schema`",
        )),
    }
}

fn panic_unwinds(job: &Job) -> Verdict {
    let (_, metadata) = open(&job.file)?;
    if metadata.panic_unwinds {
        return Ok(Outcome::passed());
    }
    Err(Outcome::failed(
        "panic = \"abort\"",
        "panic = \"unwind\"",
        "take `panic` out of the profile in Cargo.toml, and build again",
    ))
}

fn libtorch(job: &Job) -> Verdict {
    let (_, metadata) = open(&job.file)?;
    let Some(theirs) = metadata.torch else {
        let is_linked =
            links_libtorch(&job.file.opened).map_err(|error| Outcome::skipped(error.to_string()))?;
        let note = if is_linked {
            "no model; what uses libtorch compares its version when it asks for a tensor"
        } else {
            "the plugin does not use libtorch"
        };
        return Ok(Outcome::noted(note));
    };
    let ours = torch_versions();
    if theirs == ours {
        return Ok(Outcome::passed());
    }
    Err(Outcome::failed(
        theirs.to_string(),
        ours.to_string(),
        "build host and plugin with the same libtorch and tch",
    ))
}

fn load_time(job: &Job) -> Verdict {
    // From a disk that has not read it yet, any file takes its time.
    let _ = std::fs::read(&job.file.opened);
    let (started, waited) = (Instant::now(), time_waited());
    open(&job.file)?;
    let taken = started.elapsed().saturating_sub(time_waited().saturating_sub(waited));
    if taken < LOAD_LIMIT {
        return Ok(Outcome::noted(format!("{:.1} ms", taken.as_secs_f64() * 1e3)));
    }
    let found = format!("{:.0} ms", taken.as_secs_f64() * 1e3);
    let hint = "every command that lists plugins opens the file: work belongs into hooks, not into statics, \
                constructors and schemas";
    Err(Outcome::failed(found, format!("less than {} ms", LOAD_LIMIT.as_millis()), hint))
}

fn load_quiet(job: &Job) -> Verdict {
    let threads = Threads::now();
    let cuda = has_opened_cuda();
    let before = bytes_moved();
    let opened = open(&job.file)?;
    let after = bytes_moved();
    drop(opened);
    let mut found = Vec::new();
    if let Some(more) = threads.more() {
        found.push(format!("started threads: {more}"));
    }
    if has_opened_cuda() && !cuda {
        found.push("opened the GPU's driver".to_owned());
    }
    if let (Some(before), Some(after)) = (&before, &after) {
        let (read, written) =
            (after.read.saturating_sub(before.read), after.written.saturating_sub(before.written));
        if read > QUIET_BYTES {
            found.push(format!("read {read} bytes from files"));
        }
        if written > 0 {
            found.push(format!("wrote {written} bytes"));
        }
    }
    if std::fs::read_dir(&job.scratch)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| !is_ours(&entry.file_name().to_string_lossy()))
    {
        found.push("left files in the folder for temporary ones".to_owned());
    }
    if found.is_empty() {
        let note = if before.is_some() { "" } else { "this system does not count the bytes of a process" };
        return Ok(Outcome::noted(note));
    }
    let hint = "every command that lists plugins opens the file: put the work into `setup` or a later hook";
    Err(Outcome::failed(found.join("; "), "nothing but the code mapped", hint))
}

/// Files that the check itself lies in.
fn is_ours(name: &str) -> bool {
    ["txt", "json", "part"].iter().any(|ending| name.ends_with(&format!(".{ending}")))
}

fn metadata(job: &Job) -> Verdict {
    let (_, metadata) = open(&job.file)?;
    let mut missing = Vec::new();
    let mut bare = Vec::new();
    for (what, text) in [("name", &metadata.name), ("version", &metadata.version)] {
        if text.trim().is_empty() {
            missing.push(format!("the plugin's {what}"));
        }
    }
    if metadata.items.is_empty() {
        missing.push("any strategy, callback, model or data set".to_owned());
    }
    if metadata.description.trim().is_empty() {
        bare.push("the plugin's description".to_owned());
    }
    for item in &metadata.items {
        let name = format!("{} {}", item.kind, item.id);
        if item.schema.get("type").and_then(Value::as_str) != Some("object") {
            missing.push(format!("the schema of {name}, as a table"));
        }
        if item.description.trim().is_empty() {
            bare.push(format!("the description of {name}"));
        }
        let keys =
            thaw_plugins::parameters(&item.schema).into_iter().filter(|key| key.help.trim().is_empty());
        bare.extend(keys.map(|key| format!("the help of `{}` of {name}", key.key)));
    }
    if !missing.is_empty() {
        let hint = "`export_plugin!` takes them from Cargo.toml and from the derived `Config`";
        return Err(Outcome::failed(format!("missing: {}", missing.join(", ")), "all of them", hint));
    }
    if !bare.is_empty() {
        let hint = "`description` in Cargo.toml; doc comments on the struct and on its fields";
        return Err(Outcome::warning(
            format!("missing: {}", bare.join(", ")),
            "a text for users on each",
            hint,
        ));
    }
    Ok(Outcome::passed())
}

fn ids_well_formed(job: &Job) -> Verdict {
    let (_, metadata) = open(&job.file)?;
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let bad = metadata.items.iter().filter(|item| item.id.is_empty() || !item.id.chars().all(is_letter));
    let bad: Vec<String> = bad.map(|item| format!("{} `{}`", item.kind, item.id)).collect();
    if bad.is_empty() {
        return Ok(Outcome::passed());
    }
    Err(Outcome::failed(
        bad.join(", "),
        "ids of a-z, 0-9 and -",
        "change `const ID`: it is what run configs name",
    ))
}

fn ids_unique(job: &Job) -> Verdict {
    let (_, metadata) = open(&job.file)?;
    let mut twice = Vec::new();
    let mut clash = Vec::new();
    for (index, item) in metadata.items.iter().enumerate() {
        for other in metadata.items[..index].iter().filter(|other| other.id == item.id) {
            // Strategies and callbacks stand in one list, models and data sets in tables of their own.
            let is_alone = |kind: Kind| matches!(kind, Kind::Model | Kind::Dataset);
            let both = other.kind != item.kind && (is_alone(other.kind) || is_alone(item.kind));
            if both {
                clash.push(item.id.clone())
            } else {
                twice.push(format!("{} and {} `{}`", other.kind, item.kind, item.id))
            }
        }
    }
    if !twice.is_empty() {
        return Err(Outcome::failed(
            twice.join(", "),
            "each id once",
            "strategies and callbacks stand in one list of a run config",
        ));
    }
    if !clash.is_empty() {
        let hint = "it works, since models and data sets stand in tables of their own, but reads badly";
        return Err(Outcome::warning(
            format!("ids of two kinds: {}", clash.join(", ")),
            "each id once",
            hint,
        ));
    }
    Ok(Outcome::passed())
}

/// Asks for an id of a kind that is not there; gives what is wrong with the answer.
fn ask(root: PluginRoot_Ref, kind: &str, id: &str) -> Option<String> {
    let answer: Result<(), Error> = contain(|| match kind {
        "model" => Ok(root.create_model()(id.into(), "{}".into()).into_result().map(drop)?),
        "dataset" => {
            let create =
                root.create_dataset().ok_or_else(|| Error::new(format_args!("no dataset `{id}`")))?;
            Ok(create(id.into(), "{}".into()).into_result().map(drop)?)
        }
        _ => Ok(root.create()(kind.into(), id.into(), "{}".into()).into_result().map(drop)?),
    });
    match answer {
        Ok(()) => Some(format!("the {kind} `{id}` was made")),
        Err(error) if !error.to_string().contains(id) => {
            Some(format!("the error for the {kind} `{id}` does not name it: {error}"))
        }
        Err(_) => None,
    }
}

fn judge(wrong: Vec<String>, hint: &str) -> Verdict {
    if wrong.is_empty() {
        Ok(Outcome::passed())
    } else {
        Err(Outcome::failed(wrong.join("; "), "an error that names the id", hint))
    }
}

/// Opens the plugin so that it can be asked for ids.
fn accepted(job: &Job) -> Result<LoadedPlugin, Outcome> {
    LoadedPlugin::open_file(&job.file)
        .map_err(|error| Outcome::skipped(format!("the host refuses the plugin: {error}")))
}

fn unknown_id(job: &Job) -> Verdict {
    let plugin = accepted(job)?;
    let mut wrong = Vec::new();
    for item in &plugin.metadata().items {
        job.doing(&format!("asking for ids like `{}`", item.id));
        let kind = item.kind.to_string();
        for id in [
            format!("{}x1", item.id),
            item.id.to_uppercase(),
            "no-such-id".to_owned(),
            format!("{}\n", item.id),
        ] {
            if !plugin.offers(item.kind, &id) {
                wrong.extend(ask(plugin.root(), &kind, &id));
            }
        }
    }
    judge(wrong, "the plugin compares ids by itself: compare them whole, or leave it to `export_plugin!`")
}

fn unknown_kind(job: &Job) -> Verdict {
    let plugin = accepted(job)?;
    let mut wrong = Vec::new();
    for item in &plugin.metadata().items {
        job.doing(&format!("asking for `{}` as another kind", item.id));
        for kind in ["strategy", "callback", "model", "dataset", "optimizer", ""] {
            let offered = plugin
                .metadata()
                .items
                .iter()
                .any(|other| other.id == item.id && other.kind.to_string() == kind);
            if !offered {
                wrong.extend(ask(plugin.root(), kind, &item.id));
            }
        }
    }
    judge(wrong, "the plugin chooses by id alone: look at the kind, too, or leave it to `export_plugin!`")
}
