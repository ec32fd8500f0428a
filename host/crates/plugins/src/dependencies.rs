//! Libraries that a plugin brings along in its own folder.
//!
//! A plugin may say that what it needs lies beside it (`$ORIGIN` in its run path). It is opened as a private
//! copy, which lies elsewhere; so these libraries are opened first, from where the plugin's file is. The
//! loader then finds them by their own names (`DT_SONAME`), as it finds libtorch, which is loaded.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use goblin::container::Ctx;
use goblin::elf::dynamic::{DT_NEEDED, DT_RPATH, DT_RUNPATH, Dynamic};
use goblin::elf::{Elf, ProgramHeader};
use goblin::strtab::Strtab;
use memmap2::MmapOptions;

/// What the dynamic section of a library says that it needs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Needs {
    /// Names of libraries, such as `libtorch_cpu.so`.
    libraries: Vec<String>,
    /// Folders where the loader looks for them, as the file has them.
    run_path: Vec<String>,
}

impl Needs {
    /// Reads them off a private copy; nothing where the file is of another form than ELF.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read(file: &Path) -> io::Result<Self> {
        let file = File::open(file)?;
        // SAFETY: the file is a private copy, which nobody changes or cuts off while it is mapped.
        let bytes = unsafe { MmapOptions::new().map_copy_read_only(&file)? };
        Ok(Self::of(&bytes).unwrap_or_default())
    }

    /// Those in the bytes of an ELF file. Only its dynamic section is read: tables of symbols and sections
    /// take most of the time that opening a plugin may take.
    fn of(bytes: &[u8]) -> Option<Self> {
        let header = Elf::parse_header(bytes).ok()?;
        let form = Ctx::new(header.container().ok()?, header.endianness().ok()?);
        let (start, count) = (usize::try_from(header.e_phoff).ok()?, usize::from(header.e_phnum));
        let segments = ProgramHeader::parse(bytes, start, count, form).ok()?;
        let dynamic = Dynamic::parse(bytes, &segments, form).ok()??;
        let names = Strtab::parse(bytes, dynamic.info.strtab, dynamic.info.strsz, 0).ok()?;
        let named = |tag: u64| {
            let entries = dynamic.dyns.iter().filter(move |entry| entry.d_tag == tag);
            entries.filter_map(|entry| names.get_at(usize::try_from(entry.d_val).ok()?))
        };
        // A run path of the newer kind makes the loader pass over those of the older.
        let mut paths: Vec<&str> = named(DT_RUNPATH).collect();
        if paths.is_empty() {
            paths = named(DT_RPATH).collect();
        }
        let folders = paths.iter().flat_map(|path| path.split(':')).map(str::to_owned);
        Some(Self { libraries: named(DT_NEEDED).map(str::to_owned).collect(), run_path: folders.collect() })
    }

    /// Libraries that lie where the run path says, seen from the folder `origin`.
    fn beside(&self, origin: &Path) -> Vec<(&str, PathBuf)> {
        let expand = |folder: &str| {
            let rest = ["$ORIGIN", "${ORIGIN}"].iter().find_map(|name| folder.strip_prefix(name))?;
            (rest.is_empty() || rest.starts_with('/')).then(|| origin.join(rest.trim_start_matches('/')))
        };
        let folders: Vec<PathBuf> = self.run_path.iter().filter_map(|folder| expand(folder)).collect();
        let found = self.libraries.iter().filter(|name| !name.contains('/')).filter_map(|name| {
            let path = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())?;
            Some((name.as_str(), path))
        });
        found.collect()
    }
}

/// Whether a library needs libtorch: a private copy is read.
///
/// # Errors
/// The file cannot be read.
pub fn links_libtorch(copy: &Path) -> io::Result<bool> {
    let is_torch = |name: &String| name.starts_with("libtorch") || name.starts_with("libc10");
    Ok(Needs::read(copy)?.libraries.iter().any(is_torch))
}

/// Opens the libraries that the plugin `path` brings along in its own folder; `copy` is what is opened of it.
/// One that cannot be opened is left to the loader's own message.
///
/// # Errors
/// The copy cannot be read.
pub fn open_those_beside(path: &Path, copy: &Path) -> io::Result<()> {
    let needs = Needs::read(copy)?;
    let origin = path.parent().unwrap_or(Path::new("/"));
    for (name, file) in needs.beside(origin) {
        if !is_loaded(name) {
            open_for_good(&file);
        }
    }
    Ok(())
}

#[cfg(unix)]
fn is_loaded(name: &str) -> bool {
    use libloading::os::unix::{Library, RTLD_LAZY};
    #[cfg(target_os = "linux")]
    const ONLY_IF_LOADED: std::ffi::c_int = libc::RTLD_NOLOAD;
    #[cfg(not(target_os = "linux"))]
    const ONLY_IF_LOADED: std::ffi::c_int = 0x10;
    // SAFETY: nothing is loaded, so that nothing of a library runs.
    unsafe { Library::open(Some(name), RTLD_LAZY | ONLY_IF_LOADED) }.is_ok()
}

#[cfg(unix)]
fn open_for_good(file: &Path) {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: its constructors run, as they would when the loader opened it for the plugin.
    match unsafe { Library::open(Some(file), RTLD_NOW | RTLD_LOCAL) } {
        Ok(library) => std::mem::forget(library),
        Err(error) => tracing::debug!("{}: {error}", file.display()),
    }
}

#[cfg(not(unix))]
fn is_loaded(_: &str) -> bool {
    true
}

#[cfg(not(unix))]
fn open_for_good(_: &Path) {}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::process::Command;

    use super::super::Snapshot;
    use super::*;

    fn compile(folder: &Path, source: &str, arguments: &[&str]) {
        std::fs::write(folder.join("source.c"), source).unwrap();
        let compiler = Command::new("cc")
            .args(["-shared", "-fPIC", "source.c"])
            .args(arguments)
            .current_dir(folder)
            .status();
        assert!(compiler.unwrap().success());
    }

    #[test]
    fn a_library_beside_the_plugin_is_found_by_its_run_path() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        let name = ["-o", "lib/libthaw_test_beside.so", "-Wl,-soname,libthaw_test_beside.so"];
        compile(folder.path(), "int beside(void) { return 7; }", &name);
        compile(
            folder.path(),
            "int beside(void); int plugin(void) { return beside(); }",
            &["-o", "libplugin.so", "-Llib", "-lthaw_test_beside", "-Wl,-rpath,/nowhere:$ORIGIN/lib"],
        );
        let plugin = folder.path().join("libplugin.so");
        let needs = Needs::read(&plugin).unwrap();
        assert!(needs.libraries.contains(&"libthaw_test_beside.so".to_owned()), "{needs:?}");
        let snapshot = Snapshot::take(&plugin).unwrap();
        snapshot.file().map(&plugin).unwrap();
        snapshot.keep();
    }
}
