//! A limit on the size of files ends a write, not the process.

/// From now on, a write beyond the limit of this process (`ulimit -f`) fails as one to a full disk
/// does: the request is answered with 503, and what can go on does. Programs that it starts begin as
/// they always did.
#[cfg(unix)]
pub(crate) fn fails_the_write() {
    use rustix::process::Signal;
    use tokio::signal::unix::{SignalKind, signal};

    // SECURITY: whoever makes a log or the database grow must not end the server by it (CWE-400);
    // sec_st_14_a_limit_on_file_sizes_ends_no_server
    let heard = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
    if let Err(error) = heard {
        tracing::debug!(%error, "a limit on the size of files would end this process");
    }
}

/// There is no such limit.
#[cfg(not(unix))]
pub(crate) fn fails_the_write() {}
