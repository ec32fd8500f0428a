//! The keys of the `[data]` table, by its kind.

use std::path::Path;

use thaw_plugin_api::config::{Config, ConfigError};

use super::{
    Cifar10Config, DataConfig, HeldOutConfig, ImageConfig, ImageFolderConfig, ListConfig, LoadingConfig,
    PluginConfig, Source, Target, TensorsConfig, TextConfig,
};

/// Where samples come from, and how they are split, ordered and batched.
#[derive(Config, Clone)]
#[config(tag = "kind", check = DataTable::check)]
pub(super) enum DataTable {
    /// One folder of pictures per class.
    ImageFolder {
        #[config(flatten)]
        source: ImageFolderConfig,
        #[config(flatten)]
        loading: LoadingConfig,
        #[config(flatten)]
        images: ImageConfig,
        #[config(flatten)]
        held_out: HeldOutConfig,
    },
    /// A CSV or TSV file that names pictures and their labels.
    List {
        #[config(flatten)]
        source: ListConfig,
        #[config(flatten)]
        loading: LoadingConfig,
        #[config(flatten)]
        images: ImageConfig,
        #[config(flatten)]
        held_out: HeldOutConfig,
    },
    /// The files of CIFAR-10's binary distribution.
    Cifar10 {
        #[config(flatten)]
        source: Cifar10Config,
        #[config(flatten)]
        loading: LoadingConfig,
        #[config(flatten)]
        images: ImageConfig,
        #[config(flatten)]
        held_out: HeldOutConfig,
    },
    /// A `.safetensors` or `.npz` file.
    Tensors {
        #[config(flatten)]
        source: TensorsConfig,
        #[config(flatten)]
        loading: LoadingConfig,
        #[config(flatten)]
        held_out: HeldOutConfig,
    },
    /// Rows of a CSV, TSV, JSONL or Parquet file.
    Text {
        #[config(flatten)]
        source: TextConfig,
        #[config(flatten)]
        loading: LoadingConfig,
        #[config(flatten)]
        held_out: HeldOutConfig,
    },
    /// The data set of a loaded plugin, which says what keys it has of its own.
    Plugin {
        #[config(flatten)]
        loading: LoadingConfig,
        // After the keys of loading: it takes the rest.
        #[config(flatten)]
        source: PluginConfig,
    },
}

impl DataTable {
    /// What single keys do not exclude.
    fn check(&mut self) -> Result<(), ConfigError> {
        let config = DataConfig::from(self.clone());
        if let Some((place, _)) = config.paths().iter().find(|(_, path)| *path == Path::new("")) {
            return Err(ConfigError::value(&place.replace('/', "."), "empty", "a path"));
        }
        for set in config.held_out.sets() {
            set.config(&config)?;
        }
        if config.loading.val_split.is_some() && config.val_path().is_some() {
            let found = "there beside `val_path`";
            return Err(ConfigError::value("val_split", found, "only one of them"));
        }
        let (target, separator) = match &config.source {
            Source::List(list) => (list.target, &list.label_separator),
            Source::Text(text) => (text.target, &text.label_separator),
            _ => return Ok(()),
        };
        match separator.as_deref() {
            Some("") => Err(ConfigError::value("label_separator", "empty", "a text, such as `|`")),
            Some(_) if target != Target::Labels => {
                let expected = "beside `target = \"labels\"` alone";
                Err(ConfigError::value("label_separator", "given", expected))
            }
            _ => Ok(()),
        }
    }
}

impl From<DataTable> for DataConfig {
    fn from(table: DataTable) -> Self {
        let of_rows =
            |source, loading, held_out| Self { source, loading, images: ImageConfig::default(), held_out };
        match table {
            DataTable::ImageFolder { source, loading, images, held_out } => {
                Self { source: Source::ImageFolder(source), loading, images, held_out }
            }
            DataTable::List { source, loading, images, held_out } => {
                Self { source: Source::List(source), loading, images, held_out }
            }
            DataTable::Cifar10 { source, loading, images, held_out } => {
                Self { source: Source::Cifar10(source), loading, images, held_out }
            }
            DataTable::Tensors { source, loading, held_out } => {
                of_rows(Source::Tensors(source), loading, held_out)
            }
            DataTable::Text { source, loading, held_out } => of_rows(Source::Text(source), loading, held_out),
            DataTable::Plugin { loading, source } => {
                of_rows(Source::Plugin(source), loading, HeldOutConfig::default())
            }
        }
    }
}

impl From<DataConfig> for DataTable {
    fn from(config: DataConfig) -> Self {
        let DataConfig { source, loading, images, held_out } = config;
        match source {
            Source::ImageFolder(source) => Self::ImageFolder { source, loading, images, held_out },
            Source::List(source) => Self::List { source, loading, images, held_out },
            Source::Cifar10(source) => Self::Cifar10 { source, loading, images, held_out },
            Source::Tensors(source) => Self::Tensors { source, loading, held_out },
            Source::Text(source) => Self::Text { source, loading, held_out },
            Source::Plugin(source) => Self::Plugin { loading, source },
        }
    }
}
