//! Separated values, `.csv` and `.tsv`, in the dialects that spreadsheets and data frames write.

mod dialect;

use super::encoding::read_text;
use super::{Builder, Column, DataError, Table};
use dialect::{Dialect, Quotes};
use std::path::Path;

/// Whether the first line names the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// It has to.
    Needed,
    /// Without, columns are taken by position.
    Optional,
}

/// Reads a file whose separator usually is `separator`.
pub(super) fn read(
    path: &Path,
    separator: u8,
    wanted: &[Column<'_>],
    header: Header,
) -> Result<Table, DataError> {
    let text = read_text(path)?;
    let dialect = Dialect::of(&text, separator, wanted, header);
    if let Some(line) = dialect.unclosed_quote(&text) {
        return Err(DataError::Table {
            path: path.to_path_buf(),
            place: format!("line {line}"),
            found: "a quote that opens a text and is not closed".to_string(),
            expected: "a closing quote; a quote inside of a text is doubled, and the text quoted".to_string(),
        });
    }
    let mut records = Records::new(path, dialect.body(&text), dialect);
    let Some(first) = records.next() else {
        return Err(DataError::layout(path, "the file is empty", "add rows"));
    };
    let (_, first) = first?;
    let mut names: Vec<String> = first.iter().map(|name| name.trim().to_string()).collect();
    let is_named = |column: &Column<'_>| names.iter().any(|name| name == column.name);
    let named = header == Header::Needed || wanted.iter().any(is_named);
    if !named {
        if names.len() < wanted.len() {
            return Err(DataError::Table {
                path: path.to_path_buf(),
                place: "line 1".to_string(),
                found: format!("{} column(s)", names.len()),
                expected: format!("{}", wanted.len()),
            });
        }
        names = wanted.iter().map(|column| column.name.to_string()).collect();
    }
    let mut builder = Builder::new(path, wanted, &names)?;
    let places: Vec<Option<usize>> =
        wanted.iter().map(|column| names.iter().position(|name| name == column.name)).collect();
    let cell = |record: &csv::StringRecord, i: usize| {
        places[i].and_then(|place| record.get(place)).map(str::to_string)
    };
    if !named {
        builder.push(1, |i| cell(&first, i))?;
    }
    for record in records {
        let (line, record) = record?;
        builder.push(line, |i| cell(&record, i))?;
    }
    Ok(builder.finish())
}

/// Records with the lines that they start on.
struct Records<'t> {
    path: &'t Path,
    records: csv::StringRecordsIntoIter<&'t [u8]>,
    lines: Lines<'t>,
}

/// Numbers of lines, whichever way they end. The reader's own are too low where `\r\n` ends them, and behind
/// blank ones.
struct Lines<'t> {
    text: &'t [u8],
    /// Counted up to here.
    at: usize,
    /// The line there.
    line: u64,
}

impl Lines<'_> {
    /// The line of the record that the reader found from `from` on, which is not before the one that was
    /// asked for last. It may find half of a line's end and blank lines first.
    fn of_record(&mut self, from: usize) -> u64 {
        let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let rest = self.text.get(from..).unwrap_or_default();
        let start = from.min(self.text.len()) + rest.iter().take_while(is_end).count();
        while self.at < start {
            let is_half = self.text[self.at] == b'\r' && self.text.get(self.at + 1) == Some(&b'\n');
            self.line += u64::from(is_end(&&self.text[self.at]) && !is_half);
            self.at += 1;
        }
        self.line
    }
}

impl<'t> Records<'t> {
    fn new(path: &'t Path, body: &'t str, dialect: Dialect) -> Records<'t> {
        let reader = csv::ReaderBuilder::new()
            .delimiter(dialect.separator)
            .quoting(dialect.quotes == Quotes::Enclose)
            .has_headers(false)
            .from_reader(body.as_bytes());
        let lines = Lines { text: body.as_bytes(), at: 0, line: 1 + dialect.skipped_lines };
        Records { path, records: reader.into_records(), lines }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<(u64, csv::StringRecord), DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.records.next()?;
        let start = |position: Option<&csv::Position>| {
            position.map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX))
        };
        Some(match record {
            Ok(record) => Ok((self.lines.of_record(start(record.position())), record)),
            Err(error) => {
                let at = self.lines.of_record(start(error.position()));
                let (found, expected) = match error.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => (
                        format!("{len} fields"),
                        format!("{expected_len} as in the first line (quote texts that hold the separator)"),
                    ),
                    _ => (error.to_string(), "a table".to_string()),
                };
                let (path, place) = (self.path.to_path_buf(), format!("line {at}"));
                Err(DataError::Table { path, place, found, expected })
            }
        })
    }
}
