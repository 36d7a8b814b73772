//! One file a page: a function from a view to markup.

pub(super) mod account;
pub(super) mod consent;
pub(super) mod error;
mod layout;
pub(super) mod login;
pub(super) mod signed_out;
