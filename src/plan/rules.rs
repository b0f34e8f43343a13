//! The rules that a plan checks, `WF100` to `WF199`.

use crate::source::RuleId;

crate::source::rules::rules! {
    /// Where a workflow begins.
    ENTRYPOINT = "WF100", "the workflow does not say which template comes first";
    /// A template that is called.
    TEMPLATE_NOT_FOUND = "WF101", "a template that is called does not exist";
    /// A WorkflowTemplate or ClusterWorkflowTemplate that is referred to.
    OBJECT_NOT_FOUND = "WF102", "an object that is referred to is not among the files given";
    /// What a step, a task or a hook calls.
    CALL = "WF103", "a call names no template, or two";
    /// Templates beside `workflowTemplateRef`.
    TEMPLATES_BESIDE_REF = "WF104", "a workflow that runs the spec of another object has templates of its own";
    /// Objects of one kind and name.
    DUPLICATE_OBJECT = "WF105", "two objects of one kind have the same name";
    /// What a template does.
    TEMPLATE_TYPE = "WF106", "a template does nothing, or two things";
    /// The form and the length of a name.
    NAME_FORM = "WF107", "a name has a form or a length that Argo refuses";
    /// Names in one list.
    NAME_DUPLICATE = "WF108", "two things in one list have the same name";
    /// Things without a name.
    NAME_MISSING = "WF109", "something that needs a name has none";
    /// Tasks that wait for each other.
    CYCLE = "WF110", "tasks wait for each other in a circle";
    /// A task that is depended on.
    DEPENDENCY = "WF111", "a task depends on one that does not exist";
    /// The text of `depends`.
    DEPENDS_SYNTAX = "WF112", "`depends` cannot be read";
    /// `depends` beside `dependencies` or `continueOn`.
    DEPENDS_MIXED = "WF113", "`depends` is mixed with `dependencies` or `continueOn` in one DAG";
    /// Names that begin with a digit.
    DEPENDS_DIGIT = "WF114", "the name of a task begins with a digit where dependencies are used";
    /// `AnySucceeded` and `AllFailed`.
    DEPENDS_ITEMS = "WF115", "a task that does not loop is asked for the results of its items";
    /// The target of a DAG.
    TARGET = "WF116", "the target of a DAG is not one of its tasks";
    /// A DAG without tasks.
    EMPTY = "WF117", "a DAG has no tasks";
    /// The braces of a tag.
    TAG_SYNTAX = "WF118", "a tag is opened and not closed";
    /// A variable that is used.
    VARIABLE = "WF119", "a variable does not exist where it is used";
    /// A tag that is left as it is.
    VARIABLE_KEPT = "WF120", "a tag names nothing that Argo replaces here, and stays as it is";
    /// The text of an expression.
    EXPRESSION = "WF121", "an expression cannot be read";
    /// An input that gets nothing.
    ARGUMENT_MISSING = "WF122", "an input without a default gets no argument";
    /// An argument that nobody takes.
    ARGUMENT_UNUSED = "WF123", "an argument has no input that takes it";
    /// The value of an argument.
    ARGUMENT_VALUE = "WF124", "an argument has no value, or one from where arguments cannot have it";
    /// The values that are allowed.
    ENUM = "WF125", "a value is not one of those that its `enum` allows";
    /// Where an artifact comes from.
    ARTIFACT_SOURCE = "WF126", "an artifact comes from nowhere, or from where it cannot";
    /// The path of an artifact.
    ARTIFACT_PATH = "WF127", "an artifact has no path where a container needs it, or one where none does";
    /// The source of a loop's items.
    LOOP = "WF128", "a loop has two sources of items";
    /// The items of a loop.
    LOOP_ITEMS = "WF129", "the items of a loop cannot be read";
    /// The text of `when`.
    WHEN_SYNTAX = "WF130", "`when` cannot be read";
    /// When a hook is called.
    HOOK = "WF131", "a hook does not say when it is called";
    /// Where an output parameter comes from.
    OUTPUT = "WF132", "an output comes from nowhere, or from where its template cannot have it";
    /// The image of a container.
    IMAGE = "WF133", "a container has no image, or one that cannot be";
    /// Mounts at one path.
    MOUNT = "WF134", "two things are mounted at one path";
    /// A volume that is mounted.
    VOLUME = "WF135", "a volume that is mounted is not declared";
    /// The numbers of a retry strategy.
    RETRY = "WF136", "a retry strategy has a number that cannot be read, or lacks one";
    /// The text of a duration.
    DURATION = "WF137", "a duration cannot be read";
    /// A word of a fixed set.
    CHOICE = "WF138", "a word is not one of those that its field knows";
    /// The parts of a metric.
    METRIC = "WF139", "a metric has a bad name or label, or lacks its help text or value";
    /// The graph of a container set.
    CONTAINER_SET = "WF140", "the containers of a set lack names, or wait for what is not there or for each other";
    /// What a resource template does.
    RESOURCE = "WF141", "a resource template does not say what to do with which object";
    /// A field that has no effect.
    FIELD_UNUSED = "WF142", "a field stands in a template of a type that does not use it";
    /// Container names of Argo's own.
    RESERVED = "WF143", "a container has a name that Argo keeps for itself";
    /// The resources of a whole pod.
    POD_RESOURCES = "WF144", "a whole pod asks for what only containers can have";
    /// The parts of an executor plugin.
    PLUGIN = "WF145", "a plugin lacks its name, or a part of its container";
    /// The key of a cache entry.
    MEMOIZE = "WF146", "the key of a cache entry has a form that Argo refuses";
    /// Templates that call themselves.
    RECURSION = "WF147", "templates call each other and nothing can end it";
    /// When a CronWorkflow is submitted.
    CRON = "WF148", "a schedule is absent, cannot be read, or never comes";
    /// A path into an object.
    QUERY = "WF149", "a query over an object cannot be read";
    /// The names of environment variables.
    ENV = "WF150", "an environment variable has no name";
    /// A template that nothing leads to.
    TEMPLATE_UNUSED = "WF151", "nothing calls a template";
    /// An input or a parameter of the workflow that nothing reads.
    INPUT_UNUSED = "WF152", "nothing reads an input or a parameter";
    /// A `when` that is false whatever its tags become.
    WHEN_NEVER = "WF153", "`when` can never hold";
    /// A `depends` that no results of the tasks satisfy.
    DEPENDS_NEVER = "WF154", "`depends` can never hold";
    /// The outputs of a loop where one value is needed.
    AGGREGATE = "WF155", "the outputs of all items of a loop are used as if they were one value";
    /// Retries that do not do what their numbers say.
    RETRY_EFFECT = "WF156", "a part of a retry strategy has no effect";
    /// Names, labels and annotations.
    METADATA = "WF157", "Kubernetes refuses a name, a label or an annotation";
    /// The parts of a pod.
    POD = "WF158", "Kubernetes refuses a part of the pod";
    /// What a container asks for and what it may have.
    REQUESTS = "WF159", "a container asks for more than its limit allows";
    /// The parts of a lock.
    LOCK = "WF160", "a mutex or a semaphore cannot be found";
    /// A lock that its holder waits for.
    DEADLOCK = "WF161", "a template waits for a lock that its caller holds";
    /// Secrets in the manifest.
    SECRET = "WF162", "a secret stands in the manifest as plain text";
    /// The types of an expression's parts.
    EXPRESSION_TYPE = "WF163", "an expression treats a text as something else";
    /// Images that change under their name.
    IMAGE_TAG = "WF164", "an image has no tag or digest, so what runs may change";
    /// Values that become part of a program.
    SHELL = "WF165", "a value becomes part of a program's text";
    /// What only some machines have.
    HOST = "WF166", "the outcome depends on the machine that it runs on";
    /// The parts of a request.
    HTTP = "WF167", "an HTTP template has no URL, or one that cannot be";
}

/// The pages of these rules.
pub const PAGES: &str = include_str!("rules.md");

/// Rules that are a matter of taste: they tell only who asks for it.
pub const PEDANTIC: &[RuleId] = &[INPUT_UNUSED, IMAGE_TAG, SHELL, HOST];

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
