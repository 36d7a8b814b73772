//! Every page, as it goes to the browser.

mod consent;
mod gallery;
mod headers;
mod markup;

use axum::response::Response;
use futures_util::FutureExt as _;
use http::{HeaderMap, StatusCode};
use portcullis_oauth::BaseUrl;

use super::{Pages, Theme};

/// The pages of a theme, as `https://mcp.example.com` has them.
fn pages(theme: &Theme) -> Pages {
    let base = BaseUrl::parse("https://mcp.example.com").unwrap();
    Pages::new(theme, &base).unwrap()
}

/// A response, with its body read.
struct Shown {
    status: StatusCode,
    headers: HeaderMap,
    html: String,
}

impl Shown {
    fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).now_or_never();
        Self {
            status: head.status,
            headers: head.headers,
            html: String::from_utf8(body.unwrap().unwrap().to_vec()).unwrap(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    /// The content of the style element.
    fn style(&self) -> &str {
        let (_, rest) = self.html.split_once("<style>").unwrap();
        rest.split_once("</style>").unwrap().0
    }

    /// What is read on the page, without tags.
    fn text(&self) -> String {
        let (_, body) = self.html.split_once("</head>").unwrap();
        let mut text = String::new();
        for piece in body.split('<') {
            text.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
        }
        text
    }
}
