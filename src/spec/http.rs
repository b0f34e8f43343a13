//! The template that sends a request.

use super::SecretKeySelector;

object! {
    /// A request, made without a container.
    pub struct HTTP {
        /// The method; `GET` when absent.
        pub method: Option<String>,
        /// The address.
        pub url: String,
        /// Headers of the request.
        pub headers: Vec<HTTPHeader>,
        /// How long the answer may take.
        pub timeout_seconds: Option<i64>,
        /// An expression over `request` and `response`; when absent, any status below 400 is success.
        pub success_condition: Option<String>,
        /// The body.
        pub body: Option<String>,
        /// The body from elsewhere.
        pub body_from: Option<HTTPBodySource>,
        /// Whether any certificate is accepted.
        pub insecure_skip_verify: Option<bool>,
    }

    /// A header of a request.
    pub struct HTTPHeader {
        /// Its name.
        pub name: String,
        /// Its value.
        pub value: Option<String>,
        /// Where its value comes from.
        pub value_from: Option<HTTPHeaderSource>,
    }

    /// Where a header's value comes from.
    pub struct HTTPHeaderSource {
        /// A key of a Secret.
        pub secret_key_ref: Option<SecretKeySelector>,
    }

    /// Where a body comes from.
    pub struct HTTPBodySource {
        /// Bytes, in base64.
        #[schemars(extend("format" = "byte"))]
        pub bytes: Option<String>,
    }
}
