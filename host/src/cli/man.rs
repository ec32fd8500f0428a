//! `host man`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::{Cli, Options, print};
use crate::Error;
use crate::error::io;
use thaw_files::durable;

/// Arguments of `host man`.
#[derive(Args)]
pub struct ManArgs {
    /// A folder for the pages; made where it is missing.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Writes a manual page of the program and of each command, and says where they are.
///
/// # Errors
/// The folder cannot be written.
pub fn run(options: &Options, args: &ManArgs) -> Result<(), Error> {
    fs::create_dir_all(&args.dir).map_err(io(&args.dir))?;
    let mut program = Cli::command();
    // Names of commands begin with the program's from here on.
    program.build();
    let pages = write(&program, &args.dir)?;
    if options.quiet { Ok(()) } else { print(format_args!("{}: {pages} pages", args.dir.display())) }
}

/// The page of a command and those of the commands below it; gives how many.
fn write(command: &Command, folder: &Path) -> Result<usize, Error> {
    let man = Man::new(command.clone());
    let path = folder.join(man.get_filename());
    let mut page = Vec::new();
    man.render(&mut page).map_err(io(&path))?;
    durable::write(&path, &page).map_err(io(&path))?;
    let mut pages = 1;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages += write(below, folder)?;
    }
    Ok(pages)
}
