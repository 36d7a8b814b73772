//! The gateway in front of real sockets and real processes.

#[cfg(test)]
mod bad_http;
#[cfg(test)]
mod bad_stdio;
#[cfg(test)]
mod http;
#[cfg(test)]
mod http_sse;
#[cfg(test)]
mod http_sse_server;
#[cfg(test)]
mod legacy_sse;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod several;
#[cfg(test)]
mod stdio;
#[cfg(test)]
mod stdio_attacks;
#[cfg(test)]
mod stdio_processes;
#[cfg(test)]
mod stdio_stateless;
#[cfg(test)]
mod stdio_support;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tasks;
