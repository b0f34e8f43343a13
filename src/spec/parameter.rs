//! Parameters and where their values come from.

use super::AnyString;

object! {
    /// A named text that is handed in or out.
    pub struct Parameter {
        /// The name, unique in its list.
        pub name: String,
        /// The value when nothing else gives one.
        pub default: Option<AnyString>,
        /// The value.
        pub value: Option<AnyString>,
        /// Where the value comes from.
        pub value_from: Option<Box<ValueFrom>>,
        /// The name under which an output is seen in the whole workflow, as `workflow.outputs.parameters.NAME`.
        pub global_name: Option<String>,
        /// The values that are allowed.
        #[serde(rename = "enum")]
        pub enum_: Vec<AnyString>,
        /// What it is for, for people.
        pub description: Option<AnyString>,
    }

    /// A source of a parameter's value; exactly one field besides `default` is used.
    pub struct ValueFrom {
        /// A file of the container, for outputs.
        pub path: Option<String>,
        /// A JSONPath into the object of a resource template.
        pub json_path: Option<String>,
        /// A jq filter over the object of a resource template.
        #[serde(rename = "jqFilter")]
        pub jq_filter: Option<String>,
        /// An expression over the event that submitted the workflow.
        pub event: Option<String>,
        /// A tag that names another parameter, for outputs of steps and DAGs.
        pub parameter: Option<String>,
        /// Filled in from outside while the node is suspended.
        pub supplied: Option<SuppliedValueFrom>,
        /// A key of a ConfigMap.
        pub config_map_key_ref: Option<ConfigMapKeySelector>,
        /// The value when the source has none.
        pub default: Option<AnyString>,
        /// An expression over the outputs of steps or tasks.
        pub expression: Option<String>,
    }

    /// Marks a value that somebody supplies later.
    pub struct SuppliedValueFrom {}

    /// A key of a ConfigMap of the workflow's namespace.
    pub struct ConfigMapKeySelector {
        /// The ConfigMap.
        pub name: Option<String>,
        /// The key.
        pub key: String,
        /// Whether ConfigMap or key may be absent.
        pub optional: Option<bool>,
    }

    /// A key of a Secret of the workflow's namespace.
    pub struct SecretKeySelector {
        /// The Secret.
        pub name: Option<String>,
        /// The key.
        pub key: String,
        /// Whether Secret or key may be absent.
        pub optional: Option<bool>,
    }
}
