//! Texts and pairs of texts as token ids.

use super::DataError;
use super::batch::{Batch, i64_tensor};
use super::config::{LABEL_SEPARATOR, Padding, Target, TextConfig};
use super::dataset::{Dataset, Pass};
use super::folder::require_file;
use super::stamps::FileStamps;
use super::table::{Column, Table};
use super::targets::{Known, Labels, Targets, configured_classes};
use super::tokenizer;
use crate::Look;
use std::path::Path;
use std::sync::Arc;
use tch::Tensor;
use tokenizers::{Encoding, Tokenizer, TruncationParams, TruncationStrategy};

/// Columns of the config if it does not name them and the file has them.
const DEFAULT_PAIR: &str = "text_pair";
/// Longest row if neither config nor tokenizer nor model has a say.
const DEFAULT_MAX_LENGTH: usize = 512;

/// The tokenizer with what it takes to make batches; shared by all splits.
pub(crate) struct TextEncoder {
    tokenizer: Tokenizer,
    config: TextConfig,
    max_length: usize,
    pad_token_id: i64,
    pad_type_id: i64,
}

impl TextEncoder {
    /// `longest`: most tokens that the model takes, where it has a limit.
    pub(crate) fn open(config: &TextConfig, longest: Option<usize>) -> Result<TextEncoder, DataError> {
        let (path, mut tokenizer) = tokenizer::open(&config.tokenizer)?;
        let fail = |message: String| DataError::Tokenizer { path: path.clone(), message };
        let usual = tokenizer.get_truncation().map(|t| t.max_length);
        let max_length = match (config.max_length, longest) {
            (Some(length), Some(longest)) if length > longest => {
                let expected = format!("at most {longest}, the longest text that the model takes");
                return Err(DataError::value("max_length", length, expected));
            }
            (Some(length), _) => length,
            (None, Some(longest)) => usual.map_or(longest, |usual| usual.min(longest)),
            (None, None) => usual.unwrap_or(DEFAULT_MAX_LENGTH),
        };
        let padding = tokenizer.get_padding().cloned();
        let pad_token_id = config
            .pad_token_id
            .or(padding.as_ref().map(|p| p.pad_id))
            .or_else(|| tokenizer.token_to_id("[PAD]"))
            .or_else(|| tokenizer.token_to_id("<pad>"))
            .ok_or_else(|| fail("it has no padding token; set `pad_token_id` in [data]".to_string()))?;
        let truncation = TruncationParams {
            max_length,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|e| fail(format!("max_length {max_length}: {e}")))?;
        // Rows are padded per batch, here.
        tokenizer.with_padding(None);
        tokenizer::try_out(&tokenizer).map_err(fail)?;
        Ok(TextEncoder {
            tokenizer,
            config: config.clone(),
            max_length,
            pad_token_id: i64::from(pad_token_id),
            pad_type_id: padding.map_or(0, |p| i64::from(p.pad_type_id)),
        })
    }

    /// Whether rows of similar length share a batch.
    pub(super) fn buckets(&self) -> bool {
        self.config.bucket
    }

    /// Whether every batch has the same length: padded to the longest row, a sample's input depends on the
    /// rest of its batch.
    pub(super) fn pads_alike(&self) -> bool {
        self.config.padding == Padding::MaxLength
    }

    /// The inputs of a row, for people.
    pub(super) fn shape(&self, pairs: bool) -> String {
        let kind = if pairs { "pairs of texts" } else { "texts" };
        format!("{kind}, up to {} tokens", self.max_length)
    }

    pub(super) fn encode(&self, text: &str, pair: Option<&str>) -> Result<Encoding, String> {
        let encoding = tokenizer::encode(&self.tokenizer, text, pair)?;
        if encoding.is_empty() {
            return Err("the tokenizer makes no token of it".to_string());
        }
        Ok(encoding)
    }

    /// The rows of a batch as the model's inputs, padded.
    pub(super) fn inputs(&self, rows: &[Encoding]) -> Result<Vec<(String, Tensor)>, DataError> {
        let longest = rows.iter().map(Encoding::len).max().unwrap_or(0);
        let length = match self.config.padding {
            Padding::Longest => longest,
            Padding::MaxLength => self.max_length.max(longest),
        };
        let shape = [rows.len() as i64, length as i64];
        let padded = |values: fn(&Encoding) -> &[u32], pad: i64| {
            let mut flat = Vec::with_capacity(rows.len() * length);
            for row in rows {
                flat.extend(values(row).iter().map(|&v| i64::from(v)));
                flat.resize(flat.len() + length - row.len(), pad);
            }
            i64_tensor(&flat, &shape)
        };
        Ok(vec![
            ("input_ids".to_string(), padded(Encoding::get_ids, self.pad_token_id)?),
            ("attention_mask".to_string(), padded(Encoding::get_attention_mask, 0)?),
            ("token_type_ids".to_string(), padded(Encoding::get_type_ids, self.pad_type_id)?),
        ])
    }
}

struct TextDataset {
    path: std::path::PathBuf,
    encoder: Arc<TextEncoder>,
    texts: Vec<String>,
    pairs: Option<Vec<String>>,
    lines: Vec<u64>,
    /// Number of each row in the file, from 0; rows may be left out by their labels.
    rows: Vec<usize>,
    targets: Targets,
    stamps: FileStamps,
}

/// Opens one file of texts. `classes` are the training split's, for validation; `labels` false leaves labels
/// unread.
pub(crate) fn open_texts(
    path: &Path,
    encoder: Arc<TextEncoder>,
    classes: Option<&[String]>,
    labels: bool,
) -> Result<Arc<dyn Dataset>, DataError> {
    require_file(path, "path")?;
    let config = &encoder.config;
    let pair = match &config.text_pair {
        Some(name) => Column::required(name, "text_pair"),
        None => Column::optional(DEFAULT_PAIR, "text_pair"),
    };
    let mut columns = vec![Column::required(&config.text, "text"), pair];
    if labels {
        let label = Column::required(&config.label, "label");
        columns.push(if config.target == Target::Labels { label.of_lists() } else { label });
    }
    let mut table = Table::read(path, &columns)?;
    let kept: Vec<usize> = (0..table.lines.len())
        .filter(|&row| !labels || !config.ignore_labels.iter().any(|l| l == table.cell(2, row)))
        .collect();
    if kept.is_empty() {
        return Err(DataError::layout(path, "it has no rows to use", "add rows"));
    }
    let mut column = |i: usize| table.take(i, &kept);
    let (texts, pairs) = (column(0).unwrap_or_default(), column(1));
    let labelled = if labels { column(2).unwrap_or_default() } else { Vec::new() };
    let lines: Vec<u64> = kept.iter().map(|&row| table.lines[row]).collect();
    let targets = if labels {
        let known = Known::of(configured_classes(&config.classes)?, classes);
        let separator = config.label_separator.as_deref().unwrap_or(LABEL_SEPARATOR);
        let labels = Labels { path, texts: &labelled, lines: &lines, separator };
        Targets::parse(&labels, config.target, known)?
    } else {
        Targets::None
    };
    Ok(Arc::new(TextDataset {
        path: path.to_path_buf(),
        texts,
        pairs,
        lines,
        rows: kept,
        targets,
        stamps: FileStamps::of(path),
        encoder,
    }))
}

impl Dataset for TextDataset {
    fn len(&self) -> usize {
        self.texts.len()
    }
    fn class_names(&self) -> &[String] {
        self.targets.names()
    }
    fn class_of(&self, index: usize) -> Option<usize> {
        self.targets.class_of(index)
    }
    fn labels_of(&self, index: usize) -> Option<Vec<f32>> {
        self.targets.labels_of(index)
    }
    fn id(&self, index: usize) -> String {
        self.rows[index].to_string()
    }
    fn input_shape(&self) -> String {
        self.encoder.shape(self.pairs.is_some())
    }
    fn look(&self, index: usize) -> Option<Look> {
        let pair = self.pairs.as_ref().map(|pairs| pairs[index].as_str());
        Some(Look::of_text(&self.texts[index], pair))
    }
    fn batch(&self, indices: &[usize], _pass: &Pass) -> Result<Batch, DataError> {
        let mut rows = Vec::with_capacity(indices.len());
        for &index in indices {
            let pair = self.pairs.as_ref().map(|pairs| pairs[index].as_str());
            let encoding = self.encoder.encode(&self.texts[index], pair);
            rows.push(encoding.map_err(|found| DataError::Table {
                path: self.path.clone(),
                place: format!("line {}", self.lines[index]),
                found,
                expected: "a text that can be tokenized".to_string(),
            })?);
        }
        let inputs = self.encoder.inputs(&rows)?;
        Ok(Batch::new(inputs, self.targets.tensor(indices)?, indices.to_vec()))
    }
    fn length_of(&self, index: usize) -> Option<usize> {
        // Characters stand for tokens: they are known without tokenizing everything first.
        let pair = self.pairs.as_ref().map_or(0, |pairs| pairs[index].len());
        self.encoder.buckets().then(|| self.texts[index].len() + pair)
    }
    fn stamps(&self) -> FileStamps {
        self.stamps
    }
    fn fixed_inputs(&self, _pass: &Pass) -> bool {
        self.encoder.pads_alike()
    }
}

#[cfg(test)]
mod tests;
