//! A server whose users sign in at an identity provider: from the client's first request to its last.

mod life;
mod world;
