//! `wf eval`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::cli::error::{Error, Kind};
use crate::cli::input;
use crate::cli::parameters::Pair;
use crate::cli::session::Session;
use crate::cli::{env, planning};
use crate::expr::{Ambient, EvalError, RenderError, TemplateStr, Unresolved, Value, lang, when};
use crate::plan::rules;
use crate::source::{self, Diagnostic, Sources, Span};

/// Evaluate an expression, a text with tags, or a condition
///
/// The variables come from a file with a map, such as `inputs: {parameters: {name: x}}` or
/// `inputs.parameters.name: x`. A text with `{{` is rendered as a manifest's would be.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wf eval '1 + 2'
  wf eval 'int(inputs.parameters.n) * 2' --set inputs.parameters.n=21
  wf eval '{{workflow.name}}-{{=sprig.upper(item)}}' --with variables.yaml
  wf eval --when '{{steps.a.status}} == Succeeded' --set steps.a.status=Failed")]
pub struct Eval {
    /// The expression
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expression: String,

    /// File with the variables, in YAML or JSON
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub with: Vec<PathBuf>,

    /// A variable, as a text
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<Pair>,

    /// Read the expression as `when` of a step
    #[arg(long)]
    pub when: bool,
}

type Variables = BTreeMap<String, Value>;

impl Eval {
    /// Prints what the expression comes to: texts as they are, all else as JSON.
    pub fn run(&self, session: &Session) -> Result<(), Error> {
        let variables = self.variables(session)?;
        let ambient = Ambient { now: env::now(), seed: env::now().0.unsigned_abs() };
        let value = match (self.when, self.expression.contains("{{")) {
            (true, _) => self.condition(&variables, &ambient, session)?,
            (false, true) => Value::from(self.rendered(&variables, &ambient, session)?),
            (false, false) => {
                let value = lang::parse(&self.expression).map_err(Into::into);
                let value = value.and_then(|ast| lang::eval(&ast, &variables, &ambient));
                value.map_err(|fault| self.fault(&fault, session))?
            }
        };
        let text = match value {
            Value::Str(text) => text.to_string(),
            other => other.to_json_text().map_err(|fault| Error::new(Kind::Failed, fault.to_string()))?,
        };
        session.ui.data(&format!("{text}\n"))
    }

    fn rendered(&self, variables: &Variables, ambient: &Ambient, session: &Session) -> Result<String, Error> {
        let template = TemplateStr::parse(&self.expression).map_err(|fault| self.fault(&fault.into(), session))?;
        template.render(variables, Unresolved::Refuse, ambient).map_err(|fault| match fault {
            RenderError::Eval(fault) => self.fault(&fault, session),
            other => Error::new(Kind::Failed, other.to_string()),
        })
    }

    fn condition(&self, variables: &Variables, ambient: &Ambient, session: &Session) -> Result<Value, Error> {
        let text = self.rendered(variables, ambient, session)?;
        let holds = when::eval(&text).map_err(|fault| Error::new(Kind::Failed, format!("{fault} (in `{text}`)")))?;
        Ok(Value::Bool(holds))
    }

    fn variables(&self, session: &Session) -> Result<Variables, Error> {
        let mut variables = Variables::new();
        for path in &self.with {
            let mut sources = Sources::new();
            let file = sources.add(path.display().to_string(), input::read_text(path)?);
            let (documents, diagnostics) = source::read(&sources, file);
            planning::tell(&diagnostics, &sources, &session.ui);
            if diagnostics.iter().any(Diagnostic::is_error) {
                return Err(Error::told(Kind::Usage));
            }
            documents.iter().for_each(|document| flatten("", &document.root.to_json(), &mut variables));
        }
        for set in &self.set {
            variables.insert(set.name.clone(), Value::from(set.value.as_str()));
        }
        Ok(variables)
    }

    /// Shows where the expression is at fault.
    fn fault(&self, fault: &EvalError, session: &Session) -> Error {
        let mut sources = Sources::new();
        let file = sources.add("expression", self.expression.as_str());
        let span = Span { file, start: fault.at.start as u32, end: fault.at.end as u32 };
        let mut diagnostic = Diagnostic::error(rules::EXPRESSION, span, fault.message.clone());
        diagnostic.help = fault.help.clone();
        planning::tell(&[diagnostic], &sources, &session.ui);
        Error::told(Kind::Failed)
    }
}

/// Gives every value of nested maps its dotted name. The depth is that of the file, which reading bounds.
fn flatten(above: &str, value: &serde_json::Value, variables: &mut Variables) {
    let serde_json::Value::Object(map) = value else {
        variables.insert(above.to_owned(), Value::from_json(value));
        return;
    };
    for (key, value) in map {
        let name = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        flatten(&name, value, variables);
    }
}
