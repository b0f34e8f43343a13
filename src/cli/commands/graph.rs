//! `wf graph`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::error::{Error, Kind};
use crate::cli::linting::Texts;
use crate::cli::planning;
use crate::cli::session::Session;
use crate::plan::{self, Call, Library, Plan};
use crate::source::Diagnostic;
use crate::spec::{self, Read};
use crate::view::graph::{Graph, dot, mermaid, rows, svg};

/// Draw what a workflow will do
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wf graph workflow.yaml
  wf graph -o svg workflow.yaml > workflow.svg
  wf graph -o mermaid --library templates/ workflow.yaml")]
pub struct GraphCommand {
    /// Files or folders; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,

    /// How to draw
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "rows")]
    pub output: Output,

    /// Draw calls of other steps and DAGs as one node each
    #[arg(long)]
    pub flat: bool,

    /// The object to draw, where the files hold several
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Folder or file whose templates may be called
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::AnyPath)]
    pub library: Vec<PathBuf>,
}

/// How graphs are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A row for each step, for terminals
    Rows,
    /// Mermaid, for Markdown
    Mermaid,
    /// Graphviz
    Dot,
    /// A drawing
    Svg,
}

impl GraphCommand {
    /// Draws the one workflow of the files, or the one that is named.
    pub fn run(&self, session: &Session) -> Result<(), Error> {
        let texts = Texts::read(&self.files, &self.library)?;
        let sources = &texts.input.sources;
        let (reads, mut diagnostics) = spec::read_all(sources);
        let (library, more) = Library::new(&reads);
        diagnostics.extend(more);
        let given: Vec<_> = texts.checked().collect();
        let read = self.chosen(reads.iter().filter(|read| given.contains(&read.document.file)))?;
        let (plan, found) = plan::check(sources, read, &library, &Call::default());
        diagnostics.extend(found);
        diagnostics.retain(Diagnostic::is_error);
        planning::tell(&diagnostics, sources, &session.ui);
        match plan.filter(|_| diagnostics.is_empty()) {
            Some(plan) => self.draw(&plan, session),
            None => Err(Error::new(Kind::Failed, format!("nothing was drawn: {}", planning::summary(&diagnostics)))),
        }
    }

    fn chosen<'r>(&self, reads: impl Iterator<Item = &'r Read>) -> Result<&'r Read, Error> {
        let name = |read: &Read| {
            let metadata = read.manifest.metadata();
            metadata.name.clone().or(metadata.generate_name.clone()).unwrap_or_default()
        };
        let drawable = |read: &&Read| read.manifest.workflow_spec().is_some();
        let found: Vec<&Read> = reads
            .filter(drawable)
            .filter(|read| self.name.as_ref().is_none_or(|wanted| name(read) == *wanted))
            .collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(Error::new(Kind::NotFound, "found no workflow to draw in the files")),
            [first, ..] => {
                Err(Error::new(Kind::Usage, format!("the files hold {} workflows; which one?", found.len()))
                    .hint(format!("--name {}", name(first))))
            }
        }
    }

    fn draw(&self, plan: &Plan, session: &Session) -> Result<(), Error> {
        let graph = Graph::of(plan, !self.flat);
        session.ui.data(&match self.output {
            Output::Rows => rows::render(&graph, session.ui.out()),
            Output::Mermaid => mermaid::render(&graph),
            Output::Dot => dot::render(&graph),
            Output::Svg => svg::render(&graph),
        })?;
        if graph.is_cut {
            session.ui.warning(&format!("only the first {} steps are drawn; --flat draws fewer", graph.nodes.len()));
        }
        Ok(())
    }
}
