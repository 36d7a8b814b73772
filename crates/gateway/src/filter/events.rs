//! Events of a stream, as bytes.

use bytes::{Bytes, BytesMut};

/// Cuts a stream into its events (HTML standard, section 9.2.6), each with the empty line that ends
/// it.
#[derive(Debug)]
pub(crate) struct Events {
    buffer: BytesMut,
    /// Up to here no end was found.
    searched: usize,
    limit: usize,
}

/// An event that is longer than the limit.
#[derive(Debug)]
pub(crate) struct TooLong;

impl Events {
    /// Events of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            limit,
        }
    }

    /// Takes what arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole event.
    ///
    /// # Errors
    /// [`TooLong`], when what is kept has no end yet and is beyond the limit.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, TooLong> {
        // SECURITY: a stream without an end of line is no reason to keep all of it;
        // sec_gw_17_an_event_has_a_bound
        match end(&self.buffer, self.searched) {
            Some(end) if end > self.limit => Err(TooLong),
            Some(end) => {
                self.searched = 0;
                Ok(Some(self.buffer.split_to(end).freeze()))
            }
            None if self.buffer.len() > self.limit => Err(TooLong),
            None => {
                // The end may have begun with the last three bytes: CR, LF, CR.
                self.searched = self.buffer.len().saturating_sub(3);
                Ok(None)
            }
        }
    }
}

/// Where the first event ends: behind a line end that follows a line end. A CR may be half of a
/// CR LF whose other half is on its way, so a CR at the very end decides nothing.
fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let first = line_end(bytes, at)?;
        match bytes.get(first)? {
            b'\n' => return Some(first + 1),
            b'\r' => match bytes.get(first + 1)? {
                b'\n' => return Some(first + 2),
                _ => return Some(first + 1),
            },
            _ => at = first,
        }
    }
}

/// Behind the first line end at or after `from`.
fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let at = from + rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    match (bytes.get(at)?, bytes.get(at + 1)) {
        (b'\r', Some(b'\n')) => Some(at + 2),
        (b'\r', None) => None,
        _ => Some(at + 1),
    }
}

/// The type of an event, where it says one: the last word counts.
pub(crate) fn kind(event: &[u8]) -> Option<&[u8]> {
    lines(event)
        .filter_map(|line| field(line, b"event"))
        .last()
        .filter(|kind| !kind.is_empty())
}

/// The data of an event, its lines joined by LF; `None` where it has none.
pub(crate) fn data(event: &[u8]) -> Option<Bytes> {
    let mut data: Option<Vec<u8>> = None;
    for line in lines(event) {
        if let Some(text) = field(line, b"data") {
            match &mut data {
                None => data = Some(text.to_vec()),
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(text);
                }
            }
        }
    }
    data.map(Bytes::from)
}

/// The event with other data. Its other lines stay.
pub(crate) fn with_data(event: &[u8], data: &[u8]) -> Bytes {
    let mut changed = BytesMut::with_capacity(event.len());
    let mut is_written = false;
    for line in lines(event) {
        if field(line, b"data").is_none() {
            changed.extend_from_slice(line);
            changed.extend_from_slice(b"\n");
        } else if !is_written {
            is_written = true;
            for part in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
                changed.extend_from_slice(b"data: ");
                changed.extend_from_slice(part);
                changed.extend_from_slice(b"\n");
            }
        }
    }
    changed.extend_from_slice(b"\n");
    changed.freeze()
}

/// The lines of an event that are not empty.
fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    event
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter(|line| !line.is_empty())
}

/// What follows the name of a field, without the one space that may stand there.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    // A byte order mark may precede the first line of a stream.
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let rest = line.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(chunks: &[&[u8]]) -> (Vec<Bytes>, Bytes) {
        let mut events = Events::new(1024);
        let mut found = Vec::new();
        for chunk in chunks {
            events.push(chunk);
            while let Some(event) = events.next().unwrap() {
                found.push(event);
            }
        }
        (found, events.buffer.freeze())
    }

    #[test]
    fn an_event_ends_with_an_empty_line() {
        for (stream, expected) in [
            ("data: a\n\ndata: b\n\n", vec!["data: a\n\n", "data: b\n\n"]),
            ("data: a\r\n\r\ndata: b\r\r", vec!["data: a\r\n\r\n"]),
            (
                "id: 1\ndata: a\ndata: b\n\n: c",
                vec!["id: 1\ndata: a\ndata: b\n\n"],
            ),
            ("data: a\n\r\nx", vec!["data: a\n\r\n"]),
            ("\n\nx", vec!["\n\n"]),
        ] {
            let (found, rest) = all(&[stream.as_bytes()]);
            assert_eq!(found, expected, "{stream:?}");
            assert_eq!(expected.concat().len() + rest.len(), stream.len());
        }
    }

    #[test]
    fn sec_gw_17_an_event_has_a_bound() {
        let mut events = Events::new(8);
        events.push(b"data: 123456789");
        assert!(events.next().is_err());
        let mut events = Events::new(8);
        events.push(b"data: 12345\n\n");
        assert!(events.next().is_err());
        let mut events = Events::new(8);
        events.push(b"data:1\n\n");
        assert!(events.next().unwrap().is_some());
    }

    #[test]
    fn data_is_read_and_replaced() {
        let event = b"event: message\nid: 7\ndata: {\ndata:}\nretry: 5\n\n";
        assert_eq!(data(event).unwrap(), "{\n}");
        assert_eq!(
            with_data(event, b"[1,\n2]"),
            "event: message\nid: 7\ndata: [1,\ndata: 2]\nretry: 5\n\n"
        );
        assert_eq!(data(b": ping\n\n"), None);
        assert_eq!(data(b"data\n\n").unwrap(), "");
        assert_eq!(data(b"\xef\xbb\xbfdata: a\n\n").unwrap(), "a");
        assert_eq!(data(b"database: a\n\n"), None);
    }

    #[test]
    fn an_event_says_its_type() {
        assert_eq!(
            kind(b"event: endpoint\ndata: /m\n\n"),
            Some(&b"endpoint"[..])
        );
        assert_eq!(kind(b"event:a\r\nevent:b\r\n\r\n"), Some(&b"b"[..]));
        assert_eq!(kind(b"data: event: x\n\n"), None);
        assert_eq!(kind(b"event\ndata: 1\n\n"), None);
        assert_eq!(kind(b"eventful: 1\n\n"), None);
    }

    proptest! {
        #[test]
        fn cutting_a_stream_differently_finds_the_same_events(
            stream in "(data: x|id: 1|\n|\r|\r\n){0,20}", cuts in prop::collection::vec(0usize..40, 0..5)
        ) {
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut at = 0;
            for cut in cuts { chunks.push(&bytes[at..cut]); at = cut; }
            chunks.push(&bytes[at..]);
            let (whole, rest) = all(&[bytes]);
            let (cut, other) = all(&chunks);
            prop_assert_eq!(whole.concat(), cut.concat());
            prop_assert_eq!(rest, other);
        }
    }
}
