//! Scopes, in our spelling and in the provider's.

use portcullis_oauth::{Scope, ScopeSet};

/// How the two spellings become each other.
#[derive(Clone, Debug)]
pub(super) struct ScopeMap {
    pub(super) separator: char,
    pub(super) aliases: Vec<(Scope, Scope)>,
    pub(super) prefix: Option<(String, ScopeSet)>,
    /// In our spelling.
    pub(super) always: ScopeSet,
}

impl ScopeMap {
    /// What is sent for these scopes of ours; nothing when it would be empty.
    pub(super) fn sent(&self, ours: &ScopeSet) -> Option<String> {
        // It is between our client and us; what it needs of the provider is in `always`.
        let all = ours.without("offline_access").union(&self.always);
        let words: Vec<_> = all.iter().map(|scope| self.theirs(scope)).collect();
        (!words.is_empty()).then(|| words.join(self.separator.encode_utf8(&mut [0; 4])))
    }

    /// What an answer grants, in our spelling. Words that are no scopes grant nothing.
    pub(super) fn granted(&self, answer: &str) -> ScopeSet {
        // SECURITY: one word with a comma in it would be a scope that nobody compares with anything
        // (RFC 6749 section 3.3); r_35_scopes_with_commas_are_told_apart
        let words = answer.split([' ', ',']);
        words.filter_map(|word| self.ours(word)).collect()
    }

    fn theirs(&self, ours: &Scope) -> String {
        if let Some((_, theirs)) = self.aliases.iter().find(|(known, _)| known == ours) {
            return theirs.as_str().to_owned();
        }
        match &self.prefix {
            Some((prefix, except)) if !except.contains(ours) && !ours.as_str().contains('/') => {
                format!("{prefix}{ours}")
            }
            _ => ours.as_str().to_owned(),
        }
    }

    fn ours(&self, theirs: &str) -> Option<Scope> {
        let alias = self
            .aliases
            .iter()
            .find(|(_, known)| known.as_str() == theirs);
        if let Some((ours, _)) = alias {
            return Some(ours.clone());
        }
        let bare = match &self.prefix {
            Some((prefix, _)) => theirs.strip_prefix(prefix.as_str()),
            None => None,
        };
        Scope::parse(bare.unwrap_or(theirs)).ok()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::scopes;

    use super::*;

    fn map() -> ScopeMap {
        ScopeMap {
            separator: ' ',
            aliases: Vec::new(),
            prefix: None,
            always: ScopeSet::new(),
        }
    }

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn r_35_scopes_with_commas_are_told_apart() {
        let map = ScopeMap {
            separator: ',',
            ..map()
        };
        let ours = scopes!["read:user", "user:email"];
        assert_eq!(map.sent(&ours).unwrap(), "read:user,user:email");
        for answer in [
            "read:user,user:email",
            "user:email read:user",
            ",user:email, read:user,",
        ] {
            assert_eq!(map.granted(answer), ours, "{answer}");
        }
        assert!(map.granted("").is_empty());
        assert_eq!(map.sent(&ScopeSet::new()), None);
    }

    #[test]
    fn an_alias_is_undone_on_the_way_back() {
        let theirs = "https://www.googleapis.com/auth/userinfo.email";
        let map = ScopeMap {
            aliases: vec![(scope("email"), scope(theirs))],
            always: scopes!["openid"],
            ..map()
        };
        assert_eq!(
            map.sent(&scopes!["email"]).unwrap(),
            format!("{theirs} openid")
        );
        assert_eq!(
            map.granted(&format!("openid {theirs}")),
            scopes!["openid", "email"]
        );
        assert_eq!(map.granted("email"), scopes!["email"]);
    }

    #[test]
    fn r_36_a_clients_offline_access_is_between_it_and_us() {
        let ours = scopes!["offline_access", "email"];
        assert_eq!(map().sent(&ours).unwrap(), "email");
        let map = ScopeMap {
            always: scopes!["openid", "offline_access"],
            ..map()
        };
        assert_eq!(map.sent(&ours).unwrap(), "email openid offline_access");
    }

    #[test]
    fn a_prefix_goes_before_what_is_not_the_protocols() {
        let map = ScopeMap {
            prefix: Some(("api://app/".to_owned(), scopes!["openid", "offline_access"])),
            always: scopes!["offline_access"],
            ..map()
        };
        let ours = scopes!["read", "openid", "https://graph.example/Mail.Read"];
        assert_eq!(
            map.sent(&ours).unwrap(),
            "api://app/read openid https://graph.example/Mail.Read offline_access"
        );
        assert_eq!(
            map.granted("api://app/read openid write"),
            scopes!["read", "openid", "write"]
        );
    }
}
