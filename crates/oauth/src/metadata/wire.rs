//! How members of documents are read and written: nothing absent is ever written.

use serde::{Deserialize, Deserializer, Serializer};

use crate::json::{Map, Value};

/// Declares a document: one required text, then optional texts, lists and flags, then `extra`.
macro_rules! document {
    (
        $(#[$meta:meta])+
        pub struct $name:ident {
            others { $($(#[$other_doc:meta])+ $other:ident: $kind:ty,)* }
            texts { $($(#[$text_doc:meta])+ $text:ident,)* }
            lists { $($(#[$list_doc:meta])+ $list:ident,)* }
            flags { $($(#[$flag_doc:meta])+ $flag:ident,)* }
        }
    ) => {
        $(#[$meta])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$other_doc])+ pub $other: $kind,)*
            $(
                $(#[$text_doc])+
                #[serde(
                    default,
                    deserialize_with = "crate::metadata::wire::text",
                    skip_serializing_if = "crate::metadata::wire::is_absent"
                )]
                pub $text: Option<String>,
            )*
            $(
                $(#[$list_doc])+
                #[serde(
                    default,
                    deserialize_with = "crate::metadata::wire::list",
                    skip_serializing_if = "Vec::is_empty"
                )]
                pub $list: Vec<String>,
            )*
            $(
                $(#[$flag_doc])+
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $flag: Option<bool>,
            )*
            /// All other members, under names that are none of the above.
            #[serde(flatten, serialize_with = "crate::metadata::wire::extra")]
            pub extra: crate::json::Map<String, crate::json::Value>,
        }

        impl $name {
            /// A document with nothing but its required members.
            fn bare($($other: $kind,)*) -> Self {
                Self {
                    $($other,)*
                    $($text: None,)*
                    $($list: Vec::new(),)*
                    $($flag: None,)*
                    extra: crate::json::Map::new(),
                }
            }
        }
    };
}
pub(crate) use document;

/// Whether there is no text to write.
#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
pub(crate) fn is_absent(text: &Option<String>) -> bool {
    text.as_deref().is_none_or(str::is_empty)
}

/// Reads a text; `null` and `""` count as absent.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// Reads a list of texts; `null` counts as absent, a single text is no list.
pub(crate) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Writes further members without those that say nothing.
pub(crate) fn extra<S: Serializer>(
    members: &Map<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(members.iter().filter(|(_, value)| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    }))
}
