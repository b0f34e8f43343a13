//! `wf node`.

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;

use crate::cli::complete;
use crate::cli::error::Error;
use crate::cli::parameters::{self, Pair};
use crate::cli::runs;
use crate::cli::session::Session;
use crate::engine::{Control, Phase};

/// Act on single nodes of a run
#[derive(Debug, Args)]
pub struct Node {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done to nodes.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Supply outputs, a phase or a message to suspended nodes
    Set(Set),
}

/// Supply outputs, a phase or a message to suspended nodes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wf node set @latest --node-field-selector displayName=approve -p decision=yes")]
pub struct Set {
    /// The run; `@latest` is the newest
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(complete::runs))]
    pub run: String,

    /// Which nodes, such as displayName=approve
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub node_field_selector: String,

    /// Supply an output parameter
    #[arg(long = "output-parameter", short = 'p', value_name = "NAME=VALUE")]
    pub output_parameters: Vec<Pair>,

    /// End the nodes in this phase
    #[arg(long, value_name = "PHASE")]
    pub phase: Option<EndPhase>,

    /// Words to keep with the nodes
    #[arg(long, short = 'm', value_name = "TEXT", default_value = "")]
    pub message: String,
}

/// A phase that ends a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum EndPhase {
    /// It ended well
    Succeeded,
    /// It ended badly
    Failed,
    /// It could not be carried out
    Error,
    /// It never ran
    Skipped,
}

impl From<EndPhase> for Phase {
    fn from(phase: EndPhase) -> Phase {
        match phase {
            EndPhase::Succeeded => Phase::Succeeded,
            EndPhase::Failed => Phase::Failed,
            EndPhase::Error => Phase::Error,
            EndPhase::Skipped => Phase::Skipped,
        }
    }
}

impl Node {
    /// Acts on the nodes.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let Action::Set(set) = &self.action;
        set.run(session).await
    }
}

impl Set {
    async fn run(&self, session: &Session) -> Result<(), Error> {
        let name = runs::name(session, &self.run).await?;
        let control = Control::NodeSet {
            selector: self.node_field_selector.clone(),
            parameters: parameters::gather(&[], &self.output_parameters)?.into_iter().collect(),
            phase: self.phase.map(Phase::from),
            message: self.message.clone(),
        };
        let is_driven = runs::ask(session, &name, &control).await?;
        session.ui.status(&format!("nodes of `{name}` set"));
        if !is_driven {
            session.ui.hint(&format!("nobody drives `{name}` now; go on with: wf watch {name}"));
        }
        Ok(())
    }
}
