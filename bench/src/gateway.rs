//! A server called directly, and through the gateway.
//!
//! | variant | what |
//! |---|---|
//! | `direct` | a bare rmcp server |
//! | `open` | the same through a gateway that asks for no token |
//! | `es256` | through a gateway that asks for a JWT, verified before and remembered |
//! | `ruled` | the same, with rules for its tools |
//!
//! Each in both protocol eras, as in the benchmark `server`. The server, the gateway and the load
//! generator have a thread each. So on two processors the gateway takes from what the server had
//! for itself, and the ratio holds what a machine pays in all.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::serve::ListenerExt as _;
use portcullis_gateway::{Gateway, Needs, Rules, Upstream};
use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::{BaseUrl, EndpointUrl, scopes};
use portcullis_resource_server::{Auth, JwtVerifier};
use portcullis_testkit::FakeIdp;

use crate::{
    host::Host,
    race::{Plan, Variant, race},
    report::Report,
    server::{
        bare::{self, Table},
        calls::{self, Era},
    },
};

/// Key, ours, theirs.
const RATIOS: [(&str, &str, &str); 6] = [
    ("gateway_over_direct", "modern/es256", "modern/direct"),
    ("open_gateway_over_direct", "modern/open", "modern/direct"),
    ("rules_over_none", "modern/ruled", "modern/es256"),
    (
        "legacy_gateway_over_direct",
        "legacy/es256",
        "legacy/direct",
    ),
    (
        "legacy_open_gateway_over_direct",
        "legacy/open",
        "legacy/direct",
    ),
    ("legacy_rules_over_none", "legacy/ruled", "legacy/es256"),
];

pub(crate) async fn run(plan: Plan) -> Result<Report> {
    let idp = Arc::new(FakeIdp::start().await);
    let behind = bare::start(Table::Kept).await?;
    let url = format!("http://{}/mcp", behind.address);
    let mut hosts = vec![("direct", behind.clone(), None)];
    let open = front(&url, Rules::new(), None).await?;
    hosts.push(("open", open, None));
    let ruled = Rules::new()
        .tool("write_*", Needs::scopes(scopes!["write"]))?
        .tool("admin_*", Needs::roles(["admin"]))?;
    for (name, rules) in [("es256", Rules::new()), ("ruled", ruled)] {
        let host = front(&url, rules, Some(Arc::clone(&idp))).await?;
        let audience = format!("http://{}/mcp", host.address);
        let long = std::time::Duration::from_secs(12 * 3600);
        let token = idp
            .token()
            .alg(Algorithm::Es256)
            .audience(audience)
            .expires_in(long);
        hosts.push((name, host, Some(token.sign())));
    }
    let mut variants = Vec::new();
    for era in [Era::Modern, Era::Legacy] {
        for (name, host, token) in &hosts {
            let name = format!("{}/{name}", era.name());
            let target = calls::target(host, era, token.as_deref(), plan.connections()).await;
            variants.push(Variant::new(
                name.clone(),
                target.with_context(|| format!("`{name}`"))?,
            ));
        }
    }
    let measures = race(plan, &variants).await?;
    RATIOS
        .into_iter()
        .try_fold(Report::new(measures), |report, (key, ours, theirs)| {
            report.ratio(key, ours, theirs)
        })
}

/// A gateway before the server at `url`; open without a provider.
async fn front(url: &str, rules: Rules, idp: Option<Arc<FakeIdp>>) -> Result<Host> {
    let upstream = Upstream::http("behind", EndpointUrl::parse(url)?).rules(rules);
    let issuer = idp.map(|idp| idp.issuer().as_str().to_owned());
    Host::start(async move |listener| {
        let base_url = BaseUrl::parse(&format!("http://{}", listener.local_addr()?))?;
        let auth = match &issuer {
            Some(issuer) => Auth::new(JwtVerifier::builder(issuer).build()?),
            None => Auth::dangerous().allow_anonymous(),
        };
        let app = Gateway::new(auth.base_url(base_url))?
            .upstream(upstream)
            .build()?
            .router();
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, app).await?)
    })
    .await
}
