//! An authorization server whose users log in at an identity provider that does not let clients
//! register themselves.

mod allow;
mod broker;
mod builder;
mod claims;
mod danger;
mod env;
mod give_back;
mod handed;
mod held;
mod journey;
mod on_behalf_of;
mod patience;
mod record;
mod server;
mod swap;
mod transaction;

pub use self::allow::AllowList;
pub(crate) use self::broker::{Broker, BrokerSettings};
pub use self::builder::OAuthProxyBuilder;
pub use self::claims::ClaimsPassthrough;
pub use self::danger::DangerousOAuthProxyBuilder;
pub use self::env::auth_from_env;
pub(crate) use self::handed::PassThrough;
pub(crate) use self::journey::{ArriveError, Arrived, DepartError, LONGEST_TRANSACTION};
pub(crate) use self::record::UpstreamRecord;
pub use self::server::OAuthProxy;
pub(crate) use self::swap::SwapError;
pub(crate) use self::transaction::Transaction;
