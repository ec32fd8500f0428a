//! Files that appear whole or not at all, files mapped into memory, and hashes of files.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("state.json");
//! thaw_files::durable::write(&path, b"{}")?;
//! assert_eq!(&*thaw_files::mapped::MappedFile::open(&path)?, b"{}");
//! assert!(thaw_files::sha256::sha256_file(&path)?.starts_with("44136fa355b3"));
//! # Ok(())
//! # }
//! ```

pub mod durable;
pub mod mapped;
pub mod sha256;
