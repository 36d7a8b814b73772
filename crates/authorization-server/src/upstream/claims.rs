//! Claims, wherever a provider writes them.

use portcullis_oauth::Subject;
use portcullis_oauth::crypto::base64url;
use portcullis_oauth::jose::compact::MAX_TOKEN;
use portcullis_oauth::json::{self, Limits, Map, Value};

use super::pointer::Pointer;
use super::{Evidence, Upstream, UpstreamError};

/// Where in claims is what we ask for.
#[derive(Clone, Debug)]
pub(super) struct ClaimMap {
    subject: Pointer,
    display: Vec<Pointer>,
    /// Our name, and where the value is.
    aliases: Vec<(String, Pointer)>,
}

impl ClaimMap {
    pub(super) fn of(upstream: &Upstream) -> Self {
        let aliases = upstream.claim_aliases.iter();
        Self {
            subject: Pointer::parse(&upstream.subject),
            display: upstream
                .display
                .iter()
                .map(|claim| Pointer::parse(claim))
                .collect(),
            aliases: aliases
                .map(|(ours, theirs)| (ours.clone(), Pointer::parse(theirs)))
                .collect(),
        }
    }

    /// The user's id among these claims, if it is there.
    pub(super) fn subject(
        &self,
        claims: &Map<String, Value>,
    ) -> Result<Option<Subject>, UpstreamError> {
        let Some(value) = self.subject.find(claims) else {
            return Ok(None);
        };
        // SECURITY: whole numbers alone have one spelling (GitHub's `id`); what is neither text nor
        // whole names nobody; sec_px_09_an_account_is_the_providers_subject
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
            _ => None,
        };
        let subject = text.and_then(|text| Subject::parse(&text).ok());
        subject
            .map(Some)
            .ok_or(UpstreamError::Invalid("the user has no usable id"))
    }

    /// Whether one of the claims that name the user to people is there.
    pub(super) fn names_the_user(&self, claims: &Map<String, Value>) -> bool {
        self.name_in(claims).is_some()
    }

    /// The user's name for people.
    pub(super) fn display(&self, evidence: &Evidence) -> Option<String> {
        [
            &evidence.profile,
            &evidence.id_token,
            &evidence.access_token,
        ]
        .into_iter()
        .find_map(|claims| self.name_in(claims))
    }

    /// Adds what is known by another name.
    pub(super) fn add_aliases(&self, claims: &mut Map<String, Value>) {
        for (ours, theirs) in &self.aliases {
            let value = match theirs.all(claims).as_slice() {
                [] => continue,
                [one] => (*one).clone(),
                many => Value::Array(many.iter().map(|one| (*one).clone()).collect()),
            };
            claims.entry(ours.clone()).or_insert(value);
        }
    }

    fn name_in(&self, claims: &Map<String, Value>) -> Option<String> {
        let mut found = self
            .display
            .iter()
            .filter_map(|claim| claim.find(claims)?.as_str());
        found
            .find(|text| !text.trim().is_empty())
            .map(str::to_owned)
    }
}

/// Texts and whole numbers, one by one or in lists, as texts.
pub(super) fn texts<'v>(values: impl IntoIterator<Item = &'v Value>) -> Vec<String> {
    let mut all = Vec::new();
    for value in values {
        match value {
            Value::String(text) => all.push(text.clone()),
            Value::Number(number) if !number.is_f64() => all.push(number.to_string()),
            Value::Array(items) => all.extend(texts(items)),
            _ => {}
        }
    }
    all
}

/// The claims of a token that came from the provider itself, if it is a JWT. No signature is checked.
pub(super) fn unverified(token: &str) -> Map<String, Value> {
    read_payload(token).unwrap_or_default()
}

fn read_payload(token: &str) -> Option<Map<String, Value>> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let mut segments = token.split('.');
    let (_, payload, _) = (segments.next()?, segments.next()?, segments.next()?);
    if segments.next().is_some() {
        return None;
    }
    let payload = base64url::decode_strict(payload).ok()?;
    json::from_slice(&payload, Limits::JOSE).ok()
}
