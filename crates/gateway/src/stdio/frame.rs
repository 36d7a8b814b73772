//! Where things stand in one JSON-RPC message, and the same message with other things there.
//!
//! A message is never taken apart: one pass notes where an id or a token stands, and a splice
//! copies everything else byte for byte. So members that nobody here has heard of survive, numbers
//! keep their spelling, and escapes stay as they were written.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use portcullis_oauth::json::{self, Limits, Value};

/// A value's place in the message.
pub(super) type Span = Range<usize>;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Notification,
    Answer,
}

/// The places that this module knows. Each is the whole value, a string with its quotes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) version: Option<Span>,
    pub(super) id: Option<Span>,
    pub(super) method: Option<Span>,
    pub(super) result: Option<Span>,
    pub(super) error: Option<Span>,
    /// `error.code`
    pub(super) code: Option<Span>,
    pub(super) params: Params,
    /// `params._meta` or `result._meta`
    pub(super) meta: Meta,
    /// Whether a line break stands between tokens.
    has_breaks: bool,
}

/// Places inside `params`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Params {
    pub(super) name: Option<Span>,
    pub(super) uri: Option<Span>,
    pub(super) task_id: Option<Span>,
    pub(super) arguments: Option<Span>,
    pub(super) request_id: Option<Span>,
    pub(super) progress_token: Option<Span>,
}

/// Places inside `_meta`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) progress_token: Option<Span>,
    pub(super) protocol_version: Option<Span>,
    pub(super) client_capabilities: Option<Span>,
    pub(super) subscription_id: Option<Span>,
}

impl Frame {
    /// Reads a message. `None` if it is no JSON object; the strict scan of `oauth::json` comes
    /// first wherever a stranger's bytes are read, and says more.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let mut walker = Walker {
            bytes: message,
            at: 0,
            frame: Self::default(),
        };
        walker.space();
        walker.object(Place::Top)?;
        walker.space();
        (walker.at == message.len()).then_some(walker.frame)
    }

    /// What the message is; `None` if it is no message of JSON-RPC 2.0.
    pub(super) fn kind(&self, message: &[u8]) -> Option<Kind> {
        if text(message, self.version.as_ref()).as_deref() != Some("2.0") {
            return None;
        }
        let is_answer = self.result.is_some() || self.error.is_some();
        match (&self.method, &self.id) {
            (Some(_), _) if is_answer => None,
            (Some(_), Some(_)) => Some(Kind::Request),
            (Some(_), None) => Some(Kind::Notification),
            (None, Some(_)) if self.result.is_some() != self.error.is_some() => Some(Kind::Answer),
            (None, _) => None,
        }
    }

    /// The message with other values in the given places, as one line without its end.
    pub(super) fn splice(&self, message: &[u8], edits: &mut [(Span, &[u8])]) -> Vec<u8> {
        edits.sort_unstable_by_key(|(span, _)| span.start);
        let added: usize = edits.iter().map(|(_, value)| value.len()).sum();
        let mut line = Vec::with_capacity(message.len() + added + 1);
        let mut from = 0;
        for (span, value) in edits {
            self.copy(message.get(from..span.start), &mut line);
            line.extend_from_slice(value);
            from = span.end;
        }
        self.copy(message.get(from..), &mut line);
        line
    }

    /// The message as it is, as one line.
    pub(super) fn line(&self, message: &Bytes) -> Bytes {
        if self.has_breaks {
            self.splice(message, &mut []).into()
        } else {
            message.clone()
        }
    }

    fn copy(&self, piece: Option<&[u8]>, line: &mut Vec<u8>) {
        let piece = piece.unwrap_or_default();
        // SECURITY: a line break inside a message would make two messages of it, the second one
        // unread by whoever decided (MCP, stdio transport); sec_gw_14_a_message_is_one_line
        if self.has_breaks {
            line.extend(piece.iter().filter(|byte| !is_break(**byte)));
        } else {
            line.extend_from_slice(piece);
        }
    }
}

/// The text of the string in a place, without its escapes.
pub(super) fn text<'a>(message: &'a [u8], span: Option<&Span>) -> Option<Cow<'a, str>> {
    let raw = message.get(span?.clone())?;
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if !inner.contains(&b'\\') {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    match json::value(raw, Limits::MCP) {
        Ok(Value::String(text)) => Some(Cow::Owned(text)),
        _ => None,
    }
}

/// The whole number in a place, in its one plain spelling.
pub(super) fn number(message: &[u8], span: Option<&Span>) -> Option<u64> {
    let digits = std::str::from_utf8(message.get(span?.clone())?).ok()?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    is_plain.then(|| digits.parse().ok()).flatten()
}

/// The objects whose members are looked at.
#[derive(Clone, Copy)]
enum Place {
    Top,
    Params,
    Result,
    Error,
    Meta,
}

struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: Frame,
}

impl Walker<'_> {
    fn object(&mut self, place: Place) -> Option<()> {
        self.expect(b'{')?;
        self.space();
        if self.eat(b'}') {
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.space();
            self.expect(b':')?;
            self.space();
            let start = self.at;
            let bytes = self.bytes;
            let name = text(bytes, Some(&name))?;
            match Self::inside(place, &name) {
                Some(inner) if self.peek() == Some(b'{') => self.object(inner)?,
                _ => self.skip()?,
            }
            self.note(place, &name, start..self.at);
            self.space();
            if self.eat(b'}') {
                return Some(());
            }
            self.expect(b',')?;
            self.space();
        }
    }

    /// The object that a member is, if its members matter.
    fn inside(place: Place, name: &str) -> Option<Place> {
        match (place, name) {
            (Place::Top, "params") => Some(Place::Params),
            (Place::Top, "result") => Some(Place::Result),
            (Place::Top, "error") => Some(Place::Error),
            (Place::Params | Place::Result, "_meta") => Some(Place::Meta),
            _ => None,
        }
    }

    fn note(&mut self, place: Place, name: &str, span: Span) {
        let frame = &mut self.frame;
        let slot = match (place, name) {
            (Place::Top, "jsonrpc") => &mut frame.version,
            (Place::Top, "id") => &mut frame.id,
            (Place::Top, "method") => &mut frame.method,
            (Place::Top, "result") => &mut frame.result,
            (Place::Top, "error") => &mut frame.error,
            (Place::Error, "code") => &mut frame.code,
            (Place::Params, "name") => &mut frame.params.name,
            (Place::Params, "uri") => &mut frame.params.uri,
            (Place::Params, "taskId") => &mut frame.params.task_id,
            (Place::Params, "arguments") => &mut frame.params.arguments,
            (Place::Params, "requestId") => &mut frame.params.request_id,
            (Place::Params, "progressToken") => &mut frame.params.progress_token,
            (Place::Meta, "progressToken") => &mut frame.meta.progress_token,
            (Place::Meta, PROTOCOL_VERSION) => &mut frame.meta.protocol_version,
            (Place::Meta, CLIENT_CAPABILITIES) => &mut frame.meta.client_capabilities,
            (Place::Meta, SUBSCRIPTION_ID) => &mut frame.meta.subscription_id,
            _ => return,
        };
        *slot = Some(span);
    }

    /// Passes over one value of any kind.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                byte if depth > 0 => {
                    self.frame.has_breaks |= is_break(byte);
                    self.at += 1;
                    continue;
                }
                _ => self.scalar()?,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// A number or a literal.
    fn scalar(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b'\t' | b'\n' | b'\r' | b' ');
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        self.at += length;
        (length > 0).then_some(())
    }

    /// A string; its span is that of the whole, with the quotes.
    fn string(&mut self) -> Option<Span> {
        let start = self.at;
        self.expect(b'"')?;
        loop {
            let rest = self.bytes.get(self.at..)?;
            let stop = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
            self.at += stop + 1;
            match rest.get(stop)? {
                b'"' => return Some(start..self.at),
                b'\\' => self.at += 1,
                _ => return None,
            }
        }
    }

    fn space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            self.frame.has_breaks |= is_break(byte);
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

const fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The revision of a request without a session.
pub(super) const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// The longest id or token that is kept, in bytes of JSON text.
// SECURITY: an id comes back with the answer, and a token with each step of progress, so long ones
// would make much of little; sec_gw_17_long_ids_are_refused
pub(super) const MOST_ID: usize = 1024;
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

#[cfg(test)]
mod tests;
