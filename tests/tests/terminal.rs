//! What a run shows on a terminal: `script` gives it one.
#![cfg(target_os = "linux")]

use std::process::Command;

use thaw_tests::{Finished, Run, case, host};

fn run() -> Run {
    Run::new(&format!(
        "{}[optimizer]\nid = \"adamw\"\nlr = 0.01\n[trainer]\nmax_epochs = 2\n",
        case("bb_steplr")
    ))
}

/// Trains on a terminal of so many columns.
fn fit_on_terminal(run: &Run, columns: usize, no_colour: &str) -> Finished {
    let fit = format!("stty cols {columns} rows 24; exec '{}' fit run.toml --run-dir run", host().display());
    let mut command = Command::new("script");
    command.args(["-qec", &fit, "/dev/null"]).current_dir(run.folder());
    command.env("OMP_NUM_THREADS", "1").env("CUDA_VISIBLE_DEVICES", "").env("TERM", "xterm");
    command.env("NO_COLOR", no_colour).stdin(std::process::Stdio::null());
    Finished::run(command)
}

/// Rows of the terminal as they were written, without colours: a row that is full goes on in the next one.
fn rows(text: &str, columns: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                let end = characters.find(|character| character.is_ascii_alphabetic());
                if end != Some('m') {
                    rows.push(String::new());
                }
            }
            '\r' | '\n' => rows.push(String::new()),
            other => {
                if rows.last().unwrap().chars().count() == columns {
                    rows.push(String::new());
                }
                rows.last_mut().unwrap().push(other);
            }
        }
    }
    rows
}

#[test]
fn a_terminal_shows_bars_that_fit_and_the_lines_that_pipes_get() {
    for columns in [80, 40] {
        let run = run();
        let finished = fit_on_terminal(&run, columns, "").succeeded();
        let rows = rows(&finished.stdout, columns);
        let bars: Vec<&String> = rows.iter().filter(|row| row.contains(['━', '╌'])).collect();
        assert!(bars.iter().any(|bar| bar.starts_with("epoch 1/2 ")), "{finished}");
        assert!(bars.iter().any(|bar| bar.starts_with("run ")), "{finished}");
        for bar in bars {
            assert!(bar.trim_end().chars().count() < columns, "{columns}: {bar}");
        }
        assert!(
            rows.iter().any(|row| row.starts_with("val_loss") || row.starts_with("val_acc")),
            "{finished}"
        );
        assert!(rows.iter().any(|row| row.contains(" samples/s") && row.contains("MiB")), "{finished}");
        // The foot stays when an epoch is over.
        let end = rows.iter().position(|row| row.starts_with("epoch   1/2")).unwrap();
        let next = rows[end..].iter().position(|row| row.starts_with("epoch 2/2 ")).unwrap();
        let stays = |row: &String| row.starts_with("epoch 1/2 ") && row.contains('━');
        assert!(rows[end..end + next].iter().any(stays), "{finished}");
        // No line of text is broken by the terminal but those to be copied, and what they say of paths.
        let is_whole = |row: &&String| row.trim_end().chars().count() < columns || row.contains('/');
        assert!(rows.iter().all(|row| is_whole(&row)), "{columns}: {rows:#?}");
        assert!(finished.stdout.contains("epoch   2/2  step"), "{finished}");
        let before = if columns == 40 { "\r\n    train_" } else { "  train_" };
        assert!(finished.stdout.contains(before), "{finished}");
        assert!(finished.stdout.contains("\u{1b}[36m"), "{finished}");
    }
}

#[test]
fn no_colours_where_none_are_wanted_and_no_bars_on_a_pipe() {
    let run = run();
    let finished = fit_on_terminal(&run, 80, "1").succeeded();
    assert!(!finished.stdout.contains("\u{1b}[36m") && finished.stdout.contains('╌'), "{finished}");
    let piped = Run::new(&std::fs::read_to_string(run.folder().join("run.toml")).unwrap());
    let finished = piped.fit(&[]).succeeded();
    assert!(!finished.stdout.contains(['━', '╌', '\u{1b}']), "{finished}");
    assert!(!finished.stderr.contains(['━', '╌', '\u{1b}']), "{finished}");
}
