//! Warnings, plugins, machine, config.

use std::fmt::Write as _;

use super::section as titled;
use crate::escape::escape;
use crate::run::{Machine, Run, What};

/// All that is text.
pub(super) fn section(run: &Run) -> String {
    let mut html = titled("warnings", "Warnings", &warnings(run));
    html += &titled("plugins", "Plugins", &plugins(run));
    html += &titled("machine", "Machine", &machine(run));
    let config =
        format!("<details open><summary>config.toml</summary><pre>{}</pre></details>\n", escape(&run.config));
    html + &titled("config", "Config", &config)
}

fn warnings(run: &Run) -> String {
    let mut html = String::new();
    for record in &run.history {
        let text = match &record.what {
            What::Warned { text } => text.clone(),
            What::CheckpointLost { name, reason } => {
                format!("checkpoint {name} could not be written: {reason}")
            }
            _ => continue,
        };
        let place = format!("epoch {}, step {}", record.epoch + 1, record.step);
        let _ = writeln!(html, "<li><span class=\"muted\">{place}</span> {}</li>", escape(&text));
    }
    if html.is_empty() { html } else { format!("<ul class=\"warnings card\">\n{html}</ul>\n") }
}

fn plugins(run: &Run) -> String {
    if run.plugins.is_empty() {
        return String::new();
    }
    let mut html = "<div class=\"card scroll\"><table><thead><tr><th>name</th><th>version</th><th>file</th>\
                    <th>SHA-256</th></tr></thead><tbody>\n"
        .to_owned();
    for plugin in &run.plugins {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td><code>{}</code></td><td><code>{}</code></td></tr>",
            escape(&plugin.name),
            escape(&plugin.version),
            escape(&plugin.path),
            escape(&plugin.sha256)
        );
    }
    html += "</tbody></table></div>\n";
    for swap in &run.swaps {
        let text = format!(
            "From epoch {} on {} ({} {}) replaces {}.",
            swap.epoch + 1,
            swap.id,
            swap.plugin,
            swap.version,
            swap.replaced
        );
        let _ = writeln!(html, "<p>{}</p>", escape(&text));
    }
    html
}

fn machine(run: &Run) -> String {
    let Some(started) = run.started() else { return String::new() };
    let mut rows = vec![
        ("thaw", started.thaw.clone()),
        ("libtorch", started.libtorch.clone()),
        ("device", started.device.clone()),
        ("machine", in_words(&started.machine)),
        ("data", started.data.clone()),
    ];
    let starts = run.history.iter().filter(|record| matches!(record.what, What::Started(_)));
    let starts: Vec<&str> = starts.filter_map(|record| record.time.as_deref()).collect();
    rows.push(("started", starts.join(", ")));
    let mut html = "<div class=\"card\"><table><tbody>\n".to_owned();
    for (name, value) in rows {
        let _ = writeln!(html, "<tr><th>{name}</th><td>{}</td></tr>", escape(&value));
    }
    html + "</tbody></table></div>\n"
}

fn in_words(machine: &Machine) -> String {
    let mut words = vec![format!("{} {}", machine.system, machine.architecture)];
    words.extend(machine.cpu.clone());
    words.extend(machine.cores.map(|cores| format!("{cores} cores")));
    words.extend(machine.threads.map(|threads| format!("{threads} threads for libtorch")));
    let gib = |bytes: u64| format!("{:.1} GiB of memory", bytes as f64 / f64::from(1 << 30));
    words.extend(machine.memory.map(gib));
    words.join(", ")
}
