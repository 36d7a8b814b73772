//! As much of HTML as forms and links need.

use super::Visit;

/// A form of a page.
#[derive(Debug, Default)]
pub(super) struct Form {
    id: String,
    action: String,
    is_post: bool,
    fields: Vec<(String, String)>,
    buttons: Vec<Button>,
}

#[derive(Debug, Default)]
struct Button {
    name: String,
    value: String,
    words: String,
}

impl Form {
    /// The button of that value, or else with these words.
    pub(super) fn button(&self, wanted: &str) -> Option<usize> {
        let by_value = self
            .buttons
            .iter()
            .position(|button| button.value == wanted);
        by_value.or_else(|| {
            let has = |button: &Button| button.words.contains(wanted);
            self.buttons.iter().position(has)
        })
    }

    pub(super) fn field(&self, name: &str) -> Option<String> {
        let mut found = self.fields.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.clone())
    }

    /// The request that the form makes; or the field that it does not have.
    pub(super) fn filled(&self, pressed: usize, given: &[(&str, &str)]) -> Result<Visit, String> {
        let mut fields = self.fields.clone();
        for (name, value) in given {
            let field = fields.iter_mut().find(|(known, _)| known == name);
            let Some((_, old)) = field else {
                return Err((*name).to_owned());
            };
            (*value).clone_into(old);
        }
        let button = self.buttons.get(pressed).filter(|b| !b.name.is_empty());
        fields.extend(button.map(|button| (button.name.clone(), button.value.clone())));
        let pairs: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let visit = Visit::post(self.action.clone(), &pairs);
        if self.is_post {
            return Ok(visit);
        }
        let query = portcullis_oauth::form::encode(&pairs);
        Ok(Visit::get(format!("{}?{query}", self.action)))
    }
}

/// The forms of a page.
pub(super) fn forms(page: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut buttons: Vec<(String, Button)> = Vec::new();
    let (mut in_form, mut in_button) = (None, false);
    for (tag, text) in tags(page) {
        match tag.name.as_str() {
            "form" => {
                // What has no name is found by its place.
                let id = match tag.value("id") {
                    id if id.is_empty() => format!("form {}", forms.len()),
                    id => id,
                };
                in_form = Some(id.clone());
                forms.push(Form {
                    id,
                    action: tag.value("action"),
                    is_post: tag.value("method").eq_ignore_ascii_case("post"),
                    ..Form::default()
                });
            }
            "/form" => in_form = None,
            "button" => {
                in_button = true;
                // It may belong to a form elsewhere on the page.
                let owner = match tag.value("form") {
                    id if id.is_empty() => in_form.clone().unwrap_or_default(),
                    id => id,
                };
                let button = Button {
                    name: tag.value("name"),
                    value: tag.value("value"),
                    words: text,
                };
                buttons.push((owner, button));
            }
            "/button" => in_button = false,
            "input" if in_form.is_some() && !tag.value("name").is_empty() => {
                if let Some(form) = forms.last_mut() {
                    form.fields.push((tag.value("name"), tag.value("value")));
                }
            }
            _ if in_button => {
                if let Some((_, button)) = buttons.last_mut() {
                    button.words.push_str(&text);
                }
            }
            _ => {}
        }
    }
    for (owner, button) in buttons {
        if let Some(form) = forms.iter_mut().find(|form| form.id == owner) {
            form.buttons.push(button);
        }
    }
    forms
}

/// The addresses and the words of links.
pub(super) fn links(page: &str) -> Vec<(String, String)> {
    let mut links: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for (tag, text) in tags(page) {
        match tag.name.as_str() {
            "a" => {
                open = true;
                links.push((tag.value("href"), text));
            }
            "/a" => open = false,
            _ if open => {
                if let Some((_, words)) = links.last_mut() {
                    words.push_str(&text);
                }
            }
            _ => {}
        }
    }
    links
}

/// A page without what only says how it looks.
pub(super) fn without_style(page: &str) -> String {
    let mut pieces = page.split("<style");
    let first = pieces.next().unwrap_or_default();
    let rest = pieces.map(|piece| piece.split_once("</style>").map_or("", |(_, rest)| rest));
    std::iter::once(first).chain(rest).collect()
}

struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn value(&self, name: &str) -> String {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// Each tag, with the text behind it.
fn tags(page: &str) -> Vec<(Tag, String)> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some((_, behind)) = rest.split_once('<') {
        if let Some(comment) = behind.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            continue;
        }
        let (tag, behind) = tag(behind);
        let text = behind.split('<').next().unwrap_or_default();
        // What is in there is no markup.
        rest = match tag.name.as_str() {
            "style" | "script" => behind.split_once("</").map_or("", |(_, rest)| rest),
            _ => behind,
        };
        tags.push((tag, unescape(text)));
    }
    tags
}

/// Reads a tag behind its `<`.
fn tag(text: &str) -> (Tag, &str) {
    let end = text
        .find(|c: char| c.is_ascii_whitespace() || c == '>')
        .unwrap_or(text.len());
    let (name, mut rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            break;
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))
            .unwrap_or(rest.len());
        let (name, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (value, behind) = match behind.strip_prefix('=') {
            None => ("", behind),
            Some(value) => attribute_value(value),
        };
        attributes.push((name.to_ascii_lowercase(), unescape(value)));
        rest = behind;
    }
    let tag = Tag {
        name: name.to_ascii_lowercase(),
        attributes,
    };
    (tag, rest.strip_prefix('>').unwrap_or(rest))
}

fn attribute_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    let end = text
        .find(|c: char| c.is_ascii_whitespace() || c == '>')
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        plain.push_str(before);
        let reference = behind.split_once(';').and_then(|(name, behind)| {
            let character = character(name)?;
            Some((character, behind))
        });
        let (character, behind) = reference.unwrap_or(('&', behind));
        plain.push(character);
        rest = behind;
    }
    plain.push_str(rest);
    plain
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}
