//! What a shell offers while a command is typed. Everything here is quick, bounded, and silent
//! when it fails: a completion must never be in the way.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::CommandFactory;
use clap_complete::CompletionCandidate;
use clap_complete::env::Shells;

use super::app::Cli;
use super::commands::completion::Shell;
use super::env::{self, Env};
use super::place::PlaceStore;
use super::planning::Manifests;
use super::runs::{self, LATEST};
use crate::backend::kubernetes::Cluster;
use crate::base::RunName;
use crate::store::kubernetes::Identity;
use crate::store::{DirectoryStore, KubernetesStore, Store, Summary};
use crate::view::look::age;
use crate::view::{RunView, output};

/// Runs that are offered at most.
const RUNS_MAX: usize = 100;

/// How long a cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Nodes that are offered at most.
const NODES_MAX: usize = 500;

/// The variable by which a shell asks.
pub const VARIABLE: &str = "WF_COMPLETE";

/// Returns the command with all that can be completed.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Returns the script that makes a shell ask.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let completer = shells.completer(shell.name()).expect("every shell of the list is built in");
    completer.write_registration(VARIABLE, "wf", "wf", "wf", &mut script).expect("a vector takes all that is written");
    String::from_utf8(script).expect("scripts are text")
}

/// Offers runs, newest first, with their state as help.
pub fn runs() -> Vec<CompletionCandidate> {
    let now = env::now();
    let about = |summary: &Summary| format!("{}, {} ago", summary.phase, age(now.since(summary.created_at)));
    let summaries = summaries().unwrap_or_default();
    let latest = summaries.first().map(|summary| (LATEST.to_owned(), about(summary)));
    let named = summaries.iter().take(RUNS_MAX).map(|summary| (summary.name.to_string(), about(summary)));
    latest.into_iter().chain(named).enumerate().map(|(order, (name, help))| candidate(&name, &help, order)).collect()
}

fn candidate(value: &str, help: &str, order: usize) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(help.to_owned().into())).display_order(Some(order))
}

/// Offers the nodes of the run on the command line that have logs.
pub fn nodes() -> Vec<CompletionCandidate> {
    let Some(view) = words().iter().find_map(|word| view(word)) else { return Vec::new() };
    let leaves = view.nodes.iter().filter(|node| node.kind.is_leaf()).take(NODES_MAX);
    leaves.enumerate().map(|(order, node)| candidate(&node.label(&view.name), node.phase.as_str(), order)).collect()
}

/// Offers phases.
pub fn phases() -> Vec<CompletionCandidate> {
    ["Pending", "Running", "Succeeded", "Failed", "Error", "Skipped"].map(CompletionCandidate::new).into()
}

/// Offers output formats.
pub fn formats() -> Vec<CompletionCandidate> {
    output::FORMATS.iter().map(CompletionCandidate::new).collect()
}

/// Offers the templates of the files on the command line.
pub fn templates() -> Vec<CompletionCandidate> {
    let manifests = manifests();
    let specs =
        manifests.iter().flat_map(|manifests| &manifests.reads).filter_map(|read| read.manifest.workflow_spec());
    specs
        .flat_map(|spec| &spec.templates)
        .filter_map(|template| template.name.clone())
        .map(CompletionCandidate::new)
        .collect()
}

/// Offers `NAME=` for the parameters of the files on the command line.
pub fn parameters() -> Vec<CompletionCandidate> {
    let manifests = manifests();
    let specs =
        manifests.iter().flat_map(|manifests| &manifests.reads).filter_map(|read| read.manifest.workflow_spec());
    let arguments = specs.filter_map(|spec| spec.arguments.as_ref()).flat_map(|arguments| &arguments.parameters);
    let offered = arguments.map(|parameter| {
        let about = parameter.description.as_ref().or(parameter.value.as_ref()).map(|text| text.as_str().to_owned());
        CompletionCandidate::new(format!("{}=", parameter.name)).help(about.map(Into::into))
    });
    offered.collect()
}

/// Returns the manifests that the command line names.
fn manifests() -> Option<Manifests> {
    let is_manifest = |path: &PathBuf| {
        path.is_file()
            && path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
    };
    let files: Vec<PathBuf> = words().into_iter().map(PathBuf::from).filter(is_manifest).collect();
    if files.is_empty() { None } else { Manifests::read(&files).ok() }
}

/// Returns the words of the command line that is being completed.
fn words() -> Vec<String> {
    let after_dashes = std::env::args_os().skip_while(|word| word != "--").skip(1);
    after_dashes.filter_map(|word: OsString| word.into_string().ok()).collect()
}

/// Returns the value of a flag or a variable.
fn given(flags: &[&str], variable: &str) -> Option<String> {
    let words = words();
    let flag = words.iter().position(|word| flags.contains(&word.as_str())).and_then(|at| words.get(at + 1)).cloned();
    flag.or_else(|| std::env::var(variable).ok().filter(|value| !value.is_empty()))
}

/// Returns the runs of the place that flags and surroundings mean.
async fn store() -> Option<PlaceStore> {
    let env = Env::read();
    let (context, namespace) = (given(&["--context"], "WF_CONTEXT"), given(&["-n", "--namespace"], "WF_NAMESPACE"));
    let is_local = words().iter().any(|word| word == "--local") || std::env::var_os("WF_LOCAL").is_some();
    if !is_local && (env.cluster.is_some() || context.is_some() || namespace.is_some()) {
        let cluster = Cluster::connect(context.as_deref(), namespace.as_deref()).await.ok()?;
        let me = Identity::new(env::process_name(), env::now);
        return Some(PlaceStore::Cluster(KubernetesStore::new(cluster, me)));
    }
    let folder = given(&["--state-dir"], "WF_STATE_DIR").map(PathBuf::from).or(env.state_dir)?;
    Some(PlaceStore::Local(DirectoryStore::new(std::path::absolute(folder).ok()?.join("runs"))))
}

fn summaries() -> Option<Vec<Summary>> {
    soon(async { store().await?.list().await.ok() })
}

fn view(name: &str) -> Option<RunView> {
    let stored = soon(async {
        let store = store().await?;
        let name = match name {
            LATEST => runs::latest(&store).await.ok()?,
            name => RunName::new(name).ok()?,
        };
        store.load(&name).await.ok()
    })?;
    Some(RunView::new(&runs::fold(&stored).ok()?, env::now()))
}

/// Returns what `work` comes to, if it does so before anybody grows impatient.
fn soon<T>(work: impl Future<Output = Option<T>>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.ok().flatten() })
}
