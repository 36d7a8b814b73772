//! The gateway in front of real sockets.

#[cfg(test)]
mod http;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod several;
#[cfg(test)]
mod support;
