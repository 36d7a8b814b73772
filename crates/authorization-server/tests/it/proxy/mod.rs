//! A server whose users sign in at an identity provider: from the client's first request to its last.

mod callback;
mod consent;
mod crowd;
mod exchange;
mod failing;
mod giving_back;
mod handed;
mod kept;
mod lease;
mod life;
mod many;
mod on_behalf_of;
mod scopes;
mod stage;
mod tokens;
