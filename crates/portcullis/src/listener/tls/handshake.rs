//! From a TCP connection to one that speaks TLS.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::Tls;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// To a client that speaks plain HTTP, such as a person who forgot the `s`.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 23\r\nConnection: close\r\n\r\nThis port speaks HTTPS.";

/// As many bytes of it are read before the connection closes: what is left unread would make the
/// system take the answer back.
const MOST: u64 = 64 * 1024;

/// The connection once it is encrypted; `None` where that fails.
pub(in crate::listener) async fn handshake(
    tls: &Tls,
    stream: TcpStream,
) -> Option<TlsStream<TcpStream>> {
    // SECURITY: whoever sends a byte now and then gives its place back (CWE-400);
    // sec_ds_02_a_slow_handshake_ends
    match tokio::time::timeout(HANDSHAKE, begin(tls, stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::trace!(%error, "a handshake failed");
            None
        }
        Err(_) => {
            tracing::trace!("a handshake took too long");
            None
        }
    }
}

async fn begin(tls: &Tls, stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A record of TLS begins with its kind, a small number; a request with the name of its method.
    if first[0].is_ascii_uppercase() {
        refuse(stream).await?;
        return Ok(None);
    }
    let acceptor = TlsAcceptor::from(tls.config());
    acceptor.accept(stream).await.map(Some)
}

async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(MOST);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}
