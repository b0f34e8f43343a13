//! The rules of a plan: their stable names, each with what it means in one line.

use crate::source::RuleId;

/// Declares the rules and the table that `wf explain` reads.
macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: RuleId = RuleId($id);)+

        /// Every rule of a plan, with its meaning.
        pub const ALL: &[(RuleId, &str)] = &[$(($name, concat!($($doc),+)),)+];
    };
}

rules! {
    /// the workflow says which of its templates comes first
    ENTRYPOINT = "WF100";
    /// a template that is called exists
    TEMPLATE_NOT_FOUND = "WF101";
    /// a WorkflowTemplate or ClusterWorkflowTemplate that is referred to is among the files given
    OBJECT_NOT_FOUND = "WF102";
    /// a call names exactly one template: by `template`, by `templateRef`, or `inline`
    CALL = "WF103";
    /// a workflow that runs another object's spec has no templates of its own
    TEMPLATES_BESIDE_REF = "WF104";
    /// no two objects of one kind have the same name
    DUPLICATE_OBJECT = "WF105";
    /// a template does exactly one thing
    TEMPLATE_TYPE = "WF106";
    /// names have the form and the length that Argo allows
    NAME_FORM = "WF107";
    /// names are unique in their list
    NAME_DUPLICATE = "WF108";
    /// what must have a name has one
    NAME_MISSING = "WF109";
    /// tasks do not wait for each other in a circle
    CYCLE = "WF110";
    /// a task that is depended on exists
    DEPENDENCY = "WF111";
    /// `depends` can be read
    DEPENDS_SYNTAX = "WF112";
    /// `depends` is not mixed with `dependencies` or `continueOn`
    DEPENDS_MIXED = "WF113";
    /// names that `depends` and `dependencies` use begin with a letter
    DEPENDS_DIGIT = "WF114";
    /// `AnySucceeded` and `AllFailed` are asked only of loops
    DEPENDS_ITEMS = "WF115";
    /// a DAG's target exists
    TARGET = "WF116";
    /// a DAG has tasks
    EMPTY = "WF117";
    /// a tag is closed
    TAG_SYNTAX = "WF118";
    /// a variable exists where it is used
    VARIABLE = "WF119";
    /// a tag names something that Argo knows, and not a word that stays as it is
    VARIABLE_KEPT = "WF120";
    /// an expression can be read
    EXPRESSION = "WF121";
    /// every input without a default gets an argument
    ARGUMENT_MISSING = "WF122";
    /// every argument has an input that takes it
    ARGUMENT_UNUSED = "WF123";
    /// an argument has a value, from a source that arguments may have
    ARGUMENT_VALUE = "WF124";
    /// a value is one of those that its `enum` allows
    ENUM = "WF125";
    /// an artifact that is handed over comes from somewhere
    ARTIFACT_SOURCE = "WF126";
    /// artifacts have paths where containers use them, and only there
    ARTIFACT_PATH = "WF127";
    /// a loop has one source of items
    LOOP = "WF128";
    /// a loop's source of items can be read
    LOOP_ITEMS = "WF129";
    /// `when` can be read
    WHEN_SYNTAX = "WF130";
    /// a hook says when it is called
    HOOK = "WF131";
    /// an output parameter says where its value comes from, in a way that its template can do
    OUTPUT = "WF132";
    /// a container has an image
    IMAGE = "WF133";
    /// nothing is mounted twice at one path
    MOUNT = "WF134";
    /// a volume that is mounted is declared
    VOLUME = "WF135";
    /// retries are bounded by numbers and durations that can be read
    RETRY = "WF136";
    /// a duration can be read
    DURATION = "WF137";
    /// a word is one of those that its field knows
    CHOICE = "WF138";
    /// a metric has a valid name, labels, a help text and a value
    METRIC = "WF139";
    /// a container set is a graph of named containers
    CONTAINER_SET = "WF140";
    /// a resource template says what to do with which object
    RESOURCE = "WF141";
    /// a field stands only in templates of the types that use it
    FIELD_UNUSED = "WF142";
    /// a container does not take a name that Argo keeps for itself
    RESERVED = "WF143";
    /// pod resources are of the kinds that Kubernetes allows for a whole pod
    POD_RESOURCES = "WF144";
    /// a plugin has a name, a container, and ports
    PLUGIN = "WF145";
    /// the key of a cache entry has the form that Argo allows
    MEMOIZE = "WF146";
    /// a template that calls itself has a way to end
    RECURSION = "WF147";
    /// a schedule, its time zone and its policy can be read
    CRON = "WF148";
    /// a path into an object can be read
    QUERY = "WF149";
    /// environment variables have names
    ENV = "WF150";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn ids_are_unique_and_in_order() {
        let ids: Vec<&str> = ALL.iter().map(|(id, _)| id.0).collect();
        let sorted: Vec<&str> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        assert_eq!(ids, sorted);
    }
}
