//! Against a provider that does as it is told.

mod answers;
mod authorize;
mod discovery;
mod id_token;
mod redeem;
mod refresh;
mod settings;
mod userinfo;
mod world;
