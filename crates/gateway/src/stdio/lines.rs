//! Lines out of a stream of bytes: bounded, whatever is written.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a stream says next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line without its end.
    Whole(Bytes),
    /// The beginning of a line that is longer than it may be.
    Long(Bytes),
    /// The stream ended.
    End,
}

#[derive(Debug)]
pub(crate) struct LineReader<R> {
    from: R,
    buffer: BytesMut,
    /// So many bytes of the buffer hold no line end.
    searched: usize,
    limit: usize,
    /// The rest of a line that was too long comes first.
    is_in_long_line: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(crate) fn new(from: R, limit: usize) -> Self {
        Self {
            from,
            buffer: BytesMut::with_capacity(CHUNK),
            searched: 0,
            limit,
            is_in_long_line: false,
        }
    }

    /// The next line. What follows the last line end is a line too. One that is too long is told as
    /// soon as it is, whether or not it ever ends.
    pub(crate) async fn next(&mut self) -> io::Result<Line> {
        if self.is_in_long_line {
            self.skip().await?;
            self.is_in_long_line = false;
        }
        loop {
            let fresh = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                let mut line = self.buffer.split_to(self.searched + at + 1);
                self.searched = 0;
                line.truncate(line.len() - 1);
                if line.last() == Some(&b'\r') {
                    line.truncate(line.len() - 1);
                }
                if line.len() <= self.limit {
                    return Ok(Line::Whole(line.freeze()));
                }
                line.truncate(self.limit);
                return Ok(Line::Long(line.freeze()));
            }
            self.searched = self.buffer.len();
            // SECURITY: a line without an end fills no memory; sec_gw_17_a_line_without_end_ends_the_process
            if self.buffer.len() > self.limit + 1 {
                let start = self.buffer.split_to(self.limit).freeze();
                self.is_in_long_line = true;
                return Ok(Line::Long(start));
            }
            self.buffer.reserve(CHUNK);
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                self.searched = 0;
                let rest = self.buffer.split().freeze();
                return Ok(if rest.is_empty() {
                    Line::End
                } else {
                    Line::Whole(rest)
                });
            }
        }
    }

    /// Passes over what is left of a line. May be dropped and called again.
    async fn skip(&mut self) -> io::Result<()> {
        loop {
            self.searched = 0;
            if let Some(at) = self.buffer.iter().position(|byte| *byte == b'\n') {
                drop(self.buffer.split_to(at + 1));
                return Ok(());
            }
            self.buffer.clear();
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                return Ok(());
            }
        }
    }
}

const CHUNK: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn lines(text: &str, limit: usize) -> Vec<Line> {
        let mut reader = LineReader::new(text.as_bytes(), limit);
        let mut lines = Vec::new();
        loop {
            match reader.next().await.unwrap() {
                Line::End => return lines,
                line => lines.push(line),
            }
        }
    }

    fn whole(text: &'static str) -> Line {
        Line::Whole(Bytes::from_static(text.as_bytes()))
    }

    fn long(text: &'static str) -> Line {
        Line::Long(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn lines_end_at_line_ends() {
        let read = lines("a\n\r\nbc\r\nd", 10).await;
        assert_eq!(read, [whole("a"), whole(""), whole("bc"), whole("d")]);
    }

    #[tokio::test]
    async fn a_long_line_is_cut_and_the_next_one_is_whole() {
        assert_eq!(lines("abcd\nef\n", 3).await, [long("abc"), whole("ef")]);
        let text = "x".repeat(100_000) + "\nab\n";
        assert_eq!(lines(&text, 3).await, [long("xxx"), whole("ab")]);
        assert_eq!(lines("abc\nabcdef", 3).await, [whole("abc"), long("abc")]);
    }

    #[tokio::test]
    async fn sec_gw_17_a_line_is_too_long_before_it_ends() {
        let (mut write, read) = tokio::io::duplex(64);
        let mut reader = LineReader::new(read, 3);
        let writing = async {
            tokio::io::AsyncWriteExt::write_all(&mut write, b"abcdef")
                .await
                .unwrap();
            std::future::pending::<()>().await;
        };
        let reading = timeout(Duration::from_secs(10), reader.next());
        tokio::select! {
            () = writing => {}
            line = reading => assert_eq!(line.unwrap().unwrap(), long("abc")),
        }
    }
}
