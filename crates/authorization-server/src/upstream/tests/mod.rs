//! Against a provider that does as it is told.

mod redeem;
mod world;
