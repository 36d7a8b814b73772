//! Who asks at an endpoint that takes forms.

use portcullis_oauth::form::Form;

use super::failure::Failure;
use super::shell::BackRequest;
use crate::client::{AuthenticatedClient, Presented};
use crate::context::Context;
use crate::event::{Event, EventKind};

/// The client that sent a form, proven.
///
/// # Errors
/// [`Failure::Client`], and [`Failure::Limited`] for whoever failed too often.
pub(super) async fn authenticate(
    context: &Context,
    request: &BackRequest,
    form: &Form,
) -> Result<AuthenticatedClient, Failure> {
    form.refuse_repeats_except(&["resource"])?;
    let from = request.address;
    let presented = Presented::read(&request.headers, form)?;
    let id = presented.client_id().clone();
    // SECURITY: secrets are not guessed at any speed, and nobody locks a client out by its id alone
    // (RFC 6819 section 5.1.4.2.3); sec_ca_08_guessing_at_the_token_endpoint_is_slow
    context.limits.check_failures(id.as_str(), from)?;
    // SECURITY: hosts are asked for strangers no more often here than at the authorization endpoint
    // (CWE-406); sec_ci_08_the_token_endpoint_asks_hosts_seldom
    let standing = context.standing(&id, from)?;
    match context.clients.authenticate(&presented, standing).await {
        Ok(client) => Ok(client),
        Err(error) => {
            if error.unavailable().is_none() {
                if presented.has_proof() {
                    context.limits.count_guess(id.as_str(), from);
                } else {
                    context.limits.count_refusal(from);
                }
                let event = Event::new(EventKind::ClientRefused).of_client(id.as_str());
                let event = event.from_address(from).because(error.reason());
                context.events.note(event);
            }
            Err(error.into())
        }
    }
}
