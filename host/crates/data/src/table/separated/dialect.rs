//! Which separator a file has, and what its quotes are.

use super::{Column, Header};

/// How a file separates and quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) separator: u8,
    pub(super) quotes: Quotes,
    /// Lines before the first record: Excel's `sep=;`.
    pub(super) skipped_lines: u64,
    start: usize,
}

/// What a quote at the start of a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// It encloses the field, separators and line ends included; two of them inside are one.
    Enclose,
    /// A character like any other, as in the tables of GLUE.
    Plain,
}

const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

impl Dialect {
    /// Looks at a file whose separator usually is `usual`: another one is taken where the first line then has
    /// the wanted columns.
    pub(super) fn of(text: &str, usual: u8, wanted: &[Column<'_>], header: Header) -> Dialect {
        let mut dialect = Dialect { separator: usual, quotes: Quotes::Enclose, skipped_lines: 0, start: 0 };
        if let Some((separator, start)) = excel_hint(text) {
            dialect = Dialect { separator, skipped_lines: 1, start, ..dialect };
        } else {
            let candidates = std::iter::once(usual).chain(SEPARATORS);
            let fits = |separator: &u8| has_columns(text, *separator, wanted, header);
            dialect.separator = candidates.into_iter().find(fits).unwrap_or(usual);
        }
        if dialect.separator == b'\t' {
            dialect.quotes = quotes_between_tabs(dialect.body(text));
        }
        dialect
    }

    /// The text without the lines before the first record.
    pub(super) fn body<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..]
    }

    /// The line of the quote that encloses the rest of the file.
    pub(super) fn unclosed_quote(&self, text: &str) -> Option<u64> {
        match self.quotes {
            Quotes::Plain => None,
            Quotes::Enclose => {
                let scan = Scan::of(self.body(text).as_bytes(), self.separator);
                scan.unclosed.map(|line| line + self.skipped_lines)
            }
        }
    }
}

/// The separator that a first line `sep=;` names, and where the next line starts.
fn excel_hint(text: &str) -> Option<(u8, usize)> {
    let end = text.find('\n')?;
    let first = text[..end].trim_end_matches('\r').trim_matches('"');
    let separator = first.strip_prefix("sep=").or_else(|| first.strip_prefix("SEP="))?;
    match *separator.as_bytes() {
        [separator] => Some((separator, end + 1)),
        _ => None,
    }
}

/// Whether the first record has what is needed, under a separator.
fn has_columns(text: &str, separator: u8, wanted: &[Column<'_>], header: Header) -> bool {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).has_headers(false).from_reader(text.as_bytes());
    let Some(Ok(first)) = reader.records().next() else { return false };
    let required = || wanted.iter().filter(|column| column.required);
    let named = required().all(|column| first.iter().any(|name| name.trim() == column.name));
    // A single column has no separator to be told by.
    named || (header == Header::Optional && required().count() > 1 && first.len() >= required().count())
}

/// Tables between tabs come with quotes that enclose (spreadsheets, data frames) and with quotes that are
/// part of the text (GLUE). They enclose if that reads every field cleanly and no field over several lines,
/// unless lines taken one by one have different numbers of fields.
fn quotes_between_tabs(text: &str) -> Quotes {
    let scan = Scan::of(text.as_bytes(), b'\t');
    let mut lines = text.lines().filter(|line| !line.is_empty()).map(|line| line.matches('\t').count());
    let first = lines.next();
    let is_even_by_lines = lines.all(|tabs| Some(tabs) == first);
    let encloses = scan.is_clean && scan.unclosed.is_none() && !(is_even_by_lines && scan.has_inner_lines);
    if encloses { Quotes::Enclose } else { Quotes::Plain }
}

/// What a walk over quoted fields finds.
struct Scan {
    /// Line of the quote that nothing closes, from 1.
    unclosed: Option<u64>,
    /// Behind every closing quote stands a separator or the end of a line.
    is_clean: bool,
    /// A quoted field goes over several lines.
    has_inner_lines: bool,
}

impl Scan {
    fn of(bytes: &[u8], separator: u8) -> Scan {
        let mut scan = Scan { unclosed: None, is_clean: true, has_inner_lines: false };
        let (mut at, mut line, mut is_start) = (0, 1, true);
        while at < bytes.len() {
            if bytes[at] == b'"' && is_start {
                let opened = line;
                let Some(closed) = closing_quote(bytes, at + 1, &mut line) else {
                    scan.unclosed = Some(opened);
                    return scan;
                };
                scan.has_inner_lines |= line != opened;
                at = closed + 1;
                scan.is_clean &=
                    bytes.get(at).is_none_or(|&next| next == separator || next == b'\r' || next == b'\n');
                is_start = false;
                continue;
            }
            line += u64::from(bytes[at] == b'\n');
            is_start = bytes[at] == separator || bytes[at] == b'\n' || bytes[at] == b'\r';
            at += 1;
        }
        scan
    }
}

/// The quote that ends a field; two together are part of it.
fn closing_quote(bytes: &[u8], from: usize, line: &mut u64) -> Option<usize> {
    let mut at = from;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'"', Some(b'"')) => at += 2,
            (b'"', _) => return Some(at),
            (byte, _) => {
                *line += u64::from(*byte == b'\n');
                at += 1;
            }
        }
    }
}
