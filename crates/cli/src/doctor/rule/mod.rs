//! What can be found: a table, of which `docs/doctor.md` is a copy.
//!
//! A rule says nothing of how it is checked; that is the business of the steps.

mod call;
mod challenge;
mod login;
mod place;
mod registration;
mod resource;
mod server;

pub(super) use self::call::*;
pub(super) use self::challenge::*;
pub(super) use self::login::*;
pub(super) use self::place::*;
pub(super) use self::registration::*;
pub(super) use self::resource::*;
pub(super) use self::server::*;

/// One thing that can be wrong, or worth knowing.
#[derive(Debug)]
pub(super) struct Rule {
    /// Stable: scripts and threads name it.
    pub(super) id: &'static str,
    pub(super) level: Level,
    /// What is the case, as a sentence without its full stop.
    pub(super) what: &'static str,
    /// Who says so.
    pub(super) source: &'static str,
    /// What to do about it.
    pub(super) mend: &'static str,
}

/// How bad it is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Keeps no client out, but lets in what should stay out.
    Hole,
    /// Keeps clients out.
    Error,
    /// Some clients will stumble, or a specification is broken.
    Warning,
    /// Worth knowing.
    Note,
    /// As it should be.
    Fine,
}

impl Level {
    /// The word in reports.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Hole | Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Fine => "ok",
        }
    }

    pub(super) const fn is_error(self) -> bool {
        matches!(self, Self::Hole | Self::Error)
    }
}

/// A part of the walk.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) rules: &'static [&'static Rule],
}

/// All steps, in the order of the walk.
pub(super) const STEPS: [Step; 7] = [
    Step {
        name: "address",
        rules: place::ALL,
    },
    Step {
        name: "challenge",
        rules: challenge::ALL,
    },
    Step {
        name: "resource metadata",
        rules: resource::ALL,
    },
    Step {
        name: "authorization server",
        rules: server::ALL,
    },
    Step {
        name: "registration",
        rules: registration::ALL,
    },
    Step {
        name: "login",
        rules: login::ALL,
    },
    Step {
        name: "calls",
        rules: call::ALL,
    },
];

/// Declares the rules of a step, and `ALL` of them.
macro_rules! rules {
    ($($name:ident = $id:literal $level:ident $what:literal; $source:literal; $mend:literal;)+) => {
        $(
            pub(in crate::doctor) const $name: &$crate::doctor::rule::Rule =
                &$crate::doctor::rule::Rule {
                    id: $id,
                    level: $crate::doctor::rule::Level::$level,
                    what: $what,
                    source: $source,
                    mend: $mend,
                };
        )+
        pub(super) const ALL: &[&$crate::doctor::rule::Rule] = &[$($name),+];
    };
}
use rules;
