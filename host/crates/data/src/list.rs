//! A list file of pictures and labels.

use super::DataError;
use super::config::{ImageConfig, LABEL_SEPARATOR, ListConfig, OnError};
use super::dataset::Dataset;
use super::defaults::InputDefaults;
use super::folder::require_file;
use super::pictures::{PictureDataset, PictureFiles};
use super::stamps::FileStamp;
use super::table::{Column, Table};
use super::targets::{Known, Labels, Targets, configured_classes};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens one list. `classes` are the training split's, for validation; `labels` false leaves labels unread.
pub(crate) fn open_list(
    path: &Path,
    config: &ListConfig,
    classes: Option<&[String]>,
    labels: bool,
    (images, defaults): (&ImageConfig, &InputDefaults),
) -> Result<Arc<dyn Dataset>, DataError> {
    require_file(path, "path")?;
    let mut columns = vec![Column::required(&config.path_column, "path_column")];
    if labels {
        columns.push(Column::required(&config.label_column, "label_column"));
    }
    let table = Table::read_list(path, &columns)?;
    if table.lines.is_empty() {
        return Err(DataError::layout(path, "it lists no pictures", "add rows"));
    }
    let root = match &config.root {
        Some(root) => root.clone(),
        None => path.parent().map(Path::to_path_buf).unwrap_or_default(),
    };
    let (mut files, mut lines, mut texts) = (PictureFiles::below(&root), Vec::new(), Vec::new());
    let mut left_out = Vec::new();
    for (row, &line) in table.lines.iter().enumerate() {
        let file = root.join(table.cell(0, row));
        let metadata = std::fs::metadata(&file);
        if let Some(found) = missing(&metadata) {
            if images.on_error == OnError::Fail {
                return Err(DataError::Table {
                    path: path.to_path_buf(),
                    place: format!("line {line}"),
                    found: format!("{} {found}", file.display()),
                    expected: "a picture (or set on_error = \"skip\" in [data])".to_string(),
                });
            }
            left_out.push(file.display().to_string());
            let (list, file) = (thaw_terminal::escape::path(path), thaw_terminal::escape::path(&file));
            tracing::warn!("left out: {list}, line {line}: {file} {found}");
            continue;
        }
        metadata.iter().for_each(|metadata| files.stamp(FileStamp::from(metadata)));
        files.push(PathBuf::from(table.cell(0, row)));
        if labels {
            lines.push(line);
            texts.push(table.cell(1, row).to_string());
        }
    }
    if files.count() == 0 {
        let remedy = "correct the paths, or `root` in [data]";
        return Err(DataError::layout(path, "none of its pictures exists", remedy));
    }
    let targets = if labels {
        let known = Known::of(configured_classes(&config.classes)?, classes);
        let separator = config.label_separator.as_deref().unwrap_or(LABEL_SEPARATOR);
        let labels = Labels { path, texts: &texts, lines: &lines, separator };
        Targets::parse(&labels, config.target, known)?
    } else {
        Targets::None
    };
    Ok(Arc::new(PictureDataset::new(Box::new(files), targets, images, defaults).without(left_out)))
}

fn missing(metadata: &std::io::Result<Metadata>) -> Option<&'static str> {
    match metadata {
        Ok(meta) if meta.is_file() && meta.len() == 0 => Some("is empty (0 bytes)"),
        Ok(meta) if meta.is_file() => None,
        Ok(_) => Some("is a folder"),
        Err(_) => Some("does not exist"),
    }
}
