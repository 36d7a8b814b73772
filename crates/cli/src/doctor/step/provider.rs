//! What is behind a consent page: an identity provider, and whether it takes what is sent to it.

use portcullis_oauth::form::{Form, Limits};

use crate::doctor::finding::Findings;
use crate::doctor::rule;
use crate::doctor::seen::{Seen, Trouble};

/// The form of a consent page, as this project's servers have it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::doctor) struct ConsentPage {
    /// Where it goes, as a URL.
    pub(in crate::doctor) action: String,
    pub(in crate::doctor) request: String,
    pub(in crate::doctor) csrf: String,
}

/// Where a browser is sent that agreed.
#[derive(Debug)]
pub(in crate::doctor) struct Away {
    pub(in crate::doctor) url: String,
    /// What the provider has to know as a redirect URI.
    redirect_uri: Option<String>,
}

impl ConsentPage {
    /// The first form of a page, if it asks for a consent. `url` is that of the page.
    pub(in crate::doctor) fn find(page: &[u8], url: &str) -> Option<Self> {
        let page = std::str::from_utf8(page).ok()?;
        let (_, form) = page.split_once("<form method=\"post\" action=\"")?;
        let (form, _) = form.split_once("</form>")?;
        if !form.contains("name=\"action\" value=\"approve\"") {
            return None;
        }
        let action = form.split('"').next()?;
        Some(Self {
            action: resolved(url, &unescaped(action)),
            request: field(form, "request")?,
            csrf: field(form, "csrf")?,
        })
    }
}

fn field(form: &str, name: &str) -> Option<String> {
    let (_, rest) = form.split_once(&format!("name=\"{name}\" value=\""))?;
    Some(unescaped(rest.split('"').next()?))
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&amp;", "&")
}

/// A reference, seen from a URL: what is no URL is a path there (RFC 3986 section 5.2).
pub(in crate::doctor) fn resolved(url: &str, reference: &str) -> String {
    if reference.contains("://") || !reference.starts_with('/') {
        return reference.to_owned();
    }
    let after = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(after..).unwrap_or_default();
    let end = after + rest.find(['/', '?', '#']).unwrap_or(rest.len());
    format!("{}{reference}", url.get(..end).unwrap_or_default())
}

/// Judges the answer to an agreement, and says where it leads, if that is to an identity provider.
pub(in crate::doctor) fn judge_departure(
    agreed: &Seen,
    redirect_uri: &str,
    findings: &mut Findings,
) -> Option<Away> {
    let at = agreed.at();
    let answer = agreed.answer();
    let to = answer.and_then(|answer| answer.header("location"));
    let went_back = to.filter(|to| to.starts_with(redirect_uri));
    let failed = match went_back {
        Some(to) => parameter(to, "error").is_some(),
        None => agreed.status().is_none_or(|status| status >= 400),
    };
    let reached = findings.check(rule::IDP_SILENT, !failed, &at, || agreed.brief());
    let url = to.filter(|_| reached && went_back.is_none())?;
    let away = Away {
        url: url.to_owned(),
        redirect_uri: parameter(url, "redirect_uri"),
    };
    findings.found(rule::IDP_BEHIND, &at, &away.described());
    Some(away)
}

/// Judges what the provider made of the browser. No: the doctor does not go there.
pub(in crate::doctor) fn judge_arrival(away: &Away, last: &Seen, findings: &mut Findings) -> bool {
    let at = last.at();
    let at = at.split('?').next().unwrap_or_default();
    if let Err(trouble) = &last.result {
        if !matches!(trouble, Trouble::Refused(_)) {
            findings.found(rule::IDP_SILENT, at, &last.brief());
        }
        return !matches!(trouble, Trouble::Refused(_));
    }
    let to = last.answer().and_then(|answer| answer.header("location"));
    // Some providers tell it at a URL of their own, others at ours.
    let told = to.and_then(|to| parameter(to, "error"));
    let refused = told.is_some() || last.status().is_some_and(|status| status >= 400);
    findings.check(rule::IDP_REFUSES, !refused, at, || {
        let said = told.map_or_else(|| last.brief(), |word| format!("error={word}"));
        format!("{}; {said}", away.described())
    });
    true
}

impl Away {
    fn described(&self) -> String {
        let place = self.url.split('?').next().unwrap_or_default();
        match &self.redirect_uri {
            Some(uri) => format!("{place}, with the redirect URI {uri}"),
            None => place.to_owned(),
        }
    }
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    let form = Form::parse(query.as_bytes(), Limits::new(8192, 50, 4096)).ok()?;
    form.one(name).ok().flatten().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_page_is_known_by_its_form() {
        let form = "<p>..</p><form method=\"post\" action=\"/oauth/consent?a=1&amp;b=2\">\
            <input type=\"hidden\" name=\"request\" value=\"r1\">\
            <input type=\"hidden\" name=\"csrf\" value=\"c1\">\
            <button type=\"submit\" name=\"action\" value=\"deny\">no</button>\
            <button type=\"submit\" name=\"action\" value=\"approve\">yes</button></form>";
        let at = "https://mcp.example.com/oauth/consent?request=r1";
        let found = ConsentPage::find(form.as_bytes(), at).unwrap();
        assert_eq!(
            found.action,
            "https://mcp.example.com/oauth/consent?a=1&b=2"
        );
        assert_eq!((found.request.as_str(), found.csrf.as_str()), ("r1", "c1"));
        for other in [form.replace("approve", "login"), form.replace("csrf", "x")] {
            assert_eq!(ConsentPage::find(other.as_bytes(), at), None);
        }
    }

    #[test]
    fn references_are_seen_from_a_url() {
        for (url, reference, expected) in [
            ("https://a.example/x?y", "/z", "https://a.example/z"),
            ("https://a.example", "/z", "https://a.example/z"),
            (
                "https://a.example:8/x",
                "https://b.example/",
                "https://b.example/",
            ),
        ] {
            assert_eq!(resolved(url, reference), expected);
        }
    }
}
