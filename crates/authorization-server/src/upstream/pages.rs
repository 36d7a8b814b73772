//! Where a list goes on (RFC 8288).

use http::HeaderMap;
use http::header::LINK;
use portcullis_oauth::EndpointUrl;

use super::UpstreamError;

/// GitLab's number of the next page; empty on the last.
const NEXT_PAGE: &str = "x-next-page";

/// The page after this one: what a `Link` of the relation `next` names, or this URL with the number
/// that `x-next-page` has. Nothing: it was the last.
pub(super) fn next(
    this: &EndpointUrl,
    headers: &HeaderMap,
) -> Result<Option<EndpointUrl>, UpstreamError> {
    let links = headers.get_all(LINK).iter();
    let links = links.filter_map(|link| link.to_str().ok());
    let reference = links.flat_map(targets_of_next).next();
    let url = match reference {
        Some(reference) => {
            let url = this.url().join(&reference).ok();
            url.and_then(|url| EndpointUrl::parse(url.as_str()).ok())
        }
        None => match number(headers) {
            Some(number) => numbered(this, number),
            None => return Ok(None),
        },
    };
    // SECURITY: the user's token is for this host, and for nobody whom an answer names (RFC 9700
    // section 4.9.1); sec_sf_05_a_list_goes_on_at_its_own_origin
    match url.filter(|url| url.origin() == this.origin()) {
        Some(url) => Ok(Some(url)),
        None => Err(UpstreamError::Invalid("a list goes on elsewhere")),
    }
}

/// The targets of the relation `next`, in one field value.
fn targets_of_next(field: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), field);
    while let Some((target, after)) = rest
        .split_once('<')
        .and_then(|(_, after)| after.split_once('>'))
    {
        // What is said of a target ends where the next one begins.
        let parameters = after.split_once('<').map_or(after, |(before, _)| before);
        if parameters.split([';', ',']).any(is_next) {
            found.push(target.to_owned());
        }
        rest = after;
    }
    found
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel")
        && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
}

fn number(headers: &HeaderMap) -> Option<u32> {
    headers.get(NEXT_PAGE)?.to_str().ok()?.trim().parse().ok()
}

fn numbered(this: &EndpointUrl, number: u32) -> Option<EndpointUrl> {
    let mut url = this.url().clone();
    let all = url.query_pairs().into_owned();
    let others: Vec<_> = all.filter(|(name, _)| name != "page").collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair("page", &number.to_string());
    EndpointUrl::parse(url.as_str()).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn follow(headers: &[(&'static str, &str)]) -> Result<Option<String>, UpstreamError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let this = EndpointUrl::parse("https://api.example/orgs?per_page=100").unwrap();
        Ok(next(&this, &map)?.map(|url| url.as_str().to_owned()))
    }

    #[test]
    fn a_list_goes_on_as_it_says() {
        let second = "https://api.example/orgs?per_page=100&page=2";
        for headers in [
            &[(
                "link",
                "<https://api.example/orgs?per_page=100&page=2>; rel=\"next\", <https://api.example/orgs?page=9>; rel=\"last\"",
            )][..],
            &[
                ("link", "</orgs?page=1>; rel=\"prev first\""),
                ("link", "</orgs?per_page=100&page=2>; title=x; REL=next"),
            ],
            &[("link", "<?per_page=100&page=2>;rel=\"last Next\"")],
            &[("x-next-page", "2")],
        ] {
            assert_eq!(
                follow(headers).unwrap().as_deref(),
                Some(second),
                "{headers:?}"
            );
        }
        for last in [
            &[][..],
            &[("x-next-page", "")],
            &[("x-next-page", "two")],
            &[("link", "<https://api.example/orgs?page=1>; rel=\"prev\"")],
            &[("link", "<https://api.example/orgs; rel=next")],
            &[("link", "rel=next")],
        ] {
            assert_eq!(follow(last).unwrap(), None, "{last:?}");
        }
    }

    #[test]
    fn sec_sf_05_a_list_goes_on_at_its_own_origin() {
        for elsewhere in [
            "<https://evil.example/orgs>; rel=next",
            "<//evil.example/orgs>; rel=next",
            "<http://api.example/orgs>; rel=next",
            "<https://api.example:8443/orgs>; rel=next",
            "<https://api.example@evil.example/orgs>; rel=next",
            "<file:///etc/passwd>; rel=next",
            "<data:,x>; rel=next",
        ] {
            assert!(follow(&[("link", elsewhere)]).is_err(), "{elsewhere}");
        }
    }
}
