//! `tracing` events of a plugin reach the host's subscriber: each plugin has its own copy of `tracing`'s
//! statics, so a small subscriber forwards level, target and text.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use abi_stable::StableAbi;
use abi_stable::std_types::RStr;
use tracing::field::{Field, Visit};
use tracing::metadata::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// The host's log. Levels: 1 error … 5 trace; 0 is off.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = RawLog_Ref)))]
pub struct RawLog {
    /// The most detailed level anybody listens to.
    pub max_level: extern "C" fn() -> u8,
    /// Whether a plugin's events of this level and target are listened to.
    pub enabled: extern "C" fn(u64, u8, RStr<'_>) -> bool,
    /// An event: plugin, level, target, text.
    #[sabi(last_prefix_field)]
    pub event: extern "C" fn(u64, u8, RStr<'_>, RStr<'_>),
}

/// Sends this plugin's events to the host. A second call changes nothing.
pub fn install(log: RawLog_Ref, plugin: u64) {
    // An error means that the plugin set a subscriber of its own: that is then its author's choice.
    let _ = tracing::subscriber::set_global_default(subscriber(log, plugin));
}

/// The subscriber that sends events to a host's log.
pub fn subscriber(log: RawLog_Ref, plugin: u64) -> impl Subscriber {
    Forwarder { log, plugin }
}

struct Forwarder {
    log: RawLog_Ref,
    plugin: u64,
}

thread_local! {
    /// Names of the spans entered on this thread, with their fields.
    static SPANS: RefCell<Vec<(u64, String)>> = const { RefCell::new(Vec::new()) };
    static KNOWN: RefCell<Vec<(u64, String)>> = const { RefCell::new(Vec::new()) };
}

fn number(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Subscriber for Forwarder {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.log.enabled()(self.plugin, number(metadata.level()), metadata.target().into())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.log.max_level()() {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = String::new();
        SPANS.with_borrow(|spans| {
            for (_, name) in spans {
                let _ = write!(text, "{name}: ");
            }
        });
        event.record(&mut Text(&mut text));
        let metadata = event.metadata();
        self.log.event()(
            self.plugin,
            number(metadata.level()),
            metadata.target().into(),
            text.as_str().into(),
        );
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut name = attributes.metadata().name().to_owned();
        let mut fields = String::new();
        attributes.record(&mut Text(&mut fields));
        if !fields.is_empty() {
            let _ = write!(name, "{{{fields}}}");
        }
        KNOWN.with_borrow_mut(|known| {
            let id = known.iter().map(|(id, _)| id + 1).max().unwrap_or(1);
            known.push((id, name));
            Id::from_u64(id)
        })
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, span: &Id) {
        let name = KNOWN.with_borrow(|known| known.iter().find(|(id, _)| *id == span.into_u64()).cloned());
        SPANS.with_borrow_mut(|spans| spans.extend(name));
    }

    fn exit(&self, span: &Id) {
        SPANS.with_borrow_mut(|spans| {
            if let Some(last) = spans.iter().rposition(|(id, _)| *id == span.into_u64()) {
                spans.remove(last);
            }
        });
    }

    fn try_close(&self, span: Id) -> bool {
        KNOWN.with_borrow_mut(|known| known.retain(|(id, _)| *id != span.into_u64()));
        true
    }
}

/// Renders an event: the message first, then `name=value`.
struct Text<'t>(&'t mut String);

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"))
        } else {
            self.record_debug(field, &value)
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !self.0.is_empty() && !self.0.ends_with(": ") {
            self.0.push(' ');
        }
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, "{name}={value:?}"),
        };
    }
}
