//! The command as a whole: global flags, the list of commands, and the way from arguments to an exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use anstream::ColorChoice;
use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::commands::{
    completion, controller, convert, delete, doctor, eval, explain, fmt, get, graph, import, install, lint, list, logs,
    node, resubmit, resume, retry, schema, stop, submit, suspend, template, terminate, uninstall, version, wait, watch,
};
use super::env::Env;
use super::error::{Error, Kind};
use super::session::Session;
use super::ui::{Ui, Verbosity};

/// Run Argo Workflows manifests on plain Kubernetes Jobs, or on the machine at hand
#[derive(Debug, Parser)]
#[command(name = "wf", version, disable_help_subcommand = true, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
RUN is the name of a run, or `@latest`.

Exit codes: 0 success, 1 the run or the lint failed, 2 usage, 3 not found, 4 forbidden,
5 unreachable, 6 timeout, 7 suspended, 8 driven by another process, 70 bug, 130 interrupted.";

/// What holds for every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Run on this machine, whatever cluster is configured
    #[arg(long, global = true, env = "WF_LOCAL", hide_env_values = true, action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub local: bool,

    /// Namespace of the cluster
    #[arg(long, short = 'n', global = true, value_name = "NAME", env = "WF_NAMESPACE", hide_env_values = true)]
    pub namespace: Option<String>,

    /// Context of the cluster's configuration
    #[arg(long, global = true, value_name = "NAME", env = "WF_CONTEXT", hide_env_values = true)]
    pub context: Option<String>,

    /// Make pods from this process, where the cluster lets it, instead of by the Job controller
    #[arg(long, global = true, env = "WF_MANAGED", hide_env_values = true, action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub managed: bool,

    /// Namespace that keeps the templates of cluster scope
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        default_value = "wf-shared",
        env = "WF_SHARED_NAMESPACE",
        hide_env_values = true
    )]
    pub shared_namespace: String,

    /// Folder that holds the runs of this machine
    #[arg(long, global = true, value_name = "DIR", env = "WF_STATE_DIR", hide_env_values = true)]
    pub state_dir: Option<PathBuf>,

    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", env = "WF_COLOR", hide_env_values = true)]
    pub color: Colour,

    /// Use no colour; the same as --color=never
    #[arg(long, global = true)]
    pub no_color: bool,

    /// Use words and ASCII instead of symbols
    #[arg(long, global = true, env = "WF_NO_UTF8", hide_env_values = true, action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub no_utf8: bool,

    /// Never ask; a missing answer is an error
    #[arg(long, global = true, env = "WF_NO_INPUT", hide_env_values = true, action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub no_input: bool,

    /// Print only data and errors
    #[arg(long, short = 'q', global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print also what is done, and where
    #[arg(long, short = 'v', global = true)]
    pub verbose: bool,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On terminals, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands, in the order of a run's life.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each command's own documentation is its manual")]
pub enum Command {
    Lint(lint::Lint),
    Graph(graph::GraphCommand),
    Fmt(fmt::Fmt),
    Convert(convert::Convert),
    Schema(schema::Schema),
    Eval(eval::Eval),
    Submit(submit::Submit),
    List(list::List),
    Get(get::Get),
    Watch(watch::Watch),
    Wait(wait::Wait),
    Logs(logs::Logs),
    Suspend(suspend::Suspend),
    Resume(resume::Resume),
    Stop(stop::Stop),
    Terminate(terminate::Terminate),
    Retry(retry::Retry),
    Resubmit(resubmit::Resubmit),
    Import(import::Import),
    Node(node::Node),
    Delete(delete::Delete),
    Template(template::Template),
    Controller(controller::Controller),
    Doctor(doctor::Doctor),
    Install(install::Install),
    Uninstall(uninstall::Uninstall),
    Explain(explain::Explain),
    Completion(completion::Completion),
    Version(version::Version),
}

impl Command {
    async fn run(&self, session: &Session) -> Result<(), Error> {
        match self {
            Command::Lint(command) => command.run(session).await,
            Command::Graph(command) => command.run(session),
            Command::Fmt(command) => command.run(session),
            Command::Convert(command) => command.run(session),
            Command::Schema(command) => command.run(session),
            Command::Eval(command) => command.run(session),
            Command::Submit(command) => command.run(session).await,
            Command::List(command) => command.run(session).await,
            Command::Get(command) => command.run(session).await,
            Command::Watch(command) => command.run(session).await,
            Command::Wait(command) => command.run(session).await,
            Command::Logs(command) => command.run(session).await,
            Command::Suspend(command) => command.run(session).await,
            Command::Resume(command) => command.run(session).await,
            Command::Stop(command) => command.run(session).await,
            Command::Terminate(command) => command.run(session).await,
            Command::Retry(command) => command.run(session).await,
            Command::Resubmit(command) => command.run(session).await,
            Command::Import(command) => command.run(session).await,
            Command::Node(command) => command.run(session).await,
            Command::Delete(command) => command.run(session).await,
            Command::Template(command) => command.run(session).await,
            Command::Controller(command) => command.run(session).await,
            Command::Doctor(command) => command.run(session).await,
            Command::Install(command) => command.run(session).await,
            Command::Uninstall(command) => command.run(session).await,
            Command::Explain(command) => command.run(session),
            Command::Completion(command) => command.run(session),
            Command::Version(command) => command.run(session),
        }
    }
}

/// Runs the command line and returns the exit code.
pub fn main() -> ExitCode {
    report_panics_as_bugs();
    clap_complete::CompleteEnv::with_factory(super::complete::command).var("WF_COMPLETE").complete();
    let cli = Cli::parse();
    let env = Env::read();
    let ui = cli.global.ui(&env);
    match run(&cli, env, ui.clone()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            error.exit_code()
        }
    }
}

fn run(cli: &Cli, env: Env, ui: Ui) -> Result<(), Error> {
    let session = Session::new(cli.global.clone(), env, ui);
    // One thread: the driver, the view and the signals of one process need no more.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::io("start the runtime", &error))?;
    let done = runtime.block_on(tokio::task::LocalSet::new().run_until(cli.command.run(&session)));
    // A read of standard input that nobody waits for any more must not hold the exit.
    runtime.shutdown_background();
    done
}

impl Global {
    /// Returns where and how to print.
    pub fn ui(&self, env: &Env) -> Ui {
        let colour = match (self.no_color, self.color) {
            (true, _) | (_, Colour::Never) => ColorChoice::Never,
            (_, Colour::Always) => ColorChoice::Always,
            (_, Colour::Auto) => ColorChoice::Auto,
        };
        let verbosity = match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        Ui::new(env, colour, !self.no_utf8, verbosity)
    }
}

/// Makes a panic a short message and the exit code of a bug, whichever thread it strikes.
fn report_panics_as_bugs() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |location| format!(" at {location}"));
        let words = panic.payload().downcast_ref::<&str>().copied();
        let words = words.or(panic.payload().downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        let error = Error::new(Kind::Bug, format!("bug in wf{place}: {words}"))
            .hint("the log of the run is intact; `wf watch RUN` goes on with it")
            .hint("please report this with the command that you ran");
        Ui::new(&Env::read(), ColorChoice::Auto, true, Verbosity::Normal).error(&error);
        std::process::exit(i32::from(Kind::Bug.code()));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_exit_code() {
        for kind in Kind::ERRORS {
            assert!(AFTER_HELP.contains(&format!("{} ", kind.code())), "{kind:?}");
        }
    }
}
