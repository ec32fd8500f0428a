//! `host watch`: a live run, or one that is over, on the terminal, from its records.

mod screen;
mod snapshot;
mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use screen::Screen;
pub use snapshot::{Curve, Part, Snapshot};
pub use text::text;
use thaw_report::{ReportError, Run};
use thaw_train::ask::{Ask, AskAnswer, AskError, ask};
use thaw_train::mailbox::Unanswered;
use thaw_train::run_dir::{GROUPS, HISTORY, METRICS};

/// Time between two looks at keys.
const LOOK: Duration = Duration::from_millis(200);
/// Time between two looks at a run whose records have not grown: it may have ended without a word.
const LOOK_ANYWAY: Duration = Duration::from_secs(2);

/// Why nothing is watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The records.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The terminal.
    #[error("the terminal: {0}; without one, `host watch --once` prints the same as text")]
    Terminal(#[from] std::io::Error),
}

/// Shows a run until the user has seen enough.
///
/// # Errors
/// The folder is no run directory, or the terminal fails.
pub fn watch(run_dir: &Path, words: fn(&AskAnswer) -> String) -> Result<(), WatchError> {
    let mut watching = Watching::of(run_dir, words)?;
    let mut terminal = ratatui::try_init()?;
    let result = watching.show(&mut terminal);
    ratatui::restore();
    result
}

/// A run that is watched.
struct Watching {
    run_dir: PathBuf,
    screen: Screen,
    /// Lengths of the records at the last look, and when that was.
    seen: ([u64; 3], Instant),
    answers: (Sender<String>, Receiver<String>),
    words: fn(&AskAnswer) -> String,
}

impl Watching {
    fn of(run_dir: &Path, words: fn(&AskAnswer) -> String) -> Result<Self, WatchError> {
        let seen = (lengths(run_dir), Instant::now());
        let screen = Screen::of(Snapshot::of(&Run::read(run_dir)?));
        Ok(Self { run_dir: run_dir.to_path_buf(), screen, seen, answers: channel(), words })
    }

    fn show(&mut self, terminal: &mut DefaultTerminal) -> Result<(), WatchError> {
        loop {
            terminal.draw(|frame| self.screen.draw(frame))?;
            if event::poll(LOOK)?
                && let Event::Key(key) = event::read()?
                && key.kind == KeyEventKind::Press
                && self.press(key)
            {
                return Ok(());
            }
            if let Ok(answer) = self.answers.1.try_recv() {
                self.screen.say(answer);
            }
            self.look()?;
        }
    }

    /// Reads the records anew where they have grown.
    fn look(&mut self) -> Result<(), WatchError> {
        let now = lengths(&self.run_dir);
        let (before, at) = self.seen;
        if now == before && at.elapsed() < LOOK_ANYWAY {
            return Ok(());
        }
        self.seen = (now, Instant::now());
        self.screen.update(Snapshot::of(&Run::read(&self.run_dir)?));
        Ok(())
    }

    /// Does what a key is for; true where it ends the watching.
    fn press(&mut self, key: KeyEvent) -> bool {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, self.screen.asks_back()) {
            (KeyCode::Char('c'), _) if is_control => return true,
            (KeyCode::Char('y'), true) => {
                self.screen.say("asked for the end of the run".to_owned());
                self.ask(Ask::Stop { reason: "asked for in `host watch`".to_owned() });
            }
            (_, true) => self.screen.say("the run goes on".to_owned()),
            (KeyCode::Char('q') | KeyCode::Esc, false) => return true,
            (KeyCode::Char('s'), false) => self.screen.ask_back(),
            (KeyCode::Char('c'), false) => {
                self.screen.say("asked for a checkpoint".to_owned());
                self.ask(Ask::Checkpoint { name: None });
            }
            (KeyCode::Char('v'), false) => {
                self.screen.say("asked for a validation".to_owned());
                self.ask(Ask::Validate);
            }
            (KeyCode::Right | KeyCode::Tab, false) => self.screen.turn(1),
            (KeyCode::Left | KeyCode::BackTab, false) => self.screen.turn(-1),
            _ => {}
        }
        false
    }

    /// Asks the run on a thread of its own, which waits for the answer.
    fn ask(&self, what: Ask) {
        let (run_dir, answers, words) = (self.run_dir.clone(), self.answers.0.clone(), self.words);
        std::thread::spawn(move || {
            let answer = match ask(&run_dir, what, None, |_| (), || false) {
                Ok(answer) => words(&answer),
                Err(AskError::Unanswered(Unanswered::NotLive { .. })) => {
                    "the run is not live: nothing can be asked of it".to_owned()
                }
                Err(error) => error.to_string(),
            };
            // Nobody may watch any more.
            let _ = answers.send(answer);
        });
    }
}

fn lengths(run_dir: &Path) -> [u64; 3] {
    [METRICS, GROUPS, HISTORY].map(|name| fs::metadata(run_dir.join(name)).map_or(0, |file| file.len()))
}
