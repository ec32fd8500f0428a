//! Columns of a CSV, TSV, JSONL, plain text or Parquet file.

use super::DataError;
use super::error::nearest;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

mod parquet;

/// A column to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    name: &'a str,
    /// The config's key that names the column.
    key: &'a str,
    required: bool,
}

impl<'a> Column<'a> {
    pub(crate) fn required(name: &'a str, key: &'a str) -> Column<'a> {
        Column { name, key, required: true }
    }

    pub(crate) fn optional(name: &'a str, key: &'a str) -> Column<'a> {
        Column { name, key, required: false }
    }
}

/// The columns asked for, in that order; an optional one that the file lacks is None.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Option<Vec<String>>>,
    /// Where each row stands in the file, from 1.
    pub(crate) lines: Vec<u64>,
}

impl Table {
    /// Reads a table whose columns have names. A `.txt` file is a table of one column, the first one asked
    /// for.
    pub(crate) fn read(path: &Path, columns: &[Column<'_>]) -> Result<Table, DataError> {
        match extension(path).as_str() {
            "csv" => read_csv(path, b',', columns, false),
            "tsv" => read_csv(path, b'\t', columns, false),
            "jsonl" | "ndjson" => read_jsonl(path, columns),
            "txt" => read_lines(path, columns),
            "parquet" => parquet::read(path, columns),
            other => Err(unknown_extension(path, other, ".csv, .tsv, .jsonl or .parquet")),
        }
    }

    /// Reads a `.csv` or `.tsv` list whose first line may name the columns; without it, the columns are taken
    /// by position.
    pub(crate) fn read_list(path: &Path, columns: &[Column<'_>]) -> Result<Table, DataError> {
        match extension(path).as_str() {
            "csv" => read_csv(path, b',', columns, true),
            "tsv" => read_csv(path, b'\t', columns, true),
            other => Err(unknown_extension(path, other, ".csv or .tsv")),
        }
    }

    /// The text in a column that is there; empty otherwise.
    pub(crate) fn cell(&self, column: usize, row: usize) -> &str {
        self.columns[column].as_ref().map_or("", |c| &c[row])
    }

    /// True if the file has the column.
    pub(crate) fn has(&self, column: usize) -> bool {
        self.columns.get(column).is_some_and(Option::is_some)
    }
}

fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_ascii_lowercase()
}

fn unknown_extension(path: &Path, found: &str, expected: &str) -> DataError {
    DataError::layout(
        path,
        format!("its kind is not known by the ending `.{found}`"),
        format!("use {expected}"),
    )
}

/// Collects rows for the columns that the file has.
struct Builder<'a> {
    path: &'a Path,
    wanted: &'a [Column<'a>],
    present: Vec<bool>,
    columns: Vec<Vec<String>>,
    lines: Vec<u64>,
}

impl<'a> Builder<'a> {
    /// `names` are the file's columns.
    fn new(path: &'a Path, wanted: &'a [Column<'a>], names: &[String]) -> Result<Builder<'a>, DataError> {
        let mut present = Vec::new();
        for column in wanted {
            let found = names.iter().any(|name| name == column.name);
            if !found && column.required {
                let hint = nearest(column.name, names.iter().map(String::as_str));
                return Err(DataError::Table {
                    path: path.to_path_buf(),
                    place: format!("column `{}`", column.name),
                    found: "it is missing".to_string(),
                    expected: format!("it, or another one named by `{}` in [data]; {hint}", column.key),
                });
            }
            present.push(found);
        }
        Ok(Builder { path, wanted, present, columns: vec![Vec::new(); wanted.len()], lines: Vec::new() })
    }

    /// Adds a row: `cell` gives the text of a column by its place in `wanted`, None where there is none.
    fn push(&mut self, line: u64, mut cell: impl FnMut(usize) -> Option<String>) -> Result<(), DataError> {
        for (i, column) in self.wanted.iter().enumerate() {
            if !self.present[i] {
                continue;
            }
            let text = match cell(i) {
                Some(text) => text,
                None if column.required => {
                    return Err(DataError::Table {
                        path: self.path.to_path_buf(),
                        place: format!("line {line}"),
                        found: format!("no value for `{}`", column.name),
                        expected: "a text or a number".to_string(),
                    });
                }
                None => String::new(),
            };
            self.columns[i].push(text);
        }
        self.lines.push(line);
        Ok(())
    }

    fn finish(self) -> Table {
        let columns = self.columns.into_iter().zip(self.present);
        Table { columns: columns.map(|(texts, there)| there.then_some(texts)).collect(), lines: self.lines }
    }
}

fn read_csv(
    path: &Path,
    delimiter: u8,
    wanted: &[Column<'_>],
    may_lack_names: bool,
) -> Result<Table, DataError> {
    let broken = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(source) => DataError::io(path)(source),
        kind => {
            let line = match &kind {
                csv::ErrorKind::Utf8 { pos, .. } => pos.as_ref(),
                csv::ErrorKind::UnequalLengths { pos, .. } => pos.as_ref(),
                _ => None,
            };
            let line = line.map_or(0, csv::Position::line);
            let (found, expected) = match kind {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => (
                    format!("{len} fields"),
                    format!("{expected_len} as in the first line (quote texts that hold the separator)"),
                ),
                csv::ErrorKind::Utf8 { .. } => ("bytes that are not UTF-8".into(), "UTF-8".into()),
                other => (format!("{other:?}"), "a table".into()),
            };
            DataError::Table { path: path.to_path_buf(), place: format!("line {line}"), found, expected }
        }
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        // A tab-separated file has its quotes as ordinary characters.
        .quoting(delimiter != b'\t')
        .has_headers(false)
        .from_path(path)
        .map_err(broken)?;
    let mut records = reader.records();
    let Some(first) = records.next() else {
        return Err(DataError::layout(path, "the file is empty", "add rows"));
    };
    let first = first.map_err(broken)?;
    let mut names: Vec<String> = first.iter().map(|name| name.trim().to_string()).collect();
    if let Some(name) = names.first_mut() {
        *name = name.trim_start_matches('\u{feff}').trim_matches('"').to_string();
    }
    let named = !may_lack_names || wanted.iter().any(|column| names.iter().any(|n| n == column.name));
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
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        builder.push(line, |i| cell(&record, i))?;
    }
    Ok(builder.finish())
}

fn read_jsonl(path: &Path, wanted: &[Column<'_>]) -> Result<Table, DataError> {
    let mut builder: Option<Builder<'_>> = None;
    for (line, text) in text_lines(path)? {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        let wrong = |found: String| DataError::Table {
            path: path.to_path_buf(),
            place: format!("line {line}"),
            found,
            expected: "one JSON object".to_string(),
        };
        let row: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        let builder = match &mut builder {
            Some(builder) => builder,
            None => {
                let names: Vec<String> = row.keys().cloned().collect();
                builder.insert(Builder::new(path, wanted, &names)?)
            }
        };
        for (column, present) in wanted.iter().zip(&builder.present) {
            if !present && row.contains_key(column.name) {
                return Err(DataError::Table {
                    path: path.to_path_buf(),
                    place: format!("line {line}"),
                    found: format!("`{}`, which the first line lacks", column.name),
                    expected: "it in all lines or in none".to_string(),
                });
            }
        }
        builder.push(line, |i| match row.get(wanted[i].name)? {
            serde_json::Value::String(text) => Some(text.clone()),
            value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => Some(value.to_string()),
            _ => None,
        })?;
    }
    match builder {
        Some(builder) => Ok(builder.finish()),
        None => Err(DataError::layout(path, "the file is empty", "add rows")),
    }
}

fn read_lines(path: &Path, wanted: &[Column<'_>]) -> Result<Table, DataError> {
    let names: Vec<String> = wanted.first().map(|c| c.name.to_string()).into_iter().collect();
    let mut builder = Builder::new(path, wanted, &names)?;
    for (line, text) in text_lines(path)? {
        let text = text?;
        builder.push(line, |_| Some(text.clone()))?;
    }
    Ok(builder.finish())
}

type NumberedLine = (u64, Result<String, DataError>);

fn text_lines(path: &Path) -> Result<impl Iterator<Item = NumberedLine>, DataError> {
    let file = std::fs::File::open(path).map_err(DataError::io(path))?;
    let owner: PathBuf = path.to_path_buf();
    let lines = BufReader::new(file).lines();
    Ok((1..).zip(lines).map(move |(number, line)| (number, line.map_err(DataError::io(&owner)))))
}

#[cfg(test)]
mod tests;
