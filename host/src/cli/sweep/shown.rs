//! What a sweep shows: a line for what happens, a table of what came of it.

use serde_json::{Map, Value, json};

use super::super::runs::{lines, object, print_all};
use crate::Error;
use crate::cli::print;
use crate::sweep::{End, Plan, Setting, SweepDir, Told, Trial, of_settings};
use crate::width;
use thaw_report::runs::Found;
use thaw_terminal::escape::{escape, excerpt};
use thaw_terminal::number;

/// What happened to a trial, in a line.
pub(super) fn line(dir: &SweepDir, plan: &Plan, index: usize, told: &Told<'_>) -> String {
    let trial = &plan.trials[index];
    let what = match told {
        Told::Started { resumed: false } => "begins".to_owned(),
        Told::Started { resumed: true } => "goes on from its last checkpoint".to_owned(),
        Told::Waits { process } => format!("still trains in process {process}, which is waited for"),
        Told::Stopping(verdict) => format!(
            "ends early: {} at best until epoch {}, worse than the median {} of {} trials",
            number(verdict.best),
            verdict.epoch + 1,
            number(verdict.median),
            verdict.others
        ),
        Told::Ended(End::Failed { code, error }) => {
            let code = code.map_or("ended by a signal".to_owned(), |code| format!("exit code {code}"));
            format!("failed ({code}): {}", excerpt(&escape(error)))
        }
        Told::Ended(end) => format!("{}{}", word(end), best(dir, trial)),
    };
    format!("trial {}/{}  {}  {what}", index + 1, plan.trials.len(), trial.name)
}

fn word(end: &End) -> &'static str {
    match end {
        End::Kept => "was done",
        End::Done => "done",
        End::EndedEarly => "ended early",
        End::Interrupted => "interrupted",
        End::Failed { .. } => "failed",
    }
}

fn best(dir: &SweepDir, trial: &Trial) -> String {
    let Ok(found) = Found::read(&dir.run_dir(&trial.name)) else { return String::new() };
    let (metric, _) = found.run.ranking();
    let best = found.run.best();
    best.map_or_else(String::new, |(epoch, value)| {
        format!(": {metric} {} in epoch {}", number(value), epoch + 1)
    })
}

/// The trials of a plan that is not carried out.
pub(super) fn plan(plan: &Plan, json: bool) -> Result<(), Error> {
    if json {
        return print(json!({ "trials": plan.trials }));
    }
    plan.trials.iter().try_for_each(|trial| print(format_args!("{}  {}", trial.name, trial.set().join(" "))))
}

/// The table of all trials, means over seeds, and the page that compares them.
pub(super) fn result(
    dir: &SweepDir,
    plan: &Plan,
    ends: &[Option<End>],
    json: bool,
    is_quiet: bool,
) -> Result<(), Error> {
    let read = |trial: &Trial| Found::read(&dir.shown().join(&trial.name)).ok();
    let read: Vec<Option<Found>> = plan.trials.iter().map(read).collect();
    let trials = || plan.trials.iter().zip(&read).filter_map(|(trial, found)| Some((trial, found.as_ref()?)));
    let pairs: Vec<(&Trial, &Found)> = trials().collect();
    let ranking = pairs.first().map(|(_, found)| found.run.ranking());
    let (metric, mode) = ranking.unwrap_or_else(|| ("val_loss".to_owned(), None));
    let settings = of_settings(&pairs, mode);
    let objects = json.then(|| objects(plan, ends, &read));
    let found: Vec<Found> = read.into_iter().flatten().collect();
    let page = match found.is_empty() {
        true => None,
        false => Some(thaw_report::write_comparison(&found, &dir.shown().join("comparison.html"))?),
    };
    if let Some(objects) = objects {
        return print(json!({
            "sweep": dir.shown().to_string_lossy(),
            "metric": metric,
            "trials": objects,
            "settings": settings.iter().map(of_setting).collect::<Vec<_>>(),
            "comparison": page.map(|page| page.to_string_lossy().into_owned()),
        }));
    }
    if found.is_empty() {
        return Ok(());
    }
    print_all(&found, None, false)?;
    if settings.iter().any(|setting| setting.values.len() > 1) {
        print("")?;
        table(&metric, &settings).into_iter().try_for_each(print)?;
    }
    match page {
        Some(page) if !is_quiet => print(page.display()),
        _ => Ok(()),
    }
}

/// Settings with mean and standard deviation over their seeds.
fn table(metric: &str, settings: &[Setting]) -> Vec<String> {
    let header = ["setting", "trials", "mean", "std"].map(str::to_owned);
    let row = |setting: &Setting| {
        let std = setting.std.map(number).unwrap_or_default();
        [setting.setting.join(" "), setting.values.len().to_string(), number(setting.mean), std]
    };
    let rows: Vec<[String; 4]> = std::iter::once(header).chain(settings.iter().map(row)).collect();
    std::iter::once(format!("best {metric} over seeds")).chain(lines(&rows, width::of_stdout())).collect()
}

fn of_setting(setting: &Setting) -> Value {
    json!({
        "setting": setting.setting,
        "trials": setting.values.len(),
        "mean": setting.mean,
        "std": setting.std,
    })
}

/// Trials as `host runs --json` has runs, with how they ended; of one that left no run, its name alone.
fn objects(plan: &Plan, ends: &[Option<End>], read: &[Option<Found>]) -> Vec<Value> {
    let of = |((trial, end), found): ((&Trial, &Option<End>), &Option<Found>)| {
        let mut value = match found {
            Some(found) => object(found, None, Map::new()),
            None => json!({ "name": trial.name }),
        };
        value["set"] = json!(trial.set());
        value["end"] = json!(end.as_ref().map(word));
        if let Some(End::Failed { error, .. }) = end {
            value["error"] = json!(error);
        }
        value
    };
    plan.trials.iter().zip(ends).zip(read).map(of).collect()
}
