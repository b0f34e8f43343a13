//! The rules that reading a text checks, `WF001` to `WF019`.

/// Declares rules: a constant each, and the table of all with what they mean.
macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal, $meaning:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: $crate::source::RuleId = $crate::source::RuleId($id);)+

        /// All of these rules, each with its meaning in one line.
        pub const ALL: &[($crate::source::RuleId, &str)] = &[$(($name, $meaning)),+];
    };
}
pub(crate) use rules;

rules! {
    /// The text is no YAML.
    SYNTAX = "WF001", "the text is not YAML as Argo reads it";
    /// A key stands twice in a map.
    DUPLICATE_KEY = "WF002", "a key stands twice in the same map";
    /// A key that JSON cannot have.
    KEY_TYPE = "WF003", "a key is null, a list or a map";
    /// A `{{tag}}` without quotes.
    UNQUOTED_TAG = "WF004", "a value that starts with `{{` is not quoted, so YAML reads a map";
    /// The bytes are no text.
    ENCODING = "WF005", "the file is not text in UTF-8";
    /// A text is larger than its bound.
    SIZE = "WF006", "the file is larger than the bound";
    /// A text nests deeper than its bound.
    DEPTH = "WF007", "the text nests deeper than the bound";
    /// A text holds more than its bound, aliases included.
    EXPANSION = "WF008", "aliases expand to more than the bound, or the text holds too many values";
    /// An alias whose anchor is nowhere.
    ALIAS = "WF009", "an alias names an anchor that does not exist or contains the alias";
    /// A merge of what is no map.
    MERGE = "WF010", "`<<` merges something that is not a map";
    /// A value that its tag or JSON does not allow.
    VALUE = "WF011", "a value does not fit its tag, or is a number that JSON cannot hold";
    /// A directive for another version of YAML.
    VERSION = "WF012", "`%YAML` asks for a version other than 1.1";
    /// Text after the end of the document.
    IGNORED_TEXT = "WF013", "text after `...` is not read";
    /// More problems than are told.
    TOO_MANY = "WF014", "the file has more problems than are told";
    /// A comment that allows what is no rule.
    ALLOW = "WF015", "a comment `# wf: allow …` cannot be understood";
    /// The project's configuration.
    SETTINGS = "WF016", "`.wf.yaml` says something that wf does not understand";
}

/// The pages of these rules.
pub const PAGES: &str = include_str!("rules.md");
