//! The public API, over HTTP.

#[cfg(test)]
mod access;
#[cfg(test)]
mod attacks;
#[cfg(feature = "client")]
#[cfg(test)]
mod client;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod legacy;
#[cfg(test)]
mod listener;
#[cfg(feature = "authorization-server")]
#[cfg(test)]
mod own_login;
#[cfg(feature = "authorization-server")]
#[cfg(test)]
mod proxied_login;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod start;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod ui;
#[cfg(test)]
mod upstream_token;
