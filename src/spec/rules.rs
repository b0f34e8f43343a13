//! The rules that reading a manifest checks, `WF020` to `WF039`.

crate::source::rules::rules! {
    /// A field that its object does not have.
    UNKNOWN_FIELD = "WF020", "the object has no field of this name";
    /// A value that its field cannot hold.
    WRONG_TYPE = "WF021", "the value has another type than its field";
    /// A kind that is nearly one of Argo's.
    UNKNOWN_KIND = "WF022", "Argo has no kind of this name";
    /// Another version than Argo's.
    API_VERSION = "WF023", "the `apiVersion` is not the one of its kind";
    /// A field of Argo 3 that Argo 4 refuses.
    DEPRECATED_FIELD = "WF024", "the field is gone since Argo 4; it is still read here";
    /// An object that is neither Argo's nor of use to a local run.
    IGNORED_OBJECT = "WF025", "objects of this kind are not read";
    /// A document that is no Kubernetes object.
    NO_OBJECT = "WF026", "the document is no Kubernetes object";
    /// A value that passed the checks and yet cannot be read.
    UNREADABLE = "WF027", "the object cannot be read";
    /// A part of a pod without a field that Kubernetes needs.
    MISSING_FIELD = "WF028", "a part of a pod lacks a field that Kubernetes needs";
}

/// The pages of these rules.
pub const PAGES: &str = include_str!("rules.md");
