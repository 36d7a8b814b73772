//! The page after signing out.

use maud::{Markup, html};

use super::layout::{self, Width};
use crate::ui::LocalPages;
use crate::ui::view::SignedOutPage;

pub(crate) fn render(pages: &LocalPages<'_>, view: &SignedOutPage<'_>) -> Markup {
    let texts = pages.texts();
    let main = html! {
        h1 { (texts.signed_out) }
        p { (texts.signed_out_text) }
        @if let Some(sign_in) = view.sign_in {
            p.end { a.button href=(sign_in) { (texts.sign_in_again) } }
        }
    };
    layout::page(pages, Width::Narrow, &texts.signed_out, &main)
}
