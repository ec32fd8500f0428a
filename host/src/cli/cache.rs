//! `host cache`: what runs left for runs to come.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::Error;
use crate::cli::print;
use crate::error::io;
use thaw_data::{FeatureStore, StoredFeatures};
use thaw_terminal::aligned;

const TIME: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");

/// Arguments of `host cache`.
#[derive(Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Subcommand)]
enum CacheCommand {
    /// Lists what frozen stages gave, the last used first.
    List {
        /// Prints one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Removes it, or the entries that are named. Runs that use one go on with it.
    Clear {
        /// The beginnings of keys, as `host cache list` shows them.
        #[arg(value_name = "KEY")]
        keys: Vec<String>,
    },
}

/// Lists or clears the cache.
///
/// # Errors
/// The folder cannot be read or written, or no entry has a key that was given.
pub fn run(args: &CacheArgs) -> Result<(), Error> {
    let store = FeatureStore::of_user(0);
    let stored = store.list().map_err(io(store.folder()))?;
    match &args.command {
        CacheCommand::List { json: true } => print(Value::Array(stored.iter().map(object).collect())),
        CacheCommand::List { json: false } => list(&store, &stored),
        CacheCommand::Clear { keys } => clear(&store, stored, keys),
    }
}

fn list(store: &FeatureStore, stored: &[StoredFeatures]) -> Result<(), Error> {
    let folder = store.folder().display().to_string();
    if stored.is_empty() {
        return print(format_args!("{}: nothing", aligned::name(&folder)));
    }
    let header = ["key", "model", "after", "of", "samples", "MiB", "used"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(header).chain(stored.iter().map(row)).collect();
    super::runs::lines(&rows, crate::width::of_stdout()).into_iter().try_for_each(print)?;
    let bytes: u64 = stored.iter().map(|one| one.bytes).sum();
    print(format_args!("{} MiB in {}", mib(bytes), aligned::name(&folder)))
}

fn row(stored: &StoredFeatures) -> [String; 7] {
    let about = stored.about.clone();
    let is_torn = about.is_none();
    let about = about.unwrap_or_default();
    let of = if is_torn { "torn, or foreign".to_owned() } else { about.of };
    [
        aligned::name(&stored.key.chars().take(12).collect::<String>()).into_owned(),
        aligned::name(&about.model).into_owned(),
        aligned::name(&about.after).into_owned(),
        aligned::name(&of).into_owned(),
        if is_torn { String::new() } else { about.samples.to_string() },
        mib(stored.bytes),
        time(stored),
    ]
}

fn object(stored: &StoredFeatures) -> Value {
    json!({
        "key": stored.key, "bytes": stored.bytes, "used": time(stored),
        "about": stored.about,
    })
}

fn time(stored: &StoredFeatures) -> String {
    OffsetDateTime::from(stored.used).format(TIME).unwrap_or_default()
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

fn clear(store: &FeatureStore, stored: Vec<StoredFeatures>, keys: &[String]) -> Result<(), Error> {
    let is_named = |one: &StoredFeatures| keys.iter().any(|key| one.key.starts_with(key.as_str()));
    for key in keys {
        if key.is_empty() || !stored.iter().any(|one| one.key.starts_with(key.as_str())) {
            let key = key.clone();
            return Err(Error::CacheKey { key });
        }
    }
    let all = stored.len();
    let gone: Vec<StoredFeatures> =
        if keys.is_empty() { stored } else { stored.into_iter().filter(is_named).collect() };
    let bytes = store.remove(&gone).map_err(io(store.folder()))?;
    print(format_args!("removed {} of {all}, {} MiB", gone.len(), mib(bytes)))
}
