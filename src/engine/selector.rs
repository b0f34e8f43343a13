//! Selectors of nodes, as `--node-field-selector` takes them: `displayName=approve,phase!=Failed`.
//! Source: Argo's `SelectorMatchesNode`.

use super::run::Run;
use crate::base::{NodeIx, suggest};

const FIELDS: [&str; 7] =
    ["displayName", "id", "name", "templateName", "phase", "templateRef.name", "templateRef.template"];

/// Conditions on the fields of a node, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    field: String,
    wanted: bool,
    value: String,
}

impl Selector {
    /// Reads a selector; an empty one matches every node.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(Condition::parse).collect::<Result<_, _>>().map(|conditions| Self { conditions })
    }

    /// Returns whether the node at `ix` meets all conditions.
    pub fn matches(&self, run: &Run, ix: NodeIx) -> bool {
        self.conditions.iter().all(|condition| condition.holds(run, ix))
    }

    /// Returns whether it says what nodes are, and not only what they are not.
    pub fn names_some(&self) -> bool {
        self.conditions.iter().any(|condition| condition.wanted)
    }

    /// Returns whether a node meets all conditions, or one of its callers for it. `calls` are the node and
    /// its callers: a condition that something is not must hold for each of them.
    pub fn matches_within(&self, run: &Run, calls: &[NodeIx]) -> bool {
        self.conditions.iter().all(|condition| match condition.wanted {
            true => calls.iter().any(|ix| condition.holds(run, *ix)),
            false => calls.iter().all(|ix| condition.holds(run, *ix)),
        })
    }
}

impl Condition {
    fn parse(text: &str) -> Result<Self, String> {
        let at = text.find(['=', '!']).ok_or_else(|| format!("`{text}` is no condition: write `field=value`"))?;
        let (field, rest) = text.split_at(at);
        let (wanted, value) = match rest.strip_prefix("!=") {
            Some(value) => (false, value),
            None => (true, rest.trim_start_matches('=')),
        };
        let field = field.trim();
        let of_input = field.starts_with("inputs.parameters.") && field.ends_with(".value");
        if !of_input && !FIELDS.contains(&field) {
            let near = suggest::nearest(field, FIELDS).map(|near| format!("; did you mean `{near}`?"));
            return Err(format!(
                "nodes have no field `{field}`{}; known are {} and inputs.parameters.NAME.value",
                near.unwrap_or_default(),
                FIELDS.join(", ")
            ));
        }
        Ok(Self { field: field.to_owned(), wanted, value: value.trim().to_owned() })
    }

    fn holds(&self, run: &Run, ix: NodeIx) -> bool {
        let node = run.node(ix);
        let reference = || run.template_reference(ix);
        let actual = match self.field.as_str() {
            "displayName" => node.display_name.to_string(),
            "id" => node.id(run.name().as_str()),
            "name" => node.name.to_string(),
            "templateName" => node.template.to_string(),
            "phase" => node.phase.to_string(),
            "templateRef.name" => reference().map(|(name, _)| name).unwrap_or_default(),
            "templateRef.template" => reference().map(|(_, template)| template).unwrap_or_default(),
            input => {
                let name = input.trim_start_matches("inputs.parameters.").trim_end_matches(".value");
                node.inputs
                    .as_ref()
                    .and_then(|inputs| inputs.parameter(name))
                    .map(|v| v.to_string())
                    .unwrap_or_default()
            }
        };
        (actual == self.value) == self.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_conditions_and_names_what_it_does_not_know() {
        let parsed = Selector::parse("displayName=a, phase!=Failed,inputs.parameters.x.value==1").unwrap();
        assert_eq!(parsed.conditions.len(), 3);
        assert!(!parsed.conditions[1].wanted);
        assert_eq!(parsed.conditions[2].value, "1");
        assert!(Selector::parse("displyName=a").unwrap_err().contains("did you mean `displayName`?"));
        assert!(Selector::parse("displayName").unwrap_err().contains("field=value"));
        for half in ["inputs.parameters.x=1", "outputs.x.value=1"] {
            assert!(Selector::parse(half).unwrap_err().contains("inputs.parameters.NAME.value"), "{half}");
        }
    }
}
