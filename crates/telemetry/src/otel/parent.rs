//! The span that a request belongs to (W3C Trace Context, section 3.2).

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use portcullis_resource_server::observe::Exchange;

/// Where the span of an exchange hangs: below its caller's, or nowhere.
pub(super) fn of(exchange: &Exchange) -> Context {
    // SECURITY: a trace belongs to whoever began it, and nobody in particular could hang spans into
    // anybody's, or have none made; sec_op_01_a_strangers_trace_is_not_joined
    if !exchange.reached_server() && exchange.subject().is_none() {
        return Context::new();
    }
    match exchange.trace_parent().and_then(parse) {
        Some(parent) => Context::new().with_remote_span_context(parent),
        None => Context::new(),
    }
}

/// Reads `traceparent`. What a later version has behind the flags is not looked at.
fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (span, flags) = (parts.next()?, parts.next()?);
    let is = |text: &str, length| {
        text.len() == length
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let is_fine = is(version, 2)
        && version != "ff"
        && is(trace, 32)
        && is(span, 16)
        && is(flags, 2)
        && (version != "00" || parts.next().is_none());
    if !is_fine {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()?;
    let parent = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(flags) & TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    parent.is_valid().then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_parent_is_read_as_it_is_defined() {
        // The example of W3C Trace Context, section 3.2.2.
        let fine = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = parse(fine).unwrap();
        assert_eq!(
            parent.trace_id().to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(parent.span_id().to_string(), "00f067aa0ba902b7");
        assert!(parent.is_sampled() && parent.is_remote());
        assert!(!parse(&fine.replace("-01", "-00")).unwrap().is_sampled());
        let later = fine.replacen("00-", "01-", 1) + "-more";
        assert!(parse(&later).is_some(), "a later version may say more");
        for wrong in [
            "",
            "00",
            &fine.to_uppercase(),
            &format!("{fine}-more"),
            &fine.replacen("00-", "ff-", 1),
            &fine.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &fine.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &fine.replace("4bf9", "4bg9"),
            &fine.replace("-01", "-1"),
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
