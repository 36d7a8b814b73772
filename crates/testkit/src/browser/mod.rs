//! A browser without a screen: cookies, forms, redirects and the headers that browsers send.

mod html;
mod jar;
mod page;
#[cfg(test)]
mod tests;
mod visit;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use http::header::{
    ACCEPT, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, SET_COOKIE,
};
use http::{Method, Request};
use portcullis_oauth::BaseUrl;
use tower::ServiceExt as _;

use self::jar::Jar;
pub use self::page::Page;
pub use self::visit::{Site, Visit};

/// Somebody's browser, on one site that runs in this process.
///
/// It keeps cookies as RFC 6265 and its successor say: a `__Host-` prefix has to be earned, `Secure`
/// needs `https`, and `SameSite` holds. It follows redirects on the site, and stops where one leaves
/// it, as a test wants to see what would go there. A clone is another tab of the same browser.
///
/// ```
/// use axum::Router;
/// use axum::response::Html;
/// use axum::routing::{get, post};
/// use portcullis_oauth::BaseUrl;
/// use portcullis_testkit::Browser;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let page = r#"<form method="post" action="/greet"><input name="who"><button>Greet</button></form>"#;
/// let site = Router::new()
///     .route("/", get(async move || Html(page)))
///     .route("/greet", post(async |body: String| body));
///
/// let browser = Browser::new(site, &BaseUrl::parse("https://site.example")?);
/// let page = browser.open("/").await;
/// let answer = browser.press(&page, "Greet", &[("who", "World")]).await;
/// assert_eq!(answer.text, "who=World");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Browser {
    site: Router,
    base: BaseUrl,
    jar: Arc<Mutex<Jar>>,
}

impl Browser {
    /// A browser without cookies.
    pub fn new(site: Router, base: &BaseUrl) -> Self {
        Self {
            site,
            base: base.clone(),
            jar: Arc::default(),
        }
    }

    /// Somebody else's browser, on the same site.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(self.site.clone(), &self.base)
    }

    /// The same browser, where another process serves the site.
    #[must_use]
    pub fn at(&self, site: Router) -> Self {
        Self {
            site,
            base: self.base.clone(),
            jar: Arc::clone(&self.jar),
        }
    }

    /// Opens an address that was typed, or that a program handed over. A path is one of the site.
    pub async fn open(&self, address: &str) -> Page {
        self.visit(Visit::get(address)).await
    }

    /// Fills in a form of a page and presses its button, which is named by its `value`, or by the
    /// words on it. What is not filled in is sent as the page has it.
    ///
    /// # Panics
    /// When the page has no such button, or its form no such field.
    #[track_caller]
    pub fn press(
        &self,
        page: &Page,
        button: &str,
        fields: &[(&str, &str)],
    ) -> impl Future<Output = Page> + Send + use<> {
        let (form, pressed) = page.form_of(button);
        let visit = form
            .filled(pressed, fields)
            .unwrap_or_else(|field| page.lacks(&format!("a field `{field}` beside `{button}`")));
        let browser = self.clone();
        let visit = visit.on(page);
        async move { browser.visit(visit).await }
    }

    /// Makes a request of any shape.
    ///
    /// # Panics
    /// When the site redirects more than ten times, and when the address is none of the site.
    pub async fn visit(&self, visit: Visit) -> Page {
        let mut visit = visit;
        for _ in 0..=10 {
            let page = self.fetch(&visit).await;
            let next = page.location().map(|to| self.absolute(&page.url, to));
            match next {
                Some(to) if visit.follows && self.is_ours(&to) => visit = visit.redirected(to),
                _ => return page,
            }
        }
        broken("the site redirects without end")
    }

    /// The names of the cookies that are kept.
    pub fn cookie_names(&self) -> Vec<String> {
        self.jar().names()
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().value(name)
    }

    /// Sets a cookie without asking anybody, as an attacker on a sister domain could.
    pub fn plant_cookie(&self, name: &str, value: &str) {
        self.jar().plant(name, value);
    }

    /// Forgets all cookies.
    pub fn clear_cookies(&self) {
        *self.jar() = Jar::default();
    }

    async fn fetch(&self, visit: &Visit) -> Page {
        let url = self.absolute(self.base.as_str(), &visit.address);
        let request = self.request(visit, &url);
        let Ok(response) = self.site.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let lines = head.headers.get_all(SET_COOKIE);
        if !visit.without_cookies {
            for line in lines.iter().filter_map(|line| line.to_str().ok()) {
                self.jar().take(line, self.base.is_https());
            }
        }
        let Ok(body) = to_bytes(body, 16 * 1024 * 1024).await else {
            broken("the site's answer does not end")
        };
        Page {
            url,
            status: head.status,
            headers: head.headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    fn request(&self, visit: &Visit, url: &str) -> Request<Body> {
        let ours = self.base.origin();
        let Some(rest) = url.strip_prefix(&ours) else {
            broken(&format!("`{url}` is no address of the site"))
        };
        let path = if rest.starts_with('/') { rest } else { "/" };
        let mut request = Request::new(Body::from(visit.body.clone().unwrap_or_default()));
        *request.method_mut() = visit.method.clone();
        match path.parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => broken(&format!("`{path}` is no path")),
        }
        let host = ours.split_once("://").map_or("", |(_, host)| host);
        *request.headers_mut() = self.headers(visit, host);
        request
    }

    fn headers(&self, visit: &Visit, host: &str) -> HeaderMap {
        let mut lines = vec![
            (HOST, host.to_owned()),
            (
                ACCEPT,
                "text/html,application/xhtml+xml,*/*;q=0.8".to_owned(),
            ),
            (SEC_FETCH_SITE, visit.site.as_str().to_owned()),
            (SEC_FETCH_MODE, "navigate".to_owned()),
            (SEC_FETCH_DEST, "document".to_owned()),
        ];
        if visit.method == Method::POST {
            let form = "application/x-www-form-urlencoded".to_owned();
            lines.push((CONTENT_TYPE, form));
            let ours = self.base.origin();
            lines.push((ORIGIN, visit.site.origin(&ours).to_owned()));
        }
        let cookies = self.jar().header(visit.site.may_carry(&visit.method));
        if !cookies.is_empty() && !visit.without_cookies {
            lines.push((COOKIE, cookies));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.extend(
                HeaderValue::from_str(&value)
                    .ok()
                    .map(|value| (name, value)),
            );
        }
        for (name, value) in &visit.headers {
            let value = value.as_deref().map(HeaderValue::from_str);
            match value {
                Some(Ok(value)) => drop(headers.insert(name, value)),
                Some(Err(_)) => broken(&format!("`{name}` cannot have this value")),
                None => drop(headers.remove(name)),
            }
        }
        headers
    }

    fn absolute(&self, from: &str, address: &str) -> String {
        if address.starts_with('/') {
            return format!("{}{address}", self.base.origin());
        }
        if address.starts_with('?') {
            let path = from.split(['?', '#']).next().unwrap_or_default();
            return format!("{path}{address}");
        }
        if address.is_empty() {
            return from.to_owned();
        }
        address.to_owned()
    }

    fn is_ours(&self, url: &str) -> bool {
        url.strip_prefix(&self.base.origin())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a test cannot go on without it")]
fn broken(what: &str) -> ! {
    panic!("{what}")
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
