//! The one form that all manifest types share, so that none of them can forget a part of it.

use serde::{Deserialize, Deserializer};

/// Declares structs that are coded as Argo's Go structs are: names in camel case; every field may
/// be absent or null; what is absent or empty is not written, unless its Go field has no `omitempty`
/// (those are the fields that are neither `Option`, `Vec` nor `IndexMap`).
macro_rules! object {
    ($($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* })+) => {
        $(object! { @fields [$(#[$meta])*] $name {} $($body)* })+
    };
    (@fields [$($meta:tt)*] $name:ident {$($done:tt)*}) => {
        $($meta)*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name { $($done)* }
    };
    (@fields $meta:tt $name:ident {$($done:tt)*}
        $(#[doc = $doc:literal])* #[serde(flatten)] $(#[schemars($($schema:tt)*)])?
        pub $field:ident: $type:ty, $($rest:tt)*) => {
        object! { @fields $meta $name {$($done)*
            $(#[doc = $doc])* #[serde(flatten)] $(#[schemars($($schema)*)])? pub $field: $type,
        } $($rest)* }
    };
    (@fields $meta:tt $name:ident {$($done:tt)*} $(#[$attr:meta])* pub $field:ident: Option<$type:ty>, $($rest:tt)*) => {
        object! { @fields $meta $name {$($done)*
            $(#[$attr])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,
        } $($rest)* }
    };
    (@fields $meta:tt $name:ident {$($done:tt)*} $(#[$attr:meta])* pub $field:ident: Vec<$type:ty>, $($rest:tt)*) => {
        object! { @fields $meta $name {$($done)*
            $(#[$attr])*
            #[serde(deserialize_with = "crate::spec::object::null_as_default", skip_serializing_if = "Vec::is_empty")]
            pub $field: Vec<$type>,
        } $($rest)* }
    };
    (@fields $meta:tt $name:ident {$($done:tt)*}
        $(#[$attr:meta])* pub $field:ident: IndexMap<$key:ty, $type:ty>, $($rest:tt)*) => {
        object! { @fields $meta $name {$($done)*
            $(#[$attr])*
            #[serde(
                deserialize_with = "crate::spec::object::null_as_default",
                skip_serializing_if = "IndexMap::is_empty"
            )]
            pub $field: IndexMap<$key, $type>,
        } $($rest)* }
    };
    (@fields $meta:tt $name:ident {$($done:tt)*} $(#[$attr:meta])* pub $field:ident: $type:ty, $($rest:tt)*) => {
        object! { @fields $meta $name {$($done)*
            $(#[$attr])* #[serde(deserialize_with = "crate::spec::object::null_as_default")] pub $field: $type,
        } $($rest)* }
    };
}

/// Reads null as the default, as Go's decoder leaves a field alone that is null.
pub(super) fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}
