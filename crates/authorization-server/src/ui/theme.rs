//! How the pages look: the one hook for it.

use std::borrow::Cow;

use portcullis_oauth::crypto::base64;
use portcullis_oauth::{BaseUrl, EndpointUrl};
use portcullis_resource_server::{ConfigError, ConfigErrors};

use super::clean;
use super::colour::Colour;
use super::text::Texts;
use crate::faults::Faults;

/// The name, logo, colour and languages of the pages. Everything is optional.
///
/// ```
/// use portcullis_authorization_server::ui::Theme;
///
/// let theme = Theme::new()
///     .service_name("Notes of Example Inc.")
///     .logo("https://www.example.com/logo.svg")
///     .accent("#0b7a5e")
///     .support("mailto:help@example.com");
/// # let _ = theme;
/// ```
///
/// What cannot be used is an error when the provider is built.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Theme {
    service_name: Option<String>,
    logo: Option<String>,
    accent: Option<String>,
    support: Option<String>,
    languages: Vec<Texts>,
    default_language: Option<Cow<'static, str>>,
}

impl Theme {
    /// The plain pages: the name is the host of the base URL.
    pub fn new() -> Self {
        Self::default()
    }

    /// What users know the service by, at most 64 characters.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// A picture above each page: an `https` URL, or `data:image/..;base64,..` of at most 64 KiB
    /// (PNG, JPEG, GIF, WebP or SVG). It is shown 32 pixels high.
    pub fn logo(mut self, url: impl Into<String>) -> Self {
        self.logo = Some(url.into());
        self
    }

    /// The colour of links and of the main button, `#rrggbb` or `#rgb`. Where text in or on it
    /// could not be read, it is made darker or lighter, separately for light and dark pages.
    pub fn accent(mut self, colour: impl Into<String>) -> Self {
        self.accent = Some(colour.into());
        self
    }

    /// Where a user finds help: an `https` URL or `mailto:`. Linked from every page.
    pub fn support(mut self, link: impl Into<String>) -> Self {
        self.support = Some(link.into());
        self
    }

    /// Adds a language, or replaces a built-in one; English and German are built in.
    pub fn language(mut self, texts: Texts) -> Self {
        self.languages.push(texts);
        self
    }

    /// The language for those whose own is not there, as `de`. English if it is not set.
    pub fn default_language(mut self, tag: impl Into<Cow<'static, str>>) -> Self {
        self.default_language = Some(tag.into());
        self
    }

    /// The theme, checked.
    pub(super) fn check(&self, base: &BaseUrl) -> Result<CheckedTheme, ConfigErrors> {
        let mut faults = Faults::default();
        let name = match &self.service_name {
            Some(name) => clean::name(name)
                .ok_or_else(|| ConfigError::new("theme.service_name", "has no visible letter")),
            None => Ok(base.host().to_owned()),
        };
        let name = faults.note(name);
        let logo = faults.note(self.logo.as_deref().map(Logo::parse).transpose());
        let accent = faults.note(self.accent.as_deref().map(accent).transpose());
        let support = faults.note(self.support.as_deref().map(support).transpose());
        let languages = faults.note(self.check_languages());
        let (name, languages) = faults.check(name.zip(languages))?;
        Ok(CheckedTheme {
            name,
            logo: logo.flatten(),
            accent: accent.flatten(),
            support: support.flatten(),
            languages,
        })
    }

    /// All languages, the default one first.
    fn check_languages(&self) -> Result<Vec<Texts>, ConfigError> {
        let mut languages = vec![Texts::english(), Texts::german()];
        for texts in &self.languages {
            if let Some(field) = texts.fault() {
                let hint = "a text keeps the places in braces that its English one has";
                return Err(ConfigError::new(
                    "theme.language",
                    format!("`{field}` of `{}` cannot be used", texts.language),
                )
                .with_hint(hint));
            }
            languages.retain(|there| !same_tag(&there.language, &texts.language));
            languages.push(texts.clone());
        }
        let tag = self.default_language.as_deref().unwrap_or("en");
        let at = languages
            .iter()
            .position(|texts| same_tag(&texts.language, tag))
            .ok_or_else(|| {
                let fault = format!("there are no texts for `{tag}`");
                ConfigError::new("theme.default_language", fault)
            })?;
        let first = languages.remove(at);
        languages.insert(0, first);
        Ok(languages)
    }
}

pub(super) struct CheckedTheme {
    pub(super) name: String,
    pub(super) logo: Option<Logo>,
    pub(super) accent: Option<Colour>,
    pub(super) support: Option<String>,
    pub(super) languages: Vec<Texts>,
}

/// A picture, and where the policy allows pictures from.
#[derive(Debug)]
pub(super) struct Logo {
    pub(super) url: String,
    pub(super) source: String,
}

/// A picture in a page makes every page that much longer.
const LOGO_BYTES: usize = 64 * 1024;

const PICTURES: &[&str] = &["png", "jpeg", "gif", "webp", "svg+xml"];

impl Logo {
    fn parse(url: &str) -> Result<Self, ConfigError> {
        let error = |fault: &'static str| {
            ConfigError::new("theme.logo", fault)
                .with_hint("an `https` URL, or `data:image/png;base64,..`")
        };
        let source = if let Some(data) = url.strip_prefix("data:image/") {
            if url.len() > LOGO_BYTES {
                return Err(error("is longer than 64 KiB"));
            }
            let (kind, content) = data
                .split_once(";base64,")
                .ok_or_else(|| error("is not in base64"))?;
            if !PICTURES.contains(&kind) {
                return Err(error("is no picture that every browser shows"));
            }
            base64::decode_strict(content).map_err(|_| error("is not in base64"))?;
            "data:".to_owned()
        } else {
            let url = EndpointUrl::parse(url).map_err(|_| error("is no URL of a picture"))?;
            url.origin()
        };
        Ok(Self {
            url: url.to_owned(),
            source,
        })
    }
}

fn accent(text: &str) -> Result<Colour, ConfigError> {
    Colour::parse(text).ok_or_else(|| {
        ConfigError::new("theme.accent", "is no colour").with_hint("write it as `#0b7a5e`")
    })
}

fn support(link: &str) -> Result<String, ConfigError> {
    let is_mail = link.strip_prefix("mailto:").is_some_and(|address| {
        address.contains('@') && address.bytes().all(|byte| byte.is_ascii_graphic())
    });
    if is_mail || EndpointUrl::parse(link).is_ok() {
        return Ok(link.to_owned());
    }
    Err(
        ConfigError::new("theme.support", "is neither an `https` URL nor `mailto:`")
            .with_hint("write `https://example.com/help` or `mailto:help@example.com`"),
    )
}

fn same_tag(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(theme: &Theme) -> String {
        let base = BaseUrl::parse("https://mcp.example.com").unwrap();
        let errors = theme.check(&base).err().unwrap();
        let all: Vec<_> = errors.iter().map(ConfigError::to_string).collect();
        all.join(", ")
    }

    #[test]
    fn mistakes_are_named() {
        let theme = Theme::new;
        assert_eq!(
            fault(&theme().accent("red;}")),
            "`theme.accent`: is no colour"
        );
        for logo in [
            "javascript:alert(1)",
            "http://example.com/logo.png",
            "data:text/html;base64,PGI+",
            "data:image/png,xx",
            "data:image/png;base64,\"><script>",
            "data:image/x;base64,PGI+",
        ] {
            let fault = fault(&theme().logo(logo));
            assert!(fault.starts_with("`theme.logo`: is "), "{fault}");
        }
        let long = format!("data:image/png;base64,{}", "A".repeat(LOGO_BYTES));
        assert_eq!(
            fault(&theme().logo(long)),
            "`theme.logo`: is longer than 64 KiB"
        );
        for support in ["javascript:alert(1)", "mailto:", "mailto:a b@c", "help"] {
            let fault = fault(&theme().support(support));
            assert!(fault.starts_with("`theme.support`"), "{fault}");
        }
        assert_eq!(
            fault(&theme().service_name("\u{200b}")),
            "`theme.service_name`: has no visible letter"
        );
        assert_eq!(
            fault(&theme().default_language("sv")),
            "`theme.default_language`: there are no texts for `sv`"
        );
        let mut texts = Texts::english();
        texts.consent_heading = "Yes?".into();
        assert_eq!(
            fault(&theme().language(texts)),
            "`theme.language`: `consent_heading` of `en` cannot be used"
        );
    }

    #[test]
    fn languages_are_added_and_replaced() {
        let base = BaseUrl::parse("https://mcp.example.com").unwrap();
        let mut swedish = Texts::english();
        swedish.language = "sv".into();
        let mut german = Texts::german();
        german.approve = "Ja".into();
        let theme = Theme::new().language(swedish).language(german);
        let checked = theme.default_language("DE").check(&base).unwrap();
        let tags: Vec<&str> = checked
            .languages
            .iter()
            .map(|texts| &*texts.language)
            .collect();
        assert_eq!(tags, ["de", "en", "sv"]);
        assert_eq!(checked.languages[0].approve, "Ja");
        assert_eq!(checked.name, "mcp.example.com");
    }
}
