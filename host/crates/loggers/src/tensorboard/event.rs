//! Events: `tensorboard.Event` of TensorBoard's `event.proto` and `summary.proto`.

use super::histogram::Histogram;
use super::message::Message;
use crate::Picture;

/// Numbers of an event's fields.
const WALL_TIME: u32 = 1;
const STEP: u32 = 2;
const FILE_VERSION: u32 = 3;
const SUMMARY: u32 = 5;
const SESSION_LOG: u32 = 7;

/// Numbers of a summary value's fields.
const TAG: u32 = 1;
const SIMPLE_VALUE: u32 = 2;
const IMAGE: u32 = 4;
const HISTOGRAM: u32 = 5;
const TENSOR: u32 = 8;
const METADATA: u32 = 9;

/// `SessionLog.START`.
const START: u64 = 1;
/// `DT_STRING`.
const STRING: u64 = 7;

/// Colour space of pictures: red, green and blue.
const RGB: u64 = 3;

/// An event that can be written.
pub(super) struct Event(pub(super) Message);

impl Event {
    /// The first event of a file. `time` is in seconds since 1970, here and below.
    pub(super) fn version(time: f64) -> Self {
        Self(begin(time, 0).text(FILE_VERSION, "brain.Event:2"))
    }

    /// Takes back all events of this step and later ones that were written before, in other files as well.
    pub(super) fn purge(time: f64, step: usize) -> Self {
        let log = Message::new().int(1, START);
        Self(begin(time, step).message(SESSION_LOG, &log))
    }

    /// A scalar, in float32.
    pub(super) fn scalar(time: f64, step: usize, tag: &str, value: f64) -> Self {
        let value = Message::new().text(TAG, tag).float(SIMPLE_VALUE, value as f32);
        Self::summary(time, step, &value)
    }

    /// How values are distributed.
    pub(super) fn histogram(time: f64, step: usize, tag: &str, histogram: &Histogram) -> Self {
        let Histogram { min, max, count, sum, sum_of_squares, limits, counts } = histogram;
        let numbers = [(1, min), (2, max), (3, count), (4, sum), (5, sum_of_squares)];
        let message = numbers.into_iter().filter(|(_, value)| value.to_bits() != 0);
        let message = message.fold(Message::new(), |message, (field, value)| message.double(field, *value));
        let message = message.bytes_of(6, &packed(limits)).bytes_of(7, &packed(counts));
        Self::summary(time, step, &Message::new().text(TAG, tag).message(HISTOGRAM, &message))
    }

    /// A picture.
    pub(super) fn picture(time: f64, step: usize, tag: &str, picture: &Picture<'_>) -> Self {
        let size = Message::new().int(1, picture.height.into()).int(2, picture.width.into());
        let message = size.int(3, RGB).bytes_of(4, picture.jpeg);
        Self::summary(time, step, &Message::new().text(TAG, tag).message(IMAGE, &message))
    }

    /// A text in Markdown.
    pub(super) fn text(time: f64, step: usize, tag: &str, text: &str) -> Self {
        let size = Message::new().message(2, &Message::new().int(1, 1));
        let tensor = Message::new().int(1, STRING).message(2, &size).text(8, text);
        Self::of_plugin(time, step, &format!("{tag}/text_summary"), &tensor, "text", &[])
    }

    /// What a plugin of TensorBoard's reads: a tensor, and content that only it knows.
    pub(super) fn of_plugin(
        time: f64,
        step: usize,
        tag: &str,
        tensor: &Message,
        plugin: &str,
        content: &[u8],
    ) -> Self {
        let mut data = Message::new().text(1, plugin);
        if !content.is_empty() {
            data = data.bytes_of(2, content);
        }
        let metadata = Message::new().message(1, &data);
        let value = Message::new().text(TAG, tag).message(TENSOR, tensor).message(METADATA, &metadata);
        Self::summary(time, step, &value)
    }

    fn summary(time: f64, step: usize, value: &Message) -> Self {
        Self(begin(time, step).message(SUMMARY, &Message::new().message(1, value)))
    }
}

/// Numbers one after the other.
fn packed(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn begin(time: f64, step: usize) -> Message {
    let message = Message::new().double(WALL_TIME, time);
    if step == 0 { message } else { message.int(STEP, step as u64) }
}
