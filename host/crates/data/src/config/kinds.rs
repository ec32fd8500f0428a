//! The keys of each kind of data.

use super::*;

/// `kind = "image-folder"`.
///
/// `path` holds one folder per class, or `train/` and `val/` with one folder per class each. Class
/// indices follow the sorted folder names. Pictures may lie deeper inside a class folder.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListConfig {
    /// The list, `.csv` or `.tsv`.
    pub path: PathBuf,
    /// The list of the validation pictures.
    pub val_path: Option<PathBuf>,
    /// Folder that relative picture paths start from. Default: the list's own.
    pub root: Option<PathBuf>,
    /// Column of the pictures' paths. Default `path`.
    pub path_column: String,
    /// Column of the labels. Default `label`.
    pub label_column: String,
    /// What labels are. Default `class`.
    pub target: Target,
    /// Class names in the order of their indices. Default: the labels themselves, see [`Target::Class`].
    pub classes: Option<Vec<String>>,
}

impl Default for ListConfig {
    fn default() -> Self {
        ListConfig {
            path: PathBuf::new(),
            val_path: None,
            root: None,
            path_column: "path".into(),
            label_column: "label".into(),
            target: Target::Class,
            classes: None,
        }
    }
}

/// What the labels of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Classes. Labels that are all whole numbers, 0 among them, are indices. All others are names, whose
    /// indices follow their sorted order (numbers by value) unless `classes` gives another. With `classes`,
    /// labels are those names, or all of them places in the list where no name is a number.
    #[default]
    Class,
    /// Numbers: a regression target.
    Value,
}

/// `kind = "cifar10"`: training pictures from `data_batch_*.bin`, validation pictures from
/// `test_batch.bin` (unless `val_split` is set), class names from `batches.meta.txt` where it is there.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cifar10Config {
    /// The folder of the files, or the one that holds `cifar-10-batches-bin/`.
    pub path: PathBuf,
}

/// `kind = "tensors"`.
///
/// The first dimension of every tensor is the sample. Tensors stay in memory, or on the disk, as the file has
/// them; each batch makes floats f32, whole numbers and bools i64, and inputs of uint8 with two or more
/// dimensions beside the sample (pictures) f32 from 0 to 1. A target of whole numbers with one dimension is a
/// class index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TensorsConfig {
    /// The file, `.safetensors` or `.npz`.
    pub path: PathBuf,
    /// File of the validation tensors, under the training tensors' keys. Default: the `val_prefix` keys of
    /// `path`.
    pub val_path: Option<PathBuf>,
    /// Keys of the inputs, which are also the names the model gets them under. Default `["x"]`.
    pub inputs: Vec<String>,
    /// Key of the target. Default `y`, and no target if the file has no `y`.
    pub target: Option<String>,
    /// What stands before the keys of the validation tensors. Default `val_`.
    pub val_prefix: String,
    /// Class names in the order of their indices. Default: the indices.
    pub classes: Option<Vec<String>>,
    /// Most MiB that the arrays of a `.npz` may unpack to, looked at before they are. Default 65536. A
    /// `.safetensors` file is read as it is needed and has no limit.
    pub max_mib: u64,
}

impl Default for TensorsConfig {
    fn default() -> Self {
        TensorsConfig {
            path: PathBuf::new(),
            val_path: None,
            inputs: vec!["x".into()],
            target: None,
            val_prefix: "val_".into(),
            classes: None,
            max_mib: 65_536,
        }
    }
}

/// `kind = "text"`.
///
/// Rows of a `.csv`, `.tsv`, `.jsonl` or `.parquet` file with a column for the text, one for the second text
/// of a pair where there is one, and one for the label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TextConfig {
    /// The file.
    pub path: PathBuf,
    /// File of the validation rows.
    pub val_path: Option<PathBuf>,
    /// Column of the text. Default `text`.
    pub text: String,
    /// Column of the second text. Default `text_pair` if the file has it.
    pub text_pair: Option<String>,
    /// Column of the label. Default `label`.
    pub label: String,
    /// What labels are. Default `class`.
    pub target: Target,
    /// Class names in the order of their indices. Default: the labels themselves, see [`Target::Class`].
    pub classes: Option<Vec<String>>,
    /// Rows with one of these labels are left out, such as MNLI's `-`. Default: none.
    pub ignore_labels: Vec<String>,
    /// The tokenizer, a `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// Most tokens of a row, special ones included; the longer text of a pair is cut first. At least 2, at
    /// most what the model takes. Default: what the tokenizer says, but not more than the model takes; else
    /// that, else 512.
    pub max_length: Option<usize>,
    /// How far rows are padded. Default `longest`.
    pub padding: Padding,
    /// Id of the padding token. Default: what the tokenizer says, else the id of `[PAD]` or `<pad>`.
    pub pad_token_id: Option<u32>,
    /// Puts rows of similar length into one batch, so that less is padded. Default true.
    pub bucket: bool,
}

/// How far the rows of a batch are padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// To the longest row of the batch.
    #[default]
    Longest,
    /// To `max_length`, for models that need one length.
    MaxLength,
}

impl Default for TextConfig {
    fn default() -> Self {
        TextConfig {
            path: PathBuf::new(),
            val_path: None,
            text: "text".into(),
            text_pair: None,
            label: "label".into(),
            target: Target::Class,
            classes: None,
            ignore_labels: Vec::new(),
            tokenizer: PathBuf::new(),
            max_length: None,
            padding: Padding::Longest,
            pad_token_id: None,
            bucket: true,
        }
    }
}

impl TextConfig {
    pub(super) fn check(&self) -> Result<(), DataError> {
        match self.max_length {
            Some(length) if length < 2 => Err(DataError::value("max_length", length, "at least 2")),
            _ => Ok(()),
        }
    }
}
