//! `wf lint`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::error::{Error, Kind};
use crate::cli::input::STDIN;
use crate::cli::linting::{Linted, Texts};
use crate::cli::project::Project;
use crate::cli::session::Session;
use crate::cli::{planning, rulebook};
use crate::source::fix::{self, Choice};
use crate::source::formats::{self, Report};
use crate::source::{Diagnostic, FileId, Severity, render};

/// How often a text is read again after it was mended: a mend may lay bare another.
const ROUNDS_MAX: usize = 10;

/// Check manifests, and show every problem where it stands
///
/// Templates, ConfigMaps and Secrets that the manifests refer to are looked for in the files given,
/// in the library, and with `--cluster` in the namespace. Exits 1 when there is an error. `.wf.yaml`, in this folder or one above,
/// holds the settings of a project; a comment `# wf: allow WF151` allows a rule where it stands,
/// `# wf: allow-file WF151` in the whole file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wf lint workflow.yaml
  wf lint --library templates/ manifests/
  wf lint --fix manifests/
  wf lint -o github .                 # in a GitHub action
  wf lint -o sarif . > lint.sarif")]
pub struct Lint {
    /// Files or folders; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,

    /// How to print problems
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "human")]
    pub output: Output,

    /// Exit 1 also for what is less than an error
    #[arg(long, value_name = "WHAT")]
    pub deny: Option<Deny>,

    /// Folder or file whose templates may be called; it is not checked itself
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::AnyPath)]
    pub library: Vec<PathBuf>,

    /// Look up in the cluster what no file gives: templates that `wf template` keeps, and Argo's
    #[arg(long)]
    pub cluster: bool,

    /// Let pass what refers to templates that are nowhere
    #[arg(long)]
    pub ignore_missing: bool,

    /// Tell also what is a matter of taste
    #[arg(long)]
    pub pedantic: bool,

    /// Mend what can be mended, in the files; `likely` also takes what was probably meant
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "certain")]
    pub fix: Option<Mends>,

    /// Settings of the project, instead of the nearest `.wf.yaml`
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// How problems are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// With the lines they are about
    Human,
    /// One line each, as compilers print them
    Short,
    /// A JSON list
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub, the worst ten, and the summary of the step
    Github,
    /// GitLab's code quality report
    Gitlab,
    /// JUnit's XML
    Junit,
}

/// What is not accepted besides errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// Warnings
    Warnings,
}

/// Which mends are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mends {
    /// Those of which nothing else can have been meant
    Certain,
    /// Also what was probably meant
    Likely,
}

impl Lint {
    /// Checks the files, and mends them where that is asked for.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let project = self.project(session)?;
        let mut texts = Texts::read(&self.files, &project.library)?;
        if self.cluster {
            texts.complete(session).await?;
        }
        let mut linted = texts.lint(&project);
        if let Some(mends) = self.fix {
            linted = self.mend(&mut texts, linted, &project, mends, session)?;
        }
        self.print(&linted, &texts, session)?;
        let is_denied = |diagnostic: &Diagnostic| {
            diagnostic.is_error() || diagnostic.severity == Severity::Warning && self.deny == Some(Deny::Warnings)
        };
        match linted.diagnostics.iter().any(is_denied) {
            true => Err(Error::told(Kind::Failed)),
            false if !linted.is_something => Err(Error::new(Kind::NotFound, "found nothing to check in the files")
                .hint("a manifest has a `kind` such as Workflow")),
            false => Ok(()),
        }
    }

    fn project(&self, session: &Session) -> Result<Project, Error> {
        let mut project = Project::find(self.config.as_deref(), &session.ui)?;
        project.library.extend(self.library.iter().cloned());
        project.ignore_missing |= self.ignore_missing;
        if self.pedantic {
            project.tell_all();
        }
        Ok(project)
    }

    fn print(&self, linted: &Linted, texts: &Texts, session: &Session) -> Result<(), Error> {
        let rules = rulebook::all();
        let report = Report { diagnostics: &linted.diagnostics, sources: &texts.input.sources, rules: &rules };
        session.ui.data(&self.render(&report, session))?;
        if let (Output::Github, Some(path)) = (self.output, &session.env.step_summary) {
            append(path, &formats::step_summary(&report))?;
        }
        let (count, summary) = (linted.manifests, planning::summary(&linted.diagnostics));
        let plural = if count == 1 { "" } else { "s" };
        session.ui.status(&format!("{summary} in {count} manifest{plural}"));
        if self.fix.is_none() {
            self.hint_at_mends(&linted.diagnostics, session);
        }
        Ok(())
    }

    fn hint_at_mends(&self, diagnostics: &[Diagnostic], session: &Session) {
        let certain = diagnostics.iter().filter(|d| d.fix.as_ref().is_some_and(|fix| fix.is_certain)).count();
        if certain > 0 && matches!(self.output, Output::Human | Output::Short) {
            session.ui.hint(&format!("{certain} can be mended with `wf lint --fix`"));
        }
    }

    fn render(&self, report: &Report<'_>, session: &Session) -> String {
        let look = session.ui.out();
        let style = render::Style { colour: look.colour, width: look.width };
        let each = |line: &dyn Fn(&Diagnostic) -> String| report.diagnostics.iter().map(line).collect();
        match self.output {
            Output::Human => each(&|diagnostic| render::full(diagnostic, report.sources, style) + "\n\n"),
            Output::Short => each(&|diagnostic| render::short(diagnostic, report.sources) + "\n"),
            Output::Json => formats::json(report),
            Output::Sarif => formats::sarif(report),
            Output::Github => formats::annotations(report),
            Output::Gitlab => formats::gitlab(report),
            Output::Junit => formats::junit(report),
        }
    }

    /// Mends the texts until nothing is left to be mended, writes those that changed, and returns what
    /// is still wrong.
    fn mend(
        &self,
        texts: &mut Texts,
        mut linted: Linted,
        project: &Project,
        mends: Mends,
        session: &Session,
    ) -> Result<Linted, Error> {
        if self.files.iter().any(|file| file.as_os_str() == STDIN) {
            return Err(Error::new(Kind::Usage, "standard input cannot be mended").hint("give files"));
        }
        let choice = if mends == Mends::Likely { Choice::Likely } else { Choice::Certain };
        let before: Vec<String> = texts.checked().map(|file| texts.input.sources.text(file).to_owned()).collect();
        let (mut count, mut stuck) = (0, BTreeSet::new());
        for _ in 0..ROUNDS_MAX {
            let mended = round(texts, &mut linted, project, choice, &mut stuck);
            count += mended;
            if mended == 0 {
                break;
            }
        }
        for (file, before) in texts.checked().zip(before) {
            let after = texts.input.sources.text(file);
            if after != before {
                write(Path::new(texts.input.sources.name(file)), after)?;
            }
        }
        session.ui.status(&format!("{count} mended"));
        Ok(linted)
    }
}

/// Applies one round of mends and checks again; returns how many there were. A file that would have
/// more errors than before stays as it is, and is stuck.
fn round(
    texts: &mut Texts,
    linted: &mut Linted,
    project: &Project,
    choice: Choice,
    stuck: &mut BTreeSet<FileId>,
) -> usize {
    let (mut before, mut after, mut counts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for file in texts.checked().filter(|file| !stuck.contains(file)) {
        let text = texts.input.sources.text(file);
        let (mended, count) = fix::apply(text, file, &linted.diagnostics, choice);
        if count > 0 {
            before.insert(file, text.to_owned());
            after.insert(file, mended);
            counts.insert(file, count);
        }
    }
    if after.is_empty() {
        return 0;
    }
    texts.replace(&after);
    let mut again = texts.lint(project);
    let errors = |linted: &Linted, file| linted.diagnostics.iter().filter(|found| is_error_of(found, file)).count();
    let worse: Vec<FileId> =
        after.keys().copied().filter(|&file| errors(&again, file) > errors(linted, file)).collect();
    if !worse.is_empty() {
        before.retain(|file, _| worse.contains(file));
        texts.replace(&before);
        again = texts.lint(project);
        stuck.extend(worse);
    }
    *linted = again;
    counts.into_iter().filter(|(file, _)| !stuck.contains(file)).map(|(_, count)| count).sum()
}

fn is_error_of(diagnostic: &Diagnostic, file: FileId) -> bool {
    diagnostic.is_error() && diagnostic.span().is_some_and(|span| span.file == file)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|error| Error::io(format!("write `{}`", path.display()), &error))
}

fn append(path: &Path, text: &str) -> Result<(), Error> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Error::io(format!("write `{}`", path.display()), &error))
}
