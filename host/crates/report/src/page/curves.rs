//! Curves of metrics, rates, speed and memory.

use super::{colour, section as titled};
use crate::chart::{Line, LineChart, Mark, Part, Stacked};
use crate::run::{EpochTime, Run, epoch_times};

/// Metrics and rates.
pub(super) fn section(run: &Run) -> String {
    let mut charts: Vec<String> = families(run).iter().map(|family| of_family(run, family)).collect();
    charts.extend(of_batches(run));
    charts.push(rates(run));
    grid("curves", "Curves", &charts)
}

/// What epochs took, how fast they were, and the memory.
pub(super) fn time_section(run: &Run) -> String {
    let times = epoch_times(run);
    let speed = line_of(&times, "samples/s", EpochTime::samples_per_second);
    let gib = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / f64::from(1 << 30));
    let memory = line_of(&times, "process", |time| gib(time.memory));
    let mut gpu = line_of(&times, "GPU, at most so far", |time| gib(time.gpu_memory));
    gpu.class = "c1".to_owned();
    let memory = [memory, gpu].into_iter().filter(|line| !line.points.is_empty()).collect();
    let chart = |title, lines| LineChart { title, x_label: "epoch", lines, marks: Vec::new() }.draw();
    let charts = [time(&times), chart("samples/s of training", vec![speed]), chart("memory, GiB", memory)];
    grid("time", "Time", &charts)
}

fn grid(id: &str, title: &str, charts: &[String]) -> String {
    let charts = charts.concat();
    let inside = if charts.is_empty() { charts } else { format!("<div class=\"grid\">\n{charts}</div>\n") };
    titled(id, title, &inside)
}

/// Metrics without what says whether they are of training or of validation, `loss` first.
fn families(run: &Run) -> Vec<String> {
    let mut families: Vec<String> = Vec::new();
    // Which stages were left out stands in the thaw chart.
    for name in run.epoch_metrics().into_iter().filter(|name| !name.ends_with("frozen_cache")) {
        let family = name.strip_prefix("train_").or_else(|| name.strip_prefix("val_")).unwrap_or(name);
        if families.iter().all(|known| known != family) {
            families.push(family.to_owned());
        }
    }
    families.sort_by_key(|family| match family.as_str() {
        "loss" => 0,
        "acc" => 1,
        _ => 2,
    });
    families
}

fn of_family(run: &Run, family: &str) -> String {
    let names = [format!("train_{family}"), format!("val_{family}"), family.to_owned()];
    let line = |(index, name): (usize, String)| {
        let values = run.of_epochs(&name).into_iter();
        let points = values.map(|(epoch, value)| (epoch as f64 + 1.0, value)).collect();
        Line { name, class: format!("c{index}"), points }
    };
    let lines: Vec<Line> =
        names.into_iter().enumerate().map(line).filter(|line| !line.points.is_empty()).collect();
    let title = match lines.as_slice() {
        [alone] => alone.name.clone(),
        _ => family.to_owned(),
    };
    LineChart { title: &title, x_label: "epoch", lines, marks: swaps(run) }.draw()
}

fn swaps(run: &Run) -> Vec<Mark> {
    let mark = |swap: &crate::run::SwapRecord| Mark {
        x: swap.epoch as f64 + 1.0,
        text: format!("{} replaces {}", swap.id, swap.replaced),
    };
    run.swaps.iter().filter(|swap| swap.epoch < run.epochs()).map(mark).collect()
}

/// A chart of each metric that single batches have.
fn of_batches(run: &Run) -> Vec<String> {
    let mut lines: Vec<Line> = Vec::new();
    for record in run.metrics.iter().filter(|record| record.batch.is_some()) {
        for (name, value) in record.values.iter().filter(|(name, _)| !name.starts_with("lr-")) {
            let point = (record.step as f64, *value);
            match lines.iter_mut().find(|line| line.name == *name) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { name: name.clone(), class: "c0".to_owned(), points: vec![point] }),
            }
        }
    }
    let chart = |line: Line| {
        let title = line.name.clone();
        LineChart { title: &title, x_label: "step", lines: vec![line], marks: Vec::new() }.draw()
    };
    lines.into_iter().map(chart).collect()
}

/// Rates of each group: by step where batches are recorded, else by epoch.
fn rates(run: &Run) -> String {
    let by_batch = run.metrics.iter().any(|record| record.batch.is_some());
    let mut lines: Vec<Line> = Vec::new();
    for record in run.metrics.iter().filter(|record| record.batch.is_some() == by_batch) {
        let x = if by_batch { record.step as f64 } else { record.epoch as f64 + 1.0 };
        for (name, value) in &record.values {
            let Some(group) = name.strip_prefix("lr-") else { continue };
            let line = match lines.iter().position(|line| line.name == group) {
                Some(place) => &mut lines[place],
                None => {
                    lines.push(Line { name: group.to_owned(), class: String::new(), points: Vec::new() });
                    let last = lines.len() - 1;
                    &mut lines[last]
                }
            };
            line.points.push((x, *value));
        }
    }
    let count = lines.len();
    lines.iter_mut().enumerate().for_each(|(index, line)| line.class = colour(index, count));
    let title = match lines.as_slice() {
        [alone] => format!("rate of {}", alone.name),
        _ => "rates by group".to_owned(),
    };
    let x_label = if by_batch { "step" } else { "epoch" };
    LineChart { title: &title, x_label, lines, marks: Vec::new() }.draw()
}

fn line_of(times: &[EpochTime], name: &str, value: impl Fn(&EpochTime) -> Option<f64>) -> Line {
    let point = |time: &EpochTime| Some((time.epoch as f64 + 1.0, value(time)?));
    Line { name: name.to_owned(), class: "c0".to_owned(), points: times.iter().filter_map(point).collect() }
}

fn time(times: &[EpochTime]) -> String {
    let part = |name: &str, class: &str, value: fn(&EpochTime) -> f64| Part {
        name: name.to_owned(),
        class: class.to_owned(),
        values: times.iter().map(value).collect(),
    };
    let is_told_apart = times.iter().any(|time| time.samples.is_some());
    let is_split = times.iter().any(|time| time.spent.is_some());
    let parts = if is_split {
        fn spent(time: &EpochTime) -> [f64; 4] {
            time.spent.unwrap_or_default()
        }
        vec![
            part("data", "c0", |time| spent(time)[0]),
            part("forward", "c1", |time| spent(time)[1]),
            part("backward", "c2", |time| spent(time)[2]),
            part("optimizer", "c3", |time| spent(time)[3]),
            part("records and loggers", "c4", |time| time.loggers),
            part("rest of training", "c5", |time| {
                (time.training - spent(time).iter().sum::<f64>() - time.loggers).max(0.0)
            }),
            part("validation", "c6", |time| time.validation),
            part("checkpoints", "c7", |time| time.checkpoints),
        ]
    } else if is_told_apart {
        vec![
            part("training", "c0", |time| time.training),
            part("validation", "c1", |time| time.validation),
            part("checkpoints", "c2", |time| time.checkpoints),
        ]
    } else {
        vec![part("all of it", "c0", |time| time.training)]
    };
    let epochs = times.iter().map(|time| time.epoch as f64 + 1.0).collect();
    Stacked { title: "seconds per epoch", epochs, parts }.draw()
}
