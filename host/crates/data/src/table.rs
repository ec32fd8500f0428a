//! Columns of a CSV, TSV, JSONL, plain text or Parquet file.

use super::DataError;
use super::error::nearest;
use encoding::read_text;
use separated::Header;
use std::path::Path;
use thaw_terminal::escape::shorten;

mod encoding;
mod parquet;
mod separated;

/// A column to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    name: &'a str,
    /// The config's key that names the column.
    key: &'a str,
    required: bool,
    /// Whether a cell may be a JSON array, which is then read as its JSON text.
    lists: bool,
}

impl<'a> Column<'a> {
    pub(crate) fn required(name: &'a str, key: &'a str) -> Column<'a> {
        Column { name, key, required: true, lists: false }
    }

    pub(crate) fn optional(name: &'a str, key: &'a str) -> Column<'a> {
        Column { name, key, required: false, lists: false }
    }

    /// The same, of which a cell may be a JSON array.
    pub(crate) fn of_lists(self) -> Column<'a> {
        Column { lists: true, ..self }
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
            "csv" => separated::read(path, b',', columns, Header::Needed),
            "tsv" => separated::read(path, b'\t', columns, Header::Needed),
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
            "csv" => separated::read(path, b',', columns, Header::Optional),
            "tsv" => separated::read(path, b'\t', columns, Header::Optional),
            other => Err(unknown_extension(path, other, ".csv or .tsv")),
        }
    }

    /// The text in a column that is there; empty otherwise.
    pub(crate) fn cell(&self, column: usize, row: usize) -> &str {
        self.columns[column].as_ref().map_or("", |c| &c[row])
    }

    /// These rows of a column, in rising order, which the table has no more: nothing is copied. None where
    /// the file has no such column.
    pub(crate) fn take(&mut self, column: usize, rows: &[usize]) -> Option<Vec<String>> {
        let mut texts = self.columns.get_mut(column)?.take()?;
        let (mut rows, mut at) = (rows.iter().peekable(), 0);
        texts.retain(|_| {
            at += 1;
            rows.next_if(|row| **row == at - 1).is_some()
        });
        Some(texts)
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
            let found = names.iter().filter(|name| *name == column.name).count();
            if found > 1 {
                return Err(DataError::Table {
                    path: path.to_path_buf(),
                    place: format!("column `{}`", shorten(column.name)),
                    found: format!("{found} columns of that name"),
                    expected: format!("one; rename the others, or set `{}` in [data]", column.key),
                });
            }
            let found = found == 1;
            if !found && column.required {
                let hint = nearest(column.name, names.iter().map(String::as_str));
                return Err(DataError::Table {
                    path: path.to_path_buf(),
                    place: format!("column `{}`", shorten(column.name)),
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

fn read_jsonl(path: &Path, wanted: &[Column<'_>]) -> Result<Table, DataError> {
    let mut builder: Option<Builder<'_>> = None;
    let text = read_text(path)?;
    for (line, text) in (1..).zip(text.lines()) {
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
            serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let builder = match &mut builder {
            Some(builder) => builder,
            None => {
                let names: Vec<String> = row.keys().cloned().collect();
                builder.insert(Builder::new(path, wanted, &names)?)
            }
        };
        for column in wanted {
            let found = match row.get(column.name) {
                Some(serde_json::Value::Array(_)) if !column.lists => "a list",
                Some(serde_json::Value::Object(_)) => "an object",
                _ => continue,
            };
            return Err(DataError::Table {
                path: path.to_path_buf(),
                place: format!("line {line}"),
                found: format!("{found} as `{}`", column.name),
                expected: "a text or a number".to_string(),
            });
        }
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
            value @ (serde_json::Value::Number(_)
            | serde_json::Value::Bool(_)
            | serde_json::Value::Array(_)) => Some(value.to_string()),
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
    for (line, text) in (1..).zip(read_text(path)?.lines()) {
        builder.push(line, |_| Some(text.to_string()))?;
    }
    Ok(builder.finish())
}

#[cfg(test)]
mod tests;
