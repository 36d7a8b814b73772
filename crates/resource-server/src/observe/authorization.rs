//! What happens at an authorization server, as a value that observers are told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Observer, isolated};
use crate::ClientAddress;

macro_rules! kinds {
    ($($(#[$doc:meta])+ $variant:ident = $word:literal;)+) => {
        /// What happened at the authorization server. The [words](Self::word) are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AuthorizationEventKind {
            $($(#[$doc])+ $variant,)+
        }

        impl AuthorizationEventKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// A stable word for logs and metrics.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

kinds! {
    /// A client registered itself.
    ClientRegistered = "client_registered";
    /// A client did not prove that it is itself.
    ClientRefused = "client_refused";
    /// A user logged in.
    LoggedIn = "logged_in";
    /// Somebody tried to log in, in vain.
    LoginFailed = "login_failed";
    /// A user logged out.
    LoggedOut = "logged_out";
    /// A user let a client in.
    ConsentApproved = "consent_approved";
    /// A user refused a client.
    ConsentDenied = "consent_denied";
    /// A client got tokens: for a code, or for its own credentials.
    GrantMade = "grant_made";
    /// A code was not honoured although there was one.
    CodeRefused = "code_refused";
    /// A code was offered that was redeemed before: its grant is ended.
    CodeReplayed = "code_replayed";
    /// A client redeemed a code with a `code_challenge` that it had redeemed another one with: its
    /// proof is the same each time, and no secret to whoever saw it once.
    ChallengeReused = "challenge_reused";
    /// A client got new tokens for a refresh token.
    TokenRefreshed = "token_refreshed";
    /// A refresh token was offered that was replaced before: its grant is ended.
    RefreshReused = "refresh_reused";
    /// A grant ended before its time.
    GrantEnded = "grant_ended";
    /// The signing keys are others.
    KeyRotated = "key_rotated";
    /// An operator made an account.
    UserAdded = "user_added";
    /// An operator changed an account.
    UserChanged = "user_changed";
    /// An operator removed an account.
    UserRemoved = "user_removed";
    /// An operator took from a client all that it was granted.
    ClientRevoked = "client_revoked";
    /// An operator made a token without a login.
    TokenMinted = "token_minted";
}

/// One thing that happened at the authorization server. No token, no code, no cookie and no password
/// is in it.
#[derive(Debug, Clone)]
pub struct AuthorizationEvent {
    kind: AuthorizationEventKind,
    at: Duration,
    subject: Option<Box<str>>,
    client_id: Option<Box<str>>,
    grant: Option<Box<str>>,
    resource: Option<Box<str>>,
    address: Option<ClientAddress>,
    reason: Option<&'static str>,
}

impl AuthorizationEvent {
    /// Something of this kind happened.
    #[must_use]
    pub fn new(kind: AuthorizationEventKind) -> Self {
        Self {
            kind,
            at: Duration::ZERO,
            subject: None,
            client_id: None,
            grant: None,
            resource: None,
            address: None,
            reason: None,
        }
    }

    /// When: time since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn at(mut self, since_epoch: Duration) -> Self {
        self.at = since_epoch;
        self
    }

    /// The user that it is about.
    #[must_use]
    pub fn of_user(mut self, subject: &str) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The client that it is about.
    #[must_use]
    pub fn of_client(mut self, client_id: &str) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// The grant that it is about.
    #[must_use]
    pub fn of_grant(mut self, grant: impl fmt::Display) -> Self {
        self.grant = Some(grant.to_string().into());
        self
    }

    /// The resource that it is about.
    #[must_use]
    pub fn of_resource(mut self, resource: &str) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Where the request came from.
    #[must_use]
    pub fn from_address(mut self, address: Option<ClientAddress>) -> Self {
        self.address = address;
        self
    }

    /// Why, as a stable word.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// What happened.
    pub fn kind(&self) -> AuthorizationEventKind {
        self.kind
    }

    /// When it happened: time since 1970-01-01T00:00:00Z.
    pub fn happened_at(&self) -> Duration {
        self.at
    }

    /// The user that it is about, if there is one who is known.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The client that it is about, if there is one who is known.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// The id of the grant that it is about. It opens nothing.
    pub fn grant(&self) -> Option<&str> {
        self.grant.as_deref()
    }

    /// The resource that it is about.
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// Where the request came from, as the listener knows it. It proves nothing.
    pub fn client_address(&self) -> Option<ClientAddress> {
        self.address
    }

    /// A stable word for why, where the kind alone does not say it.
    pub fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    /// Whether a stranger can bring this about as often as he likes.
    pub fn is_of_strangers(&self) -> bool {
        matches!(
            self.kind,
            AuthorizationEventKind::ClientRegistered
                | AuthorizationEventKind::ClientRefused
                | AuthorizationEventKind::LoginFailed
                | AuthorizationEventKind::CodeRefused
        )
    }
}

/// Everybody who is told of the events of one authorization server.
#[derive(Clone, Default)]
pub struct Observers(Arc<[Arc<dyn Observer>]>);

impl Observers {
    /// All of these.
    pub fn new(observers: impl IntoIterator<Item = Arc<dyn Observer>>) -> Self {
        Self(observers.into_iter().collect())
    }

    /// These and those of `others` that are not among them: each is told once, however often the
    /// same one was mounted.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let is_new = |other: &&Arc<dyn Observer>| !self.0.iter().any(|own| Arc::ptr_eq(own, other));
        let new = others.0.iter().filter(is_new);
        Self::new(self.0.iter().chain(new).cloned())
    }

    /// Asks everybody for room to take note of one event. None if one of them has no room: what
    /// would have to be noted must not happen then.
    #[must_use]
    pub fn reserve_event(&self) -> Option<ReservedEvent> {
        let mut reserved = ReservedEvent {
            observers: self.clone(),
            count: 0,
        };
        for observer in self.0.iter() {
            if isolated(|| observer.reserve_event()) != Some(true) {
                return None;
            }
            reserved.count += 1;
        }
        Some(reserved)
    }

    /// Tells everybody.
    pub fn tell(&self, event: &AuthorizationEvent) {
        for observer in self.0.iter() {
            isolated(|| observer.authorization(event));
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observers({})", self.0.len())
    }
}

/// Room for one event, given back when this is dropped.
#[derive(Debug)]
#[must_use = "the room is given back when this is dropped"]
pub struct ReservedEvent {
    observers: Observers,
    /// How many have given room.
    count: usize,
}

impl ReservedEvent {
    /// Tells everybody of what happened.
    pub fn tell(self, event: &AuthorizationEvent) {
        self.observers.tell(event);
    }
}

impl Drop for ReservedEvent {
    fn drop(&mut self) {
        for observer in self.observers.0.iter().take(self.count) {
            isolated(|| observer.release_event());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicIsize, Ordering};

    use super::*;
    use crate::observe::Exchange;

    #[derive(Default)]
    struct Counting {
        room: AtomicIsize,
        told: AtomicIsize,
    }

    impl Observer for Counting {
        fn answered(&self, _: &Exchange) {}

        fn reserve_event(&self) -> bool {
            self.room.fetch_sub(1, Ordering::SeqCst) > 0
        }

        fn release_event(&self) {
            self.room.fetch_add(1, Ordering::SeqCst);
        }

        fn authorization(&self, _: &AuthorizationEvent) {
            self.told.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn with_room(room: isize) -> Arc<Counting> {
        Arc::new(Counting {
            room: AtomicIsize::new(room),
            ..Counting::default()
        })
    }

    #[test]
    fn room_is_given_back_whatever_becomes_of_it() {
        let one = with_room(1);
        let observers = Observers::new([Arc::clone(&one) as Arc<dyn Observer>]);
        drop(observers.reserve_event().unwrap());
        assert_eq!(one.room.load(Ordering::SeqCst), 1);
        let event = AuthorizationEvent::new(AuthorizationEventKind::LoggedIn);
        observers.reserve_event().unwrap().tell(&event);
        assert_eq!(one.room.load(Ordering::SeqCst), 1);
        assert_eq!(one.told.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn without_room_everywhere_there_is_none_and_the_rest_is_given_back() {
        let (roomy, full) = (with_room(5), with_room(0));
        let all: [Arc<dyn Observer>; 2] = [Arc::clone(&roomy) as _, Arc::clone(&full) as _];
        assert!(Observers::new(all).reserve_event().is_none());
        assert_eq!(roomy.room.load(Ordering::SeqCst), 5);
    }

    #[test]
    fn words_differ() {
        let words: std::collections::BTreeSet<_> = AuthorizationEventKind::ALL
            .iter()
            .map(|kind| kind.word())
            .collect();
        assert_eq!(words.len(), AuthorizationEventKind::ALL.len());
    }
}
