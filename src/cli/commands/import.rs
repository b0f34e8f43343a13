//! `wf import`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use crate::base::{RunName, RunUid, Timestamp};
use crate::cli::create::{self, Created, New};
use crate::cli::env;
use crate::cli::error::{Error, Kind};
use crate::cli::input;
use crate::cli::planning::{self, Manifests};
use crate::cli::referred;
use crate::cli::runs;
use crate::cli::session::Session;
use crate::driver::Machine;
use crate::engine::import::{self, object};
use crate::plan::{self, Call, Plan};
use crate::source::{self, Diagnostic, Sources};
use crate::spec::{API_VERSION, Manifest};
use crate::store::Log;

/// Go on with workflows that Argo has run: look at them, retry and resubmit them
///
/// Takes Workflow objects with their status, as `argo get -o yaml` and `kubectl get workflow -o json` print
/// them, lists included. Templates that they refer to come from the objects, which keep them, and else from
/// the other objects of the files.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  argo get -o yaml build-x7k2p | wf import -\n  wf import build-x7k2p.yaml && wf retry build-x7k2p\n  kubectl get workflows -o json | wf import -"
)]
pub struct Import {
    /// Files with Workflow objects; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

impl Import {
    /// Makes a run of each workflow. Nothing is made when one of them cannot become a run.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let (mut workflows, mut others) = (Vec::new(), Vec::new());
        for file in &self.files {
            for object in objects(file)? {
                match object["kind"].as_str() {
                    Some("Workflow") => workflows.push((file, object)),
                    Some("WorkflowTemplate" | "ClusterWorkflowTemplate" | "ConfigMap") => others.push(object),
                    _ => return Err(refused(file, &object::complete(object).err())),
                }
            }
        }
        if workflows.is_empty() {
            return Err(Error::new(Kind::Usage, "the files hold no Workflow"));
        }
        let mut drafts = Vec::new();
        for (file, workflow) in workflows {
            drafts.push(draft(session, file, workflow, &others).await?);
        }
        for new in drafts {
            make(session, new).await?;
        }
        Ok(())
    }
}

/// Returns the run that a workflow becomes.
async fn draft(session: &Session, file: &Path, object: Value, others: &[Value]) -> Result<New, Error> {
    let workflow = object::complete(object).map_err(|fault| refused(file, &Some(fault)))?;
    let metadata = &workflow["metadata"];
    let usage = |words: String| Error::new(Kind::Usage, format!("`{}`: {words}", file.display()));
    let name = RunName::new(metadata["name"].as_str().unwrap_or_default()).map_err(|fault| usage(fault.to_string()))?;
    let uid = RunUid(Arc::from(metadata["uid"].as_str().unwrap_or_default()));
    let created_at = metadata["creationTimestamp"].as_str().and_then(Timestamp::parse_rfc3339);
    let plan = Arc::new(plan_of(session, &workflow, others).await?);
    let event = import::import(&plan, &name, &uid, &workflow["status"])
        .map_err(|fault| usage(format!("`{name}` cannot be imported: {fault}")))?;
    let was = (uid, created_at.unwrap_or_else(env::now));
    Ok(New { name, resolved: plan.resolved.clone(), files: Vec::new(), first: vec![event], was: Some(was) })
}

/// Returns the objects of a file.
fn objects(file: &Path) -> Result<Vec<Value>, Error> {
    let text = input::read_large(file, input::IMPORT)?;
    let broken = |words: String| Error::new(Kind::Usage, format!("`{}` cannot be read: {words}", file.display()));
    // What kubectl prints as JSON may be larger than what is read as YAML.
    if text.trim_start().starts_with('{') {
        let document: Value = serde_json::from_str(&text).map_err(|fault| broken(fault.to_string()))?;
        return Ok(object::objects(document));
    }
    let mut sources = Sources::default();
    let id = sources.add(file.display().to_string(), text);
    let (documents, diagnostics) = source::read(&sources, id);
    match diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
        Some(fault) => Err(broken(fault.message.clone())),
        None => Ok(documents.into_iter().flat_map(|document| object::objects(document.root.to_json())).collect()),
    }
}

fn refused(file: &Path, fault: &Option<import::ImportError>) -> Error {
    let words = fault.as_ref().map(ToString::to_string).unwrap_or_default();
    Error::new(Kind::Usage, format!("`{}`: {words}", file.display()))
}

/// Returns the plan of what Argo ran: with what the object keeps of its templates, and else with what
/// the files and the namespace have.
async fn plan_of(session: &Session, workflow: &Value, others: &[Value]) -> Result<Plan, Error> {
    let (mut ran, kept) = import::stored(workflow);
    if let Some(object) = ran.as_object_mut() {
        object.remove("status");
        object.insert("apiVersion".to_owned(), API_VERSION.into());
    }
    let is_kept = |other: &&Value| {
        kept.iter()
            .all(|kept| (&kept["kind"], &kept["metadata"]["name"]) != (&other["kind"], &other["metadata"]["name"]))
    };
    let mut manifests = Manifests::none();
    manifests.add("workflow".to_owned(), ran.to_string());
    for other in kept.iter().chain(others.iter().filter(is_kept)) {
        let name = format!("{} {}", other["kind"].as_str().unwrap_or_default(), other["metadata"]["name"]);
        manifests.add(name, other.to_string());
    }
    referred::complete(session, &mut manifests).await?;
    let sources = &manifests.input.sources;
    let read = manifests.reads.iter().find(|read| matches!(read.manifest, Manifest::Workflow(_)));
    let (made, found) = match read {
        Some(read) => plan::check(sources, read, &manifests.library, &Call::default()),
        None => (None, Vec::new()),
    };
    made.ok_or_else(|| {
        let errors: Vec<Diagnostic> =
            manifests.diagnostics.iter().chain(&found).filter(|it| it.is_error()).cloned().collect();
        planning::tell(&errors, sources, &session.ui);
        Error::new(Kind::Failed, format!("nothing was imported: {}", planning::summary(&errors)))
            .hint("give the files of the templates that the workflow refers to")
    })
}

async fn make(session: &Session, mut new: New) -> Result<(), Error> {
    if let Some(cluster) = &session.place().await?.cluster {
        new.resolved.metadata.namespace = Some(cluster.namespace.clone());
    }
    let Created { mut log, stored } = create::create(session, new).await?;
    let run = runs::fold(&stored)?;
    log.summarize(&run.summary()).await?;
    log.release().await;
    let name = run.name();
    session.ui.status(&format!("`{name}` imported: {}, {} nodes", run.phase(), run.nodes().count()));
    Ok(())
}
