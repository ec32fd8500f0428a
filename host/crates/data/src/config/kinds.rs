//! The keys of each kind of data.

use std::path::PathBuf;

use thaw_plugin_api::config::Config;

/// `kind = "image-folder"`.
///
/// `path` holds one folder per class, or `train/` and `val/` with one folder per class each. Class
/// indices follow the sorted folder names. Pictures may lie deeper inside a class folder.
#[derive(Debug, Clone, PartialEq, Config)]
#[config(default)]
pub struct ImageFolderConfig {
    /// The folder.
    pub path: PathBuf,
    /// Folder of the validation pictures, with the same classes. Default: `val/` inside `path`, where
    /// `train/` stands beside it.
    pub val_path: Option<PathBuf>,
}

/// `kind = "list"`.
///
/// A file whose first line names the columns; without such a line the first two columns are taken.
#[derive(Debug, Clone, PartialEq, Config)]
#[config(default)]
pub struct ListConfig {
    /// The list, `.csv` or `.tsv`.
    pub path: PathBuf,
    /// The list of the validation pictures.
    pub val_path: Option<PathBuf>,
    /// Folder that relative picture paths start from. Default: the list's own.
    pub root: Option<PathBuf>,
    /// Column of the pictures' paths.
    #[config(default = "path")]
    pub path_column: String,
    /// Column of the labels.
    #[config(default = "label")]
    pub label_column: String,
    /// What labels are.
    #[config(default = Target::Class)]
    pub target: Target,
    /// What stands between the labels of a sample, beside `target = "labels"`. Default: `|`.
    pub label_separator: Option<String>,
    /// Class names in the order of their indices. Default: the labels themselves, see [`Target::Class`].
    pub classes: Option<Vec<String>>,
}

/// What the labels of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Config)]
pub enum Target {
    /// Classes. Labels that are all whole numbers, 0 among them, are indices. All others are names, whose
    /// indices follow their sorted order (numbers by value) unless `classes` gives another. With `classes`,
    /// labels are those names, or all of them places in the list where no name is a number.
    Class,
    /// Numbers: a regression target.
    Value,
    /// Several classes per sample, or none: separated texts, or a JSON array. Names and indices are as for
    /// `class`. The target has a number per class: 1 for those of the sample, else 0.
    Labels,
}

/// What stands between the labels of a sample, where the run config does not say.
pub(crate) const LABEL_SEPARATOR: &str = "|";

/// `kind = "cifar10"`: training pictures from `data_batch_*.bin`, validation pictures from
/// `test_batch.bin` (unless `val_split` is set), class names from `batches.meta.txt` where it is there.
#[derive(Debug, Clone, PartialEq, Config)]
#[config(default)]
pub struct Cifar10Config {
    /// The folder of the files, or the one that holds `cifar-10-batches-bin/`.
    pub path: PathBuf,
}

/// `kind = "tensors"`.
///
/// The first dimension of every tensor is the sample. Tensors stay in memory, or on the disk, as the file has
/// them; each batch makes floats f32, whole numbers and bools i64, and inputs of uint8 with two or more
/// dimensions beside the sample (pictures) f32 from 0 to 1. A target of whole numbers with one dimension is a
/// class index; one of two dimensions has a column per class, for `[loss] kind = "bce"`, or per number.
#[derive(Debug, Clone, PartialEq, Config)]
#[config(default)]
pub struct TensorsConfig {
    /// The file, `.safetensors` or `.npz`.
    pub path: PathBuf,
    /// File of the validation tensors, under the training tensors' keys. Default: the `val_prefix` keys of
    /// `path`.
    pub val_path: Option<PathBuf>,
    /// Keys of the inputs, which are also the names the model gets them under.
    #[config(default = vec!["x".to_owned()])]
    pub inputs: Vec<String>,
    /// Key of the target. Default `y`, and no target if the file has no `y`.
    pub target: Option<String>,
    /// What stands before the keys of the validation tensors.
    #[config(default = "val_")]
    pub val_prefix: String,
    /// Class names in the order of their indices, or of a target's columns. Default: the indices; columns
    /// then have no names.
    pub classes: Option<Vec<String>>,
    /// Most MiB that the arrays of a `.npz` may unpack to, looked at before they are. A `.safetensors` file
    /// is read as it is needed and has no limit.
    #[config(default = 65_536)]
    pub max_mib: u64,
}

/// `kind = "text"`.
///
/// Rows of a `.csv`, `.tsv`, `.jsonl` or `.parquet` file with a column for the text, one for the second text
/// of a pair where there is one, and one for the label.
#[derive(Debug, Clone, PartialEq, Config)]
#[config(default)]
pub struct TextConfig {
    /// The file.
    pub path: PathBuf,
    /// File of the validation rows.
    pub val_path: Option<PathBuf>,
    /// Column of the text.
    #[config(default = "text")]
    pub text: String,
    /// Column of the second text. Default `text_pair` if the file has it.
    pub text_pair: Option<String>,
    /// Column of the label.
    #[config(default = "label")]
    pub label: String,
    /// What labels are.
    #[config(default = Target::Class)]
    pub target: Target,
    /// What stands between the labels of a sample, beside `target = "labels"`. Default: `|`.
    pub label_separator: Option<String>,
    /// Class names in the order of their indices. Default: the labels themselves, see [`Target::Class`].
    pub classes: Option<Vec<String>>,
    /// Rows with one of these labels are left out, such as MNLI's `-`.
    #[config(default = Vec::new())]
    pub ignore_labels: Vec<String>,
    /// The tokenizer, a `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// Most tokens of a row, special ones included; the longer text of a pair is cut first. At most what the
    /// model takes. Default: what the tokenizer says, but not more than the model takes; else that, else 512.
    #[config(range = 2..)]
    pub max_length: Option<usize>,
    /// How far rows are padded.
    #[config(default = Padding::Longest)]
    pub padding: Padding,
    /// Id of the padding token. Default: what the tokenizer says, else the id of `[PAD]` or `<pad>`.
    pub pad_token_id: Option<u32>,
    /// Puts rows of similar length into one batch, so that less is padded.
    #[config(default = true)]
    pub bucket: bool,
}

/// How far the rows of a batch are padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Config)]
pub enum Padding {
    /// To the longest row of the batch.
    Longest,
    /// To `max_length`, for models that need one length.
    MaxLength,
}
