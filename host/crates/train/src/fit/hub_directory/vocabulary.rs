//! A tokenizer that is a vocabulary alone, as the file that transformers would make of it.

use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::config::RunConfig;
use thaw_data::{Source, cache_folder, converted_tokenizer};
use thaw_files::durable;
use thaw_files::sha256::Sha256Writer;

/// Where such a file is kept, below the user's cache.
const TOKENIZERS: &str = "tokenizers";

/// Where `data.tokenizer` is a vocabulary alone, makes the `tokenizer.json` of it that the run is to keep,
/// under the name of its content. The run config goes on saying what was given. Who opens the tokenizer says
/// what is wrong with one that cannot be made.
pub(super) fn make_tokenizer(config: &mut RunConfig) {
    let Some(Source::Text(text)) = config.data.as_mut().map(|data| &mut data.source) else { return };
    let Ok(Some(made)) = converted_tokenizer(&text.tokenizer) else { return };
    let shown = thaw_terminal::escape::path(&text.tokenizer);
    match keep(&made) {
        Ok(file) => {
            tracing::info!("data.tokenizer: made of the vocabulary in {shown}, as transformers makes it");
            text.tokenizer = file;
        }
        Err(error) => {
            let cache = cache_folder();
            tracing::warn!(
                "data.tokenizer: made of the vocabulary in {shown}, but checkpoints have no copy of it: {}: \
                 {error}",
                thaw_terminal::escape::path(&cache)
            );
        }
    }
}

fn keep(text: &str) -> io::Result<PathBuf> {
    let mut writer = Sha256Writer::new(io::sink());
    writer.write_all(text.as_bytes())?;
    let (_, sha256) = writer.finish()?;
    let folder = cache_folder().join(TOKENIZERS);
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{sha256}.json"));
    durable::write(&file, text.as_bytes())?;
    Ok(file)
}
