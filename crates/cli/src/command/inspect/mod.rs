//! `inspect`: what a server is, what it speaks, and who may use it.

mod show;

use anyhow::Result;
use portcullis::Client;
use portcullis::client::{ClientError, TransportError};
use portcullis::model;
use portcullis_client::discovery;
use portcullis_oauth::ResourceUrl;
use portcullis_oauth::challenge::Challenge;
use portcullis_oauth::metadata::ProtectedResourceMetadata;
use serde::Serialize;

use crate::args::InspectArgs;
use crate::client::Target;
use crate::report::Report;

/// What was found.
#[derive(Debug, Serialize)]
struct Inspected {
    url: String,
    access: Access,
    /// Absent where the server does not let this caller in.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Server>,
}

/// Who may use the server.
#[derive(Debug, Serialize)]
struct Access {
    /// Whether a stranger may come in.
    open: bool,
    /// Whether the token that was given lets its bearer in; absent where none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_accepted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<Asked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    /// Why the metadata is not to be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_fault: Option<String>,
}

/// What a stranger is told.
#[derive(Debug, Serialize)]
struct Asked {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_metadata: Option<String>,
}

/// The protected resource metadata.
#[derive(Debug, Serialize)]
struct Metadata {
    url: String,
    elsewhere: bool,
    document: ProtectedResourceMetadata,
}

#[derive(Debug, Serialize)]
struct Server {
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<model::Implementation>,
    /// The newest first.
    revisions: Vec<String>,
    capabilities: model::ServerCapabilities,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
    offers: Offers,
}

/// How much there is of each; absent where the list cannot be had.
#[derive(Debug, Serialize)]
struct Offers {
    tools: Option<usize>,
    resources: Option<usize>,
    resource_templates: Option<usize>,
    prompts: Option<usize>,
}

pub(super) async fn inspect(args: InspectArgs, report: Report) -> Result<()> {
    let target = args.connect.target(report)?;
    let stranger = target.as_a_stranger().await;
    let challenge = match &stranger {
        Ok(_) => None,
        Err(ClientError::Transport(error @ TransportError::Unauthorized { .. })) => {
            Some(error.challenge().cloned())
        }
        Err(error) => return Err(target.failure(error).into()),
    };
    let is_open = stranger.is_ok();
    let mut access = Access {
        open: is_open,
        token_accepted: None,
        challenge: challenge.flatten().as_ref().map(Asked::of),
        metadata: None,
        metadata_fault: None,
    };
    access.discover(&target).await;
    let (client, refused) = if target.has_token() {
        if let Ok(stranger) = stranger {
            stranger.close().await;
        }
        let entered = target.connect().await;
        access.token_accepted = Some(entered.is_ok());
        match entered {
            Ok(client) => (Some(client), None),
            Err(error) => (None, Some(error)),
        }
    } else {
        (stranger.ok(), None)
    };
    let server = match client {
        Some(client) => Some(Server::of(client, &target).await),
        None => None,
    };
    report.data(&Inspected {
        url: target.shown(),
        access,
        server,
    })?;
    match refused {
        Some(error) => Err(target.failure(&error).into()),
        None => Ok(()),
    }
}

impl Access {
    async fn discover(&mut self, target: &Target) {
        let Ok(resource) = ResourceUrl::parse(target.url()) else {
            return;
        };
        let challenge = self.challenge.as_ref();
        let named = challenge.and_then(|challenge| challenge.resource_metadata.as_deref());
        let challenge = named.map(|url| Challenge::bearer().resource_metadata(url));
        match discovery::protected_resource(&resource, challenge.as_ref()).await {
            Ok(found) => {
                self.metadata = found.map(|found| Metadata {
                    url: found.url,
                    elsewhere: found.is_elsewhere,
                    document: found.metadata,
                });
            }
            // An open server owes nobody a document.
            Err(_) if self.open => {}
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let fault = [Some(error.to_string()), cause];
                let fault: Vec<String> = fault.into_iter().flatten().collect();
                self.metadata_fault = Some(fault.join(": "));
            }
        }
    }
}

impl Asked {
    fn of(challenge: &Challenge) -> Self {
        let scopes = challenge.scopes();
        Self {
            scopes: scopes
                .iter()
                .map(|scope| scope.as_str().to_owned())
                .collect(),
            resource_metadata: challenge.get("resource_metadata").map(str::to_owned),
        }
    }
}

impl Server {
    async fn of(client: Client, target: &Target) -> Self {
        let said = client.server().clone();
        let mut revisions = vec![said.revision.clone()];
        if !said.has_session
            && let Ok(session) = target.connect().sessions_only().await
        {
            revisions.push(session.server().revision.clone());
            session.close().await;
        }
        let offers = Offers {
            tools: client.tools().await.ok().map(|list| list.len()),
            resources: client.resources().await.ok().map(|list| list.len()),
            resource_templates: client
                .resource_templates()
                .await
                .ok()
                .map(|list| list.len()),
            prompts: client.prompts().await.ok().map(|list| list.len()),
        };
        client.close().await;
        Self {
            info: said.implementation,
            revisions,
            capabilities: said.capabilities,
            instructions: said.instructions,
            offers,
        }
    }
}
