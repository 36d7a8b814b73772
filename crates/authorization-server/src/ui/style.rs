//! The one style sheet, with the colours of the theme, and the hash by which browsers know it.

use portcullis_oauth::crypto::{base64, sha256};

use super::colour::Colour;

/// What text stands on: the card, and around it the ground.
pub(super) const LIGHT: [Colour; 2] = [Colour::WHITE, Colour::new(0xf4, 0xf5, 0xf7)];
pub(super) const DARK: [Colour; 2] = [Colour::new(0x17, 0x1b, 0x21), Colour::new(0x0e, 0x11, 0x15)];

const DEFAULT_ACCENT: Colour = Colour::new(0x1d, 0x5f, 0xbf);

#[derive(Debug)]
pub(super) struct Style {
    /// The content of the `style` element.
    pub(super) css: String,
    /// `'sha256-..'`, as the policy names it (CSP Level 3 section 2.3.1).
    pub(super) source: String,
}

impl Style {
    pub(super) fn new(accent: Option<Colour>) -> Self {
        let accent = accent.unwrap_or(DEFAULT_ACCENT);
        let (light, dark) = (variables(accent, LIGHT), variables(accent, DARK));
        let css = format!(
            ":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{}",
            include_str!("style.css"),
        );
        let source = format!("'sha256-{}'", base64::encode(sha256(css.as_bytes())));
        Self { css, source }
    }
}

fn variables(accent: Colour, on: [Colour; 2]) -> String {
    let accent = accent.readable_on(&on);
    let [card, ground] = on;
    let text = accent.text();
    format!("--card:{card};--ground:{ground};--accent:{accent};--on-accent:{text}")
}
