//! `wf resubmit`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::going_on::GoingOn;
use crate::backend::local;
use crate::cli::complete;
use crate::cli::create::{self, Created, New};
use crate::cli::drive;
use crate::cli::error::{Error, Kind};
use crate::cli::handover;
use crate::cli::parameters::{self, Pair};
use crate::cli::runs::{self, Loaded};
use crate::cli::session::Session;
use crate::engine::{Event, Run, reuse};
use crate::plan::{Call, Resolved};

/// Run again what runs ran, as new runs
///
/// With --memoized, what succeeded before is taken over instead of run again.
#[derive(Debug, Args)]
pub struct Resubmit {
    /// The runs; `@latest` is the newest
    #[arg(value_name = "RUN", required = true, add = ArgValueCandidates::new(complete::runs))]
    pub runs: Vec<String>,

    /// Take over the nodes that succeeded
    #[arg(long)]
    pub memoized: bool,

    /// Change a parameter of the workflow
    #[arg(long = "parameter", short = 'p', value_name = "NAME=VALUE")]
    pub parameters: Vec<Pair>,

    /// Which run comes first when not all may run
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub priority: Option<i32>,

    /// How to go on.
    #[command(flatten)]
    pub going_on: GoingOn,
}

impl Resubmit {
    /// Submits the runs again.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let place = session.place().await?;
        let mut created = Vec::new();
        for name in runs::names(session, &self.runs).await? {
            let loaded = runs::load(session, &name).await?;
            let run = self.submit(session, loaded).await?;
            session.ui.status(&format!("`{}` submitted again from `{name}`, {}", run.stored.header.name, place.words));
            created.push(run);
        }
        if self.going_on.no_wait || handover::is_elsewhere(session).await {
            let names: Vec<_> = created.iter().map(|run| (run.stored.header.name.clone(), false)).collect();
            for run in created {
                handover::leave(session, run).await?;
            }
            return self.going_on.go_on(session, &names).await;
        }
        let how = self.going_on.how(created.len());
        let drives = created.into_iter().map(|run| drive::drive_new(session, run.log, run.stored, &how));
        futures_util::future::join_all(drives).await.into_iter().find(Result::is_err).unwrap_or(Ok(()))
    }

    async fn submit(&self, session: &Session, old: Loaded) -> Result<Created, Error> {
        let old_name = old.run.name().to_string();
        let mut resolved = old.stored.header.resolved.clone();
        keep_arguments(&mut resolved, &old.run);
        self.change(&mut resolved)?;
        resolved.metadata.labels.insert(RESUBMITTED_FROM.to_owned(), old_name.clone());
        let prefix = resolved.metadata.generate_name.clone().unwrap_or_else(|| format!("{old_name}-"));
        let call = Call { generate_name: Some(prefix), ..Call::default() };
        let name = create::name(&resolved.metadata, &call)?;
        let reused = self.memoized.then(|| reuse(&old.run));
        let made = reused.iter().flat_map(Event::artifacts).cloned().collect::<Vec<_>>();
        let files = old.stored.header.files;
        let created =
            create::create(session, New { name, resolved, files, reused: reused.into_iter().collect() }).await?;
        let place = session.place().await?;
        let (Some(from), Some(to)) = (place.folder(old.run.name()), place.folder(&created.stored.header.name)) else {
            return Ok(created);
        };
        local::share_artifacts(&from, &to, made.iter().map(|artifact| &**artifact)).map_err(|fault| {
            Error::new(Kind::Unreachable, format!("failed to take over artifacts of `{old_name}`: {fault}"))
        })?;
        Ok(created)
    }

    /// Changes parameters and priority in what is submitted again.
    fn change(&self, resolved: &mut Resolved) -> Result<(), Error> {
        let parameters = parameters::gather(&[], &self.parameters)?;
        let arguments = resolved.spec.arguments.get_or_insert_default();
        for (name, value) in parameters {
            match arguments.parameters.iter_mut().find(|parameter| parameter.name == name) {
                Some(parameter) => parameter.value = Some(value.into()),
                None => return Err(no_parameter(&name)),
            }
        }
        if self.priority.is_some() {
            resolved.spec.priority = self.priority;
        }
        Ok(())
    }
}

/// Gives the new run the arguments that the old one had at the end: `wf retry -p` may have changed them.
fn keep_arguments(resolved: &mut Resolved, old: &Run) {
    let parameters = resolved.spec.arguments.iter_mut().flat_map(|arguments| &mut arguments.parameters);
    for parameter in parameters.filter(|parameter| parameter.value_from.is_none()) {
        let had = old.arguments().iter().find(|had| *had.name == *parameter.name);
        if let Some(value) = had.and_then(|had| had.value.as_deref()) {
            parameter.value = Some(value.into());
        }
    }
}

/// Argo's label of a run that another was made of.
const RESUBMITTED_FROM: &str = "workflows.argoproj.io/resubmitted-from-workflow";

fn no_parameter(name: &str) -> Error {
    Error::new(Kind::Usage, format!("the workflow has no parameter `{name}`"))
}
