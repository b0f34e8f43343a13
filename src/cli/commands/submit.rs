//! `wf submit`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap_complete::ArgValueCandidates;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use crate::base::{RunName, RunUid, TimeSpan, suggest};
use crate::cli::complete;
use crate::cli::create::{self, Created, New};
use crate::cli::drive::{self, How};
use crate::cli::env;
use crate::cli::error::{Error, Kind};
use crate::cli::foretold;
use crate::cli::handover;
use crate::cli::logs::Choice;
use crate::cli::parameters::{self, Pair};
use crate::cli::place::Place;
use crate::cli::planning::{self, Manifests};
use crate::cli::prompt;
use crate::cli::referred;
use crate::cli::report::Show;
use crate::cli::runs;
use crate::cli::session::Session;
use crate::engine::{Run, forecast};
use crate::plan::{Call, Plan};
use crate::source::Diagnostic;
use crate::spec::{Kind as ManifestKind, Parameter, Read};
use crate::view::{Format, argo, output};

/// Runs that are made at the same time: each takes a cluster a few answers, one after the other.
const CREATED_AT_ONCE_MAX: usize = 16;

/// Check manifests and run their workflows
///
/// Every Workflow in the files is submitted; the templates, ConfigMaps and Secrets that they
/// refer to are looked for in the files. Exits with the result of the runs. Ctrl-C only detaches:
/// steps that run go on, and `wf watch RUN` goes on with the run. Where `wf install` has put drivers into
/// the cluster, they drive it, and this command returns at once unless it is told to stay.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wf submit --watch workflow.yaml\n  wf submit workflow.yaml -p message=hello\n  wf submit --from workflowtemplate/build templates.yaml\n  wf submit --dry-run workflow.yaml\n  wf submit --dry-run -o yaml workflow.yaml"
)]
pub struct Submit {
    /// Files or folders; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "from", value_hint = clap::ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,

    /// Set a parameter of the workflow
    #[arg(long = "parameter", short = 'p', value_name = "NAME=VALUE", add = ArgValueCandidates::new(complete::parameters))]
    pub parameters: Vec<Pair>,

    /// Read parameters from a file: a map of names to values
    #[arg(long = "parameter-file", short = 'f', value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub parameter_files: Vec<PathBuf>,

    /// Submit a template of the files or the namespace: workflowtemplate/NAME, clusterworkflowtemplate/NAME or cronworkflow/NAME
    #[arg(long, value_name = "KIND/NAME")]
    pub from: Option<String>,

    /// Name of the run
    #[arg(long, value_name = "NAME", conflicts_with = "generate_name")]
    pub name: Option<String>,

    /// Beginning of the run's name, which is completed by chance
    #[arg(long, value_name = "PREFIX")]
    pub generate_name: Option<String>,

    /// The template to begin with
    #[arg(long, value_name = "TEMPLATE", add = ArgValueCandidates::new(complete::templates))]
    pub entrypoint: Option<String>,

    /// Service account of the pods
    #[arg(long, value_name = "NAME", visible_alias = "service-account")]
    pub serviceaccount: Option<String>,

    /// Labels of the run: name=value,…
    #[arg(long, short = 'l', value_name = "LABELS")]
    pub labels: Vec<String>,

    /// Annotations of the run: name=value,…
    #[arg(long, value_name = "ANNOTATIONS")]
    pub annotations: Vec<String>,

    /// Which run comes first when not all may run
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub priority: Option<i32>,

    /// Watch the run to its end
    #[arg(long, conflicts_with_all = ["wait", "log"])]
    pub watch: bool,

    /// Wait to the end, also where only a person can make the run go on
    #[arg(long, short = 'w', conflicts_with = "log")]
    pub wait: bool,

    /// Print what the steps write, to the end of the run
    #[arg(long)]
    pub log: bool,

    /// Do not begin lines of --log with the node's name
    #[arg(long, requires = "log")]
    pub no_prefix: bool,

    /// Check, and print what would run; with -o, the workflows as they would be submitted
    #[arg(long, conflicts_with_all = ["watch", "wait", "log"])]
    pub dry_run: bool,

    /// How to print the run: name, json, yaml, jsonpath=…, custom-columns=…
    #[arg(long, short = 'o', value_name = "FORMAT", add = ArgValueCandidates::new(complete::formats))]
    pub output: Option<Format>,

    /// Write changes as NDJSON to this file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,

    /// Exit 6 when the run has not ended in time; its steps go on
    #[arg(long, value_name = "DURATION", value_parser = TimeSpan::parse)]
    pub timeout: Option<TimeSpan>,

    /// Exit 7 when only a person can make the run go on
    #[arg(long)]
    pub no_wait_suspend: bool,
}

impl Submit {
    /// Checks and runs.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let place = session.place().await?;
        let mut manifests = if self.files.is_empty() { Manifests::none() } else { Manifests::read(&self.files)? };
        if let Some((kind, name)) = self.from()?
            && !manifests.has(kind, name)
        {
            referred::add(session, place, &mut manifests, kind, name).await?;
        }
        referred::complete(session, &mut manifests).await?;
        let mut planned = Vec::new();
        for read in self.choose(&manifests, session)? {
            let call = self.call(session, read)?;
            let mut plan = planning::plan(session, &manifests, read, &call)?;
            if let Some(cluster) = &place.cluster {
                plan.resolved.metadata.namespace = Some(cluster.namespace.clone());
            }
            planned.push((create::name(&plan.resolved.metadata, &call)?, plan));
        }
        if self.dry_run {
            return self.print_dry(session, planned);
        }
        let made = planned.into_iter().map(|(name, plan)| {
            create::tell_notes(session, &plan);
            let files = manifests.input.files.clone();
            create::create(session, New { name, resolved: plan.resolved, files, first: Vec::new(), was: None })
        });
        let created: Vec<Created> = stream::iter(made).buffered(CREATED_AT_ONCE_MAX).try_collect().await?;
        let names: Vec<RunName> = created.iter().map(|run| run.stored.header.name.clone()).collect();
        let mut ours = Vec::new();
        for run in created {
            ours.extend(handover::leave(session, run).await?);
        }
        for name in &names {
            let is_ours = ours.iter().any(|run| run.stored.header.name == *name);
            self.tell_created(session, name, is_ours, place)?;
        }
        self.accompany(session, &names, ours).await
    }

    /// Returns the kind and name that `--from` gives.
    fn from(&self) -> Result<Option<(ManifestKind, &str)>, Error> {
        let Some(from) = &self.from else { return Ok(None) };
        let (kind, name) = from.split_once('/').ok_or_else(|| {
            Error::new(Kind::Usage, format!("`{from}` is not KIND/NAME")).hint("such as --from workflowtemplate/build")
        })?;
        Ok(Some((kind_of(kind)?, name)))
    }

    /// Returns what is submitted: what `--from` names, or every Workflow.
    fn choose<'a>(&self, manifests: &'a Manifests, session: &Session) -> Result<Vec<&'a Read>, Error> {
        if let Some((kind, name)) = self.from()? {
            return find(manifests, kind, name, session.is_local()).map(|read| vec![read]);
        }
        let chosen: Vec<&Read> = manifests.workflows().collect();
        match chosen.len() {
            0 if manifests.diagnostics.iter().any(Diagnostic::is_error) => {
                planning::tell(&manifests.diagnostics, &manifests.input.sources, &session.ui);
                Err(planning::refused(&manifests.diagnostics))
            }
            0 => Err(nothing_to_submit(manifests)),
            1 => Ok(chosen),
            several if self.watch => Err(only_one("--watch", several)),
            several if self.name.is_some() => Err(only_one("--name", several)),
            _ => Ok(chosen),
        }
    }

    fn call(&self, session: &Session, read: &Read) -> Result<Call, Error> {
        let mut parameters = parameters::gather(&self.parameter_files, &self.parameters)?;
        if prompt::may_ask(session) {
            for parameter in
                missing(read).filter(|parameter| !parameters.contains_key(&parameter.name)).collect::<Vec<_>>()
            {
                parameters.insert(parameter.name.clone(), prompt::parameter(parameter)?);
            }
        }
        Ok(Call {
            parameters,
            entrypoint: self.entrypoint.clone(),
            service_account: self.serviceaccount.clone(),
            priority: self.priority,
            labels: parameters::labels(&self.labels)?,
            annotations: parameters::labels(&self.annotations)?,
            name: self.name.clone(),
            generate_name: self.generate_name.clone(),
        })
    }

    /// Prints what would run, or the workflows as they would be kept: merged, with what the call changes.
    fn print_dry(&self, session: &Session, planned: Vec<(RunName, Plan)>) -> Result<(), Error> {
        let Some(format) = self.output.clone().filter(|format| !format.is_human()) else {
            let forecast = |(name, plan): (RunName, Plan)| {
                let (at, uid) = (env::now(), RunUid(Arc::from("")));
                let run = Run::new(Arc::new(plan), name.clone(), uid, at);
                (name.to_string(), forecast::submission(run, at))
            };
            let forecasts: Vec<_> = planned.into_iter().map(forecast).collect();
            return foretold::print(session, &forecasts, None);
        };
        let objects: Vec<Value> = planned.iter().map(|(name, plan)| create::object(name, &plan.resolved)).collect();
        let text = match objects.as_slice() {
            [object] => output::object(object, &format, session.ui.out()),
            _ => output::objects(objects, &format, session.ui.out()),
        };
        session.ui.data(&text.unwrap_or_default())?;
        session.ui.status("nothing was submitted (--dry-run)");
        Ok(())
    }

    fn tell_created(&self, session: &Session, name: &RunName, is_ours: bool, place: &Place) -> Result<(), Error> {
        session.ui.status(&format!("`{name}` submitted, {}", place.words));
        let is_bare = !(self.watch || self.wait || self.log);
        match (is_ours, place.cluster.is_some()) {
            (true, true) if is_bare => session.ui.status(&format!(
                "no driver is installed there (`wf install --image`), so this process drives it; when it is interrupted, \
                 steps that run go on, and new ones start with: wf watch {name}"
            )),
            (true, false) if is_bare => session
                .ui
                .status(&format!("this process drives it; when it is interrupted, go on with: wf watch {name}")),
            (false, _) if !self.stays() => {
                session.ui.status(&format!("it is driven in the cluster; look at it with: wf watch {name}"));
            }
            _ => {}
        }
        if self.output == Some(Format::Name) { session.ui.data(&format!("{name}\n")) } else { Ok(()) }
    }

    /// Returns whether the command goes on while others drive the runs.
    fn stays(&self) -> bool {
        let tells = self.events.is_some() || self.timeout.is_some() || self.no_wait_suspend;
        self.watch || self.wait || self.log || tells
    }

    /// Drives the runs that are `ours` to their ends, and watches the others of `names`, all at once.
    async fn accompany(&self, session: &Session, names: &[RunName], ours: Vec<Created>) -> Result<(), Error> {
        let how = self.how(names.len());
        let is_ours = |name: &&RunName| ours.iter().any(|run| run.stored.header.name == **name);
        let others: Vec<&RunName> = names.iter().filter(|name| self.stays() && !is_ours(name)).collect();
        let watched = others.into_iter().map(|name| drive::attach(session, name, &how));
        let drives = ours.into_iter().map(|run| drive::drive_new(session, run.log, run.stored, &how));
        let (watched, drives) = (futures_util::future::join_all(watched), futures_util::future::join_all(drives));
        let (watched, mut ends) = futures_util::future::join(watched, drives).await;
        ends.extend(watched);
        if let Some(format) = self.output.as_ref().filter(|format| !format.is_human() && **format != Format::Name) {
            let mut objects = Vec::new();
            for name in names {
                objects.push(argo::workflow(&runs::view(session, name).await?));
            }
            let text = match objects.as_slice() {
                [object] => output::object(object, format, session.ui.out()),
                _ => output::objects(objects, format, session.ui.out()),
            };
            session.ui.data(&text.unwrap_or_default())?;
        }
        ends.into_iter().find(Result::is_err).unwrap_or(Ok(()))
    }

    fn how(&self, runs: usize) -> How {
        let show = if self.watch {
            Show::Watch
        } else if self.log {
            Show::Logs(Choice { prefix: !self.no_prefix, ..Choice::default() })
        } else {
            Show::Result
        };
        How {
            show,
            events: self.events.clone(),
            timeout: self.timeout,
            // Nobody watches and nobody said to wait: do not hang where only a person can help.
            leaves_when_suspended: self.no_wait_suspend || !(self.watch || self.wait || self.log),
            is_one_of_many: runs > 1,
            ..How::default()
        }
    }
}

/// Returns the object that `--from KIND/NAME` means.
fn find<'a>(manifests: &'a Manifests, kind: ManifestKind, name: &str, is_local: bool) -> Result<&'a Read, Error> {
    let of_kind = || manifests.reads.iter().filter(|read| read.manifest.kind() == kind);
    let name_of = |read: &'a Read| read.manifest.metadata().name.as_deref().unwrap_or_default();
    of_kind().find(|read| name_of(read) == name).ok_or_else(|| {
        let place = if is_local { "the files hold no" } else { "neither the files nor the namespace hold a" };
        let error = Error::new(Kind::NotFound, format!("{place} {kind} `{name}`"));
        match suggest::nearest(name, of_kind().map(name_of)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

/// Returns the kind of a name that kubectl would take: in full, plural or short.
pub fn kind_of(text: &str) -> Result<ManifestKind, Error> {
    match text.to_lowercase().trim_end_matches('s') {
        "workflowtemplate" | "wftmpl" => Ok(ManifestKind::WorkflowTemplate),
        "clusterworkflowtemplate" | "cwft" | "clusterwftmpl" => Ok(ManifestKind::ClusterWorkflowTemplate),
        "cronworkflow" | "cronwf" | "cwf" => Ok(ManifestKind::CronWorkflow),
        _ => Err(Error::new(Kind::Usage, format!("`{text}` cannot be submitted with --from"))
            .hint("use workflowtemplate, clusterworkflowtemplate or cronworkflow")),
    }
}

/// Returns the parameters of a manifest that have no value and no source of one.
fn missing(read: &Read) -> impl Iterator<Item = &Parameter> {
    let arguments = read.manifest.workflow_spec().and_then(|spec| spec.arguments.as_ref());
    let parameters = arguments.into_iter().flat_map(|arguments| &arguments.parameters);
    parameters
        .filter(|parameter| parameter.value.is_none() && parameter.default.is_none() && parameter.value_from.is_none())
}

fn only_one(flag: &str, several: usize) -> Error {
    Error::new(Kind::Usage, format!("{flag} is for one workflow; the files hold {several}"))
}

fn nothing_to_submit(manifests: &Manifests) -> Error {
    let error = Error::new(Kind::Usage, "the files hold no Workflow");
    let template = manifests.reads.iter().find(|read| {
        matches!(
            read.manifest.kind(),
            ManifestKind::WorkflowTemplate | ManifestKind::ClusterWorkflowTemplate | ManifestKind::CronWorkflow
        )
    });
    match template {
        Some(read) => {
            let name = read.manifest.metadata().name.as_deref().unwrap_or("NAME");
            error.hint(format!("submit a template with --from {}/{name}", read.manifest.kind().name().to_lowercase()))
        }
        None => error.hint("a workflow begins with `apiVersion: argoproj.io/v1alpha1` and `kind: Workflow`"),
    }
}
