//! Runs by name: finding, loading, asking.

use std::sync::Arc;

use super::error::{Error, Kind};
use super::session::Session;
use crate::base::{RunName, suggest};
use crate::driver::{self, control};
use crate::engine::{Control, Phase, Run};
use crate::plan::{Plan, Resolved};
use crate::store::{Answer, Store, StoreError, Stored, Summary};
use crate::view::RunView;
use crate::view::list::Entry;

/// What stands for the run that was submitted last.
pub const LATEST: &str = "@latest";

/// Returns the run that `text` names.
pub async fn name(session: &Session, text: &str) -> Result<RunName, Error> {
    if text == LATEST {
        return Ok(latest(session.store().await?).await?);
    }
    RunName::new(text).map_err(|error| Error::new(Kind::NotFound, error.to_string()).hint("wf list"))
}

/// Returns the run that was submitted last.
pub async fn latest(store: &impl Store) -> Result<RunName, StoreError> {
    let latest = store.list().await?.into_iter().next().map(|summary| summary.name);
    latest.ok_or_else(|| StoreError::NotFound { run: LATEST.to_owned(), nearest: None })
}

/// Returns the runs that several texts name, each once.
pub async fn names(session: &Session, texts: &[String]) -> Result<Vec<RunName>, Error> {
    let mut names = Vec::new();
    for text in texts {
        let name = name(session, text).await?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// A run as its log tells it.
pub struct Loaded {
    /// The log.
    pub stored: Stored,
    /// Its fold.
    pub run: Run,
}

/// Loads a run, whoever drives it.
pub async fn load(session: &Session, name: &RunName) -> Result<Loaded, Error> {
    let stored = session.store().await?.load(name).await?;
    let run = fold(&stored)?;
    if let Some(torn) = &stored.torn {
        session.ui.detail(&format!("the end of the log was left out: {torn}"));
    }
    Ok(Loaded { stored, run })
}

/// Loads a run and returns its view at this instant.
pub async fn view(session: &Session, name: &RunName) -> Result<RunView, Error> {
    Ok(RunView::measured(&load(session, name).await?.run, super::env::now()))
}

/// Returns the run that a log tells of.
pub fn fold(stored: &Stored) -> Result<Run, Error> {
    Ok(driver::fold(plan_of(&stored.header.resolved)?, stored))
}

/// Returns the plan of a manifest that was accepted before.
pub fn plan_of(resolved: &Resolved) -> Result<Arc<Plan>, Error> {
    Plan::compile(resolved.clone()).map(Arc::new).map_err(|problems| {
        let first = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
        Error::new(Kind::Failed, format!("the manifest that the run keeps cannot be planned: {first}"))
            .hint("the log was changed, or written by another release of wf")
    })
}

/// Asks a run for something, and returns whether a live driver will act upon it.
pub async fn ask(session: &Session, name: &RunName, control: &Control) -> Result<bool, Error> {
    let outcome = control::request(session.store().await?, &session.clock, name, control, fold).await;
    match outcome.map_err(refused)? {
        control::Outcome { answer: Answer::Accepted, is_driven } => Ok(is_driven),
        control::Outcome { answer: Answer::Refused { reason }, .. } => {
            Err(Error::new(Kind::Usage, format!("run `{name}`: {reason}")).hint(format!("wf get {name}")))
        }
    }
}

fn refused(error: control::RequestError<Error>) -> Error {
    match error {
        control::RequestError::Store(error) => error.into(),
        control::RequestError::Fold(error) => error,
        control::RequestError::NoAnswer { .. } => Error::new(Kind::Driven, error.to_string()),
    }
}

/// Returns what a listing shows of a summary.
pub fn entry(summary: &Summary) -> Entry {
    Entry {
        name: summary.name.to_string(),
        phase: phase(&summary.phase),
        suspended: summary.suspended,
        message: summary.message.clone(),
        progress: summary.progress.clone(),
        priority: i64::from(summary.priority),
        created_at: summary.created_at,
        started_at: summary.started_at,
        finished_at: summary.finished_at,
    }
}

/// Returns the phase of a summary; one that is not known yet is pending.
pub fn phase(text: &str) -> Phase {
    serde_json::from_value(text.into()).unwrap_or(Phase::Pending)
}

/// Returns the error for a node that the run does not have.
pub fn no_such_node(view: &RunView, text: &str) -> Error {
    let labels: Vec<String> =
        view.nodes.iter().filter(|node| node.kind.is_leaf()).map(|node| node.label(&view.name)).collect();
    let error = Error::new(Kind::NotFound, format!("run `{}` has no node `{text}`", view.name));
    match suggest::nearest(text, labels.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("wf get {}", view.name)),
    }
}
