//! MCP over HTTP, as bytes: what a request wants, whether its caller may, and whose session it is.
//!
//! Nothing in here knows an MCP crate. A framework that is the server and a gateway that stands in
//! front of one use the same four parts:
//!
//! | part | question |
//! |---|---|
//! | [`guard`] | is this request for us, and from a page that may ask (DNS rebinding) |
//! | [`peek`] | which operation is in the body |
//! | [`access`] | may this caller do it: [`Decision`] |
//! | [`session`] | is this session the caller's own |
//!
//! [`legacy_sse`] speaks the transport of revision 2024-11-05 with the same four.
//!
//! [`Auth::protect`](crate::Auth::protect) puts them in order.

pub mod access;
pub(crate) mod cors;
pub(crate) mod entrance;
pub mod guard;
mod intake;
pub mod legacy_sse;
mod listen;
pub(crate) mod opening;
pub mod peek;
mod peeked;
mod refusal;
pub(crate) mod room;
mod schemes;
pub(crate) mod service;
pub mod session;
mod step_up;
mod style;

pub use self::access::{AccessPolicy, Deciding, Decision, Operation, Target};
pub use self::peeked::PeekedMessage;
pub use self::schemes::SecuritySchemes;
pub(crate) use self::service::SESSION_ID;
pub use self::step_up::StepUp;
pub use self::style::ChallengeStyle;
pub(crate) use self::style::InBandCall;
