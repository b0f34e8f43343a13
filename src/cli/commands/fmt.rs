//! `wf fmt`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::error::{Error, Kind};
use crate::cli::input::{self, STDIN};
use crate::cli::session::Session;
use crate::source::layout::laid_out;

/// Give manifests one layout, and nothing else
///
/// Two blanks a level, lists in the column of their key, no blanks at the end of lines, at most one
/// empty line. Comments, quotes and the order of keys stay. Standard input goes to standard output.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wf fmt manifests/\n  wf fmt --check manifests/\n  wf fmt - < in.yaml > out.yaml")]
pub struct Fmt {
    /// Files or folders; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,

    /// Change nothing; name the files that would change, and exit 1 if there are any
    #[arg(long)]
    pub check: bool,
}

impl Fmt {
    /// Lays out the files.
    pub fn run(&self, session: &Session) -> Result<(), Error> {
        let input = input::read(&self.files)?;
        let is_stdin = self.files.iter().any(|file| file.as_os_str() == STDIN);
        let mut changed = 0;
        for file in input.sources.ids() {
            let (name, before) = (input.sources.name(file), input.sources.text(file));
            let after = laid_out(&input.sources, file).unwrap_or_else(|why| {
                session.ui.warning(&format!("`{name}` stays as it is: {why}"));
                before.to_owned()
            });
            if is_stdin && !self.check {
                session.ui.data(&after)?;
            } else if after != before {
                changed += 1;
                session.ui.data(&format!("{name}\n"))?;
                if !self.check {
                    write(Path::new(name), &after)?;
                }
            }
        }
        match self.check && changed > 0 {
            true => Err(Error::told(Kind::Failed)),
            false => Ok(()),
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|error| Error::io(format!("write `{}`", path.display()), &error))
}
