//! Requests against real servers on loopback.

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod redirects;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod server;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod tls;
