//! `wf template`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::lint::Lint;
use super::submit::kind_of;
use crate::cli::env;
use crate::cli::error::{Error, Kind};
use crate::cli::planning::{self, Manifests};
use crate::cli::referred;
use crate::cli::session::Session;
use crate::source::{Diagnostic, Path};
use crate::spec::{Kind as ManifestKind, Read};
use crate::store::kubernetes::{Kept, TEMPLATE_BYTES_MAX, TemplateStore};
use crate::view::look::age;

/// Keep templates and cron workflows in a namespace, for others to refer to
///
/// NAME is the name of a WorkflowTemplate; write KIND/NAME for a ClusterWorkflowTemplate or a
/// CronWorkflow. Those of cluster scope are kept in the namespace of --shared-namespace.
#[derive(Debug, Args)]
pub struct Template {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with templates.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Check manifests, and keep their templates and cron workflows
    Create(Create),
    /// Print a template as it was given
    Get(Get),
    /// List what the namespace keeps
    List(List),
    /// Remove templates
    Delete(Delete),
    /// Check manifests, as `wf lint` does
    Lint(Lint),
}

/// Check manifests, and keep their templates and cron workflows
#[derive(Debug, Args)]
pub struct Create {
    /// Files or folders; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,

    /// Replace what has the same kind and name
    #[arg(long)]
    pub replace: bool,
}

/// Print a template as it was given
#[derive(Debug, Args)]
pub struct Get {
    /// The template: NAME, or KIND/NAME
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// List what the namespace keeps
#[derive(Debug, Args)]
pub struct List {
    /// Print names only
    #[arg(long)]
    pub names: bool,
}

/// Remove templates
#[derive(Debug, Args)]
pub struct Delete {
    /// The templates: NAME, or KIND/NAME
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
}

/// The kinds that are kept.
const KINDS: [ManifestKind; 3] =
    [ManifestKind::WorkflowTemplate, ManifestKind::ClusterWorkflowTemplate, ManifestKind::CronWorkflow];

impl Template {
    /// Does it.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        match &self.action {
            Action::Create(create) => create.run(session).await,
            Action::Get(get) => get.run(session).await,
            Action::List(list) => list.run(session).await,
            Action::Delete(delete) => delete.run(session).await,
            Action::Lint(lint) => lint.run(session).await,
        }
    }
}

impl Create {
    async fn run(&self, session: &Session) -> Result<(), Error> {
        let mut manifests = Manifests::read(&self.files)?;
        let given = manifests.reads.len();
        referred::complete(session, &mut manifests).await?;
        let diagnostics = planning::lint(&manifests);
        planning::tell(&diagnostics, &manifests.input.sources, &session.ui);
        if diagnostics.iter().any(Diagnostic::is_error) {
            let summary = planning::summary(&diagnostics);
            return Err(Error::new(Kind::Failed, format!("nothing was kept: {summary}")));
        }
        let kept: Vec<&Read> =
            manifests.reads.iter().take(given).filter(|read| KINDS.contains(&read.manifest.kind())).collect();
        if kept.is_empty() {
            return Err(Error::new(Kind::Usage, "the files hold no template and no cron workflow")
                .hint("a template has a kind such as WorkflowTemplate"));
        }
        for read in kept {
            self.keep(session, &manifests, read).await?;
        }
        Ok(())
    }

    async fn keep(&self, session: &Session, manifests: &Manifests, read: &Read) -> Result<(), Error> {
        let kind = read.manifest.kind();
        let Some(name) = read.manifest.metadata().name.as_deref() else {
            return Err(Error::new(Kind::Usage, format!("a {kind} without a name cannot be kept")));
        };
        let span = read.document.span(&Path::root());
        let text = manifests.input.sources.slice(span);
        if text.len() > TEMPLATE_BYTES_MAX {
            let message =
                format!("the {kind} `{name}` is larger than 1 MiB (TEMPLATE_BYTES_MAX), which a ConfigMap holds");
            return Err(Error::new(Kind::Usage, message));
        }
        let store = store(session, kind).await?;
        store.put(kind, name, text, self.replace).await.map_err(|error| {
            let error = Error::from(error);
            if error.kind == Kind::Usage && !self.replace { error.hint("replace it with --replace") } else { error }
        })?;
        session.ui.status(&format!("{kind} `{name}` is kept in namespace `{}`", store.namespace()));
        Ok(())
    }
}

impl Get {
    async fn run(&self, session: &Session) -> Result<(), Error> {
        let (kind, name) = parse(&self.name)?;
        let store = store(session, kind).await?;
        match store.get(kind, name).await? {
            Some(kept) => session.ui.data(&format!("{}\n", kept.text.trim_end())),
            None => Err(store.not_found(kind, name).await.into()),
        }
    }
}

impl List {
    async fn run(&self, session: &Session) -> Result<(), Error> {
        let mut all: Vec<Kept> = Vec::new();
        for kind in KINDS {
            match store(session, kind).await?.list(kind).await {
                Ok(kept) => all.extend(kept),
                // The namespace of what all share need not be there, nor be open to everybody.
                Err(error) if kind == ManifestKind::ClusterWorkflowTemplate => {
                    session.ui.detail(&Error::from(error).message);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if all.is_empty() {
            session.ui.status("no templates found");
            return Ok(());
        }
        let now = env::now();
        let width = all.iter().map(|kept| kept.name.len()).max().unwrap_or(0);
        let row = |kept: &Kept| match self.names {
            true => format!("{}/{}\n", kept.kind.name().to_lowercase(), kept.name),
            false => {
                let age = age(now.since(kept.created_at));
                format!("{:width$}  {:23}  {age}\n", kept.name, kept.kind.name())
            }
        };
        session.ui.data(&all.iter().map(row).collect::<String>())
    }
}

impl Delete {
    async fn run(&self, session: &Session) -> Result<(), Error> {
        for text in &self.names {
            let (kind, name) = parse(text)?;
            store(session, kind).await?.delete(kind, name).await?;
            session.ui.status(&format!("{kind} `{name}` deleted"));
        }
        Ok(())
    }
}

/// Returns the kind and the name of `NAME` or `KIND/NAME`.
fn parse(text: &str) -> Result<(ManifestKind, &str), Error> {
    match text.split_once('/') {
        Some((kind, name)) => Ok((kind_of(kind)?, name)),
        None => Ok((ManifestKind::WorkflowTemplate, text)),
    }
}

/// Returns what keeps manifests of a kind.
async fn store(session: &Session, kind: ManifestKind) -> Result<TemplateStore, Error> {
    let place = session.place().await?;
    let Some(cluster) = &place.cluster else {
        return Err(Error::new(Kind::Usage, "templates are kept in a cluster, and none is configured")
            .hint("give the files of templates to `wf submit` beside the workflow's"));
    };
    Ok(TemplateStore::new(cluster, &session.namespace_of(kind, cluster)))
}
