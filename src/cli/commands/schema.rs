//! `wf schema`.

use clap::{Args, ValueEnum};

use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::spec;

/// Print the JSON Schema of a kind, or of all kinds, for editors
///
/// The YAML extension of an editor completes and checks manifests by it; a first line such as
/// `# yaml-language-server: $schema=wf.schema.json` names it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wf schema > wf.schema.json\n  wf schema workflow")]
pub struct Schema {
    /// The kind; all kinds when absent
    #[arg(value_name = "KIND", ignore_case = true)]
    pub kind: Option<Kind>,
}

/// The kinds that have a schema of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the kinds are Argo's")]
pub enum Kind {
    Workflow,
    WorkflowTemplate,
    ClusterWorkflowTemplate,
    CronWorkflow,
    WorkflowEventBinding,
}

impl Schema {
    /// Prints the schema.
    pub fn run(&self, session: &Session) -> Result<(), Error> {
        let kind = self.kind.map(|kind| match kind {
            Kind::Workflow => spec::Kind::Workflow,
            Kind::WorkflowTemplate => spec::Kind::WorkflowTemplate,
            Kind::ClusterWorkflowTemplate => spec::Kind::ClusterWorkflowTemplate,
            Kind::CronWorkflow => spec::Kind::CronWorkflow,
            Kind::WorkflowEventBinding => spec::Kind::WorkflowEventBinding,
        });
        session.ui.data(&format!("{:#}\n", spec::json_schema(kind)))
    }
}
