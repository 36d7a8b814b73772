//! Values offered while a user types an argument.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::BoxFuture;

/// What the user has typed so far.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Completion {
    /// The beginning of the value.
    pub value: String,
    /// The arguments that are already filled in, by name.
    pub arguments: HashMap<String, String>,
}

/// The values to offer. A client gets the first 100, as MCP allows; looking for them may take ten
/// seconds.
#[derive(Clone, Debug, Default)]
pub struct Completions(pub(crate) Vec<String>);

impl<T: Into<String>> FromIterator<T> for Completions {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<String>> From<Vec<T>> for Completions {
    fn from(values: Vec<T>) -> Self {
        values.into_iter().collect()
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for Completions {
    fn from(values: [T; N]) -> Self {
        values.into_iter().collect()
    }
}

pub(crate) type Completer =
    Arc<dyn Fn(Completion) -> BoxFuture<'static, Completions> + Send + Sync>;
