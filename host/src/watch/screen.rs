//! A run on the whole terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph, Wrap};

use super::text::{progress, rate, share};
use super::{Curve, Snapshot};
use thaw_report::number as short;
use thaw_terminal::{aligned, number, wrap, wrap_cells};

/// Keys and what they do, and in a word.
const KEYS: [(&str, &str); 5] = [
    ("←→ metric", "←→ metric"),
    ("s stop after this epoch", "s stop"),
    ("c checkpoint", "c save"),
    ("v validate", "v val"),
    ("q leave", "q quit"),
];
/// Below this width there is one column.
const WIDE: u16 = 70;

/// What the terminal shows.
pub(super) struct Screen {
    snapshot: Snapshot,
    /// Which curve is drawn.
    curve: usize,
    /// What is said below.
    said: String,
    /// Whether a stop waits for a `y`.
    asks_back: bool,
}

impl Screen {
    pub(super) fn of(snapshot: Snapshot) -> Self {
        Self { snapshot, curve: 0, said: String::new(), asks_back: false }
    }

    /// The run as it is now.
    pub(super) fn update(&mut self, snapshot: Snapshot) {
        self.snapshot = snapshot;
    }

    /// Says something below.
    pub(super) fn say(&mut self, text: String) {
        (self.said, self.asks_back) = (text, false);
    }

    /// Asks whether the run is to stop.
    pub(super) fn ask_back(&mut self) {
        self.said = "end the run after this epoch? y for yes, any other key for no".to_owned();
        self.asks_back = true;
    }

    pub(super) fn asks_back(&self) -> bool {
        self.asks_back
    }

    /// Goes to the next curve, or the one before.
    pub(super) fn turn(&mut self, by: isize) {
        let count = self.snapshot.curves.len().max(1) as isize;
        self.curve = (self.curve as isize + by).rem_euclid(count) as usize;
    }

    /// Draws everything.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let warnings = self.snapshot.events.len() + self.snapshot.warnings.len();
        let below = (warnings.min(4) as u16) + if warnings > 0 { 2 } else { 0 };
        let columns = usize::from(frame.area().width);
        let (head_lines, foot_lines) = (self.head(columns), self.foot(columns));
        let [head, middle, events, foot] = Layout::vertical([
            Constraint::Length(head_lines.len() as u16),
            Constraint::Min(6),
            Constraint::Length(below),
            Constraint::Length(foot_lines.len() as u16),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(head_lines), head);
        if middle.width >= WIDE {
            let [left, right] =
                Layout::horizontal([Constraint::Min(30), Constraint::Length(34)]).areas(middle);
            self.chart(frame, left);
            self.thaw(frame, right);
        } else {
            let [upper, lower] =
                Layout::vertical([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(middle);
            self.chart(frame, upper);
            self.thaw(frame, lower);
        }
        self.events(frame, events);
        frame.render_widget(Paragraph::new(foot_lines), foot);
    }

    /// What is said, and the keys.
    fn foot(&self, columns: usize) -> Vec<Line<'static>> {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let said = wrap(&self.said, columns, 2);
        let said = said.split('\n').map(|line| Line::styled(line.to_owned(), bold));
        said.chain(keys(columns).into_iter().map(Line::from)).collect()
    }

    /// Name, state, best epoch and how far the run is, in two lines or as many as it takes.
    fn head(&self, columns: usize) -> Vec<Line<'static>> {
        let best = self
            .snapshot
            .best
            .as_ref()
            .map(|(metric, epoch, value)| format!("best {metric} {} in epoch {epoch}", number(*value)));
        let mut state = vec![aligned::fit(&self.snapshot.state, columns)];
        state.extend(best);
        let name = Span::styled(self.snapshot.name.clone(), Style::new().add_modifier(Modifier::BOLD));
        let one = format!("   {}", state.join("   "));
        let progress = Line::from(progress(&self.snapshot));
        if aligned::width(&self.snapshot.name) + aligned::width(&one) <= columns {
            return vec![Line::from(vec![name, Span::raw(one)]), progress];
        }
        let state = state.into_iter().map(Line::from);
        std::iter::once(Line::from(name)).chain(state).chain([progress]).collect()
    }

    fn chart(&self, frame: &mut Frame<'_>, area: Rect) {
        let Some(curve) = self.snapshot.curves.get(self.curve) else {
            let text = "no epoch is over yet: curves come with the first one";
            let waits = Paragraph::new(text).wrap(Wrap { trim: true }).block(Block::bordered());
            return frame.render_widget(waits, area);
        };
        let (train, val) = (finite(&curve.train), finite(&curve.val));
        let title = format!(" {} ", title(curve));
        let (x, y) =
            (ends(train.iter().chain(&val), |point| point.0), ends(train.iter().chain(&val), |p| p.1));
        let [x, y] = [x, y].map(|(low, high)| match high > low {
            true => [low, high],
            false => [low - 0.5, high + 0.5],
        });
        let side = |name, points, colour| {
            Dataset::default()
                .name(name)
                .marker(Marker::Braille)
                .graph_type(GraphType::Line)
                .style(Style::new().fg(colour))
                .data(points)
        };
        let mut sides = vec![side("training", &train[..], Color::Blue)];
        if !val.is_empty() {
            sides.push(side("validation", &val[..], Color::Yellow));
        }
        let labels = |ends: [f64; 2]| ends.map(short);
        let chart = Chart::new(sides)
            .block(Block::bordered().title(title))
            .x_axis(Axis::default().title(curve.by).bounds(x).labels(labels(x)))
            .y_axis(Axis::default().bounds(y).labels(labels(y)));
        frame.render_widget(chart, area);
    }

    fn thaw(&self, frame: &mut Frame<'_>, area: Rect) {
        let group = |(name, lr): &(String, Option<f64>)| Line::from(format!("{name}  {}", rate(*lr)));
        let mut lines: Vec<Line<'_>> = self.snapshot.groups.iter().map(group).collect();
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        // From the top, as the report has it.
        for part in self.snapshot.parts.iter().rev() {
            let (mark, colour) = match part.trains {
                (0, _) => ("░", Color::DarkGray),
                (trains, all) if trains == all => ("█", Color::Blue),
                _ => ("▒", Color::Blue),
            };
            let mark = Span::styled(format!("{mark} "), Style::new().fg(colour));
            let share = share(part);
            let room = usize::from(area.width).saturating_sub(6 + aligned::width(&share));
            let text = format!("{}  {share}", aligned::fit(&part.path, room));
            lines.push(Line::from(vec![mark, Span::raw(text)]));
        }
        frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" what trains ")), area);
    }

    fn events(&self, frame: &mut Frame<'_>, area: Rect) {
        if area.height < 3 {
            return;
        }
        let fit = |text: &String| aligned::fit(text, usize::from(area.width).saturating_sub(2));
        let warnings = self.snapshot.warnings.iter().map(|text| Line::styled(fit(text), Color::Yellow));
        let events = self.snapshot.events.iter().map(|text| Line::from(fit(text)));
        let all: Vec<Line<'_>> = events.chain(warnings).collect();
        let room = usize::from(area.height) - 2;
        let newest = all[all.len().saturating_sub(room)..].to_vec();
        let count = self.snapshot.warnings.len();
        let title = format!(" {count} {} ", if count == 1 { "warning" } else { "warnings" });
        frame.render_widget(Paragraph::new(newest).block(Block::bordered().title(title)), area);
    }
}

/// What keys do, in as many lines as it takes: in a word each where a line has no room for more.
fn keys(columns: usize) -> Vec<String> {
    let whole = KEYS.map(|(whole, _)| whole).join("   ");
    if aligned::width(&whole) <= columns {
        return vec![whole];
    }
    let short = KEYS.map(|(_, short)| short.to_owned());
    wrap_cells(&short, columns, 0).lines().map(str::to_owned).collect()
}

/// A curve with its last values.
fn title(curve: &Curve) -> String {
    let last = |name: &str, points: &[(f64, f64)]| {
        points.last().map(|(_, value)| format!("  {name} {}", number(*value))).unwrap_or_default()
    };
    format!("{}{}{}", curve.name, last("training", &curve.train), last("validation", &curve.val))
}

fn finite(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    points.iter().copied().filter(|(_, value)| value.is_finite()).collect()
}

fn ends<'p>(points: impl Iterator<Item = &'p (f64, f64)>, of: fn(&(f64, f64)) -> f64) -> (f64, f64) {
    points
        .map(of)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::watch::Part;

    fn snapshot() -> Snapshot {
        let points = |values: &[f64]| -> Vec<(f64, f64)> {
            values.iter().enumerate().map(|(epoch, value)| (epoch as f64 + 1.0, *value)).collect()
        };
        let curve = |name: &str, train: &[f64], val: &[f64]| Curve {
            name: name.to_owned(),
            by: "epoch",
            train: points(train),
            val: points(val),
        };
        Snapshot {
            name: "first".to_owned(),
            state: "running".to_owned(),
            is_live: true,
            epochs: (3, Some(20)),
            step: 120,
            seconds: Some(80.0),
            best: Some(("val_loss".to_owned(), 2, 0.25)),
            curves: vec![
                curve("loss", &[0.9, f64::NAN, 0.3], &[0.8, 0.25, 0.35]),
                curve("acc", &[0.5, 0.7, 0.8], &[]),
            ],
            groups: vec![("head".to_owned(), Some(1e-3))],
            parts: vec![
                Part { path: "backbone".to_owned(), trains: (0, 10) },
                Part { path: "head".to_owned(), trains: (2, 2) },
            ],
            events: vec!["epoch 2: asked for: validate".to_owned()],
            warnings: vec!["epoch 1: something is odd".to_owned()],
        }
    }

    fn drawn(screen: &Screen, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn everything_there_is_to_see_is_on_a_screen_of_80_columns() {
        let mut screen = Screen::of(snapshot());
        let text = drawn(&screen, 80, 24);
        for expected in [
            "first   running   best val_loss 0.2500 in epoch 2",
            "3 of 20 epochs, step 120, 1 min 20 s",
            "loss  training 0.3000  validation 0.3500",
            "head  1.000e-3",
            "█ head  all",
            "░ backbone  frozen",
            "epoch 2: asked for: validate",
            "epoch 1: something is odd",
            "s stop after this epoch",
            " 1 warning ",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
        screen.turn(1);
        assert!(drawn(&screen, 80, 24).contains("acc  training 0.8000"));
        screen.turn(1);
        assert!(drawn(&screen, 80, 24).contains("loss  training"));
        screen.ask_back();
        assert!(screen.asks_back() && drawn(&screen, 80, 24).contains("y for yes"));
        screen.say("the run ends after epoch 4".to_owned());
        assert!(!screen.asks_back() && drawn(&screen, 80, 24).contains("the run ends after epoch 4"));
    }

    #[test]
    fn any_size_and_a_run_that_has_just_begun_can_be_drawn() {
        let narrow = drawn(&Screen::of(snapshot()), 40, 24);
        for expected in ["best val_loss 0.2500 in epoch 2", "3 of 20 epochs, step 120", "q quit"] {
            assert!(narrow.contains(expected), "{expected} in\n{narrow}");
        }
        for (width, height) in [(40, 20), (20, 8), (1, 1), (200, 60)] {
            drawn(&Screen::of(snapshot()), width, height);
            let keys = super::keys(width.into());
            assert!(keys.iter().all(|line| aligned::width(line) <= usize::from(width).max(9)), "{keys:?}");
            let text = drawn(&Screen::of(Snapshot::default()), width, height);
            assert!(width < 40 || text.contains("curves come"), "{text}");
        }
        let one = Snapshot {
            curves: vec![Curve { train: vec![(1.0, 0.5)], by: "epoch", ..Curve::default() }],
            ..snapshot()
        };
        drawn(&Screen::of(one), 80, 24);
    }
}
