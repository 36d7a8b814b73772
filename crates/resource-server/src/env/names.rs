//! Names of variables that nobody reads: a slip of the pen must not open a server, or loosen it.

use super::nearest::{is_one_edit_apart, nearest};
use super::variable::Form;
use super::{AuthEnv, BASE_URL_ALONE, FASTMCP, PORTCULLIS, Provider, SELECTORS, Section};
use crate::ConfigError;

const UNREAD: &str = "is no variable that anybody reads";

/// What stands in an environment that selects no provider, and was meant to.
pub(super) fn without_selector(env: &AuthEnv) -> Vec<ConfigError> {
    let known = known();
    let mut faults = strays(env, &known);
    let mut settings: Vec<&str> = Vec::new();
    for name in env.names() {
        let upper = name.to_ascii_uppercase();
        // SECURITY: whoever writes a setting wants the server closed (CWE-636);
        // sec_op_07_settings_without_a_provider_stop_the_start
        match misspelt(&upper, &known) {
            Some(meant) => faults.push(slip(name, meant)),
            None if upper == BASE_URL_ALONE => {}
            None => settings.push(name),
        }
    }
    if let Some(first) = settings.first() {
        let others = match settings.len() {
            1 => String::new(),
            several => format!(" (and {} more)", several - 1),
        };
        let fault = format!("is not set, and without it `{first}`{others} has no effect");
        let provider = provider_of(first).map_or("<provider>", Provider::name);
        let hint = format!("`export {FASTMCP}={provider}`, or unset what belongs to it");
        faults.push(ConfigError::new(FASTMCP, fault).with_hint(hint));
    }
    faults
}

/// Names that were meant for this provider and miss it. Others that nobody reads are warned of, and
/// those of another provider are not in the way.
pub(super) fn unread_by(env: &AuthEnv, section: &'static Section) -> Vec<ConfigError> {
    let (faults, unread) = missed(env, section);
    for name in unread {
        tracing::warn!(variable = name, "nobody reads it");
    }
    faults
}

/// Names that nobody reads, and that are no slip of the pen.
pub(super) fn unread<'e>(env: &'e AuthEnv, section: &'static Section) -> Vec<&'e str> {
    missed(env, section).1
}

fn missed<'e>(env: &'e AuthEnv, section: &'static Section) -> (Vec<ConfigError>, Vec<&'e str>) {
    let known = known();
    let own: Vec<String> = section.all().flat_map(|v| section.spellings(v)).collect();
    let mut faults = strays(env, &known);
    let mut unread = Vec::new();
    for name in env.names() {
        let upper = name.to_ascii_uppercase();
        let is_own = has_prefix(&upper, section.prefixes);
        if known.contains(&upper) || (!is_own && is_of_another(&upper, section)) {
            continue;
        }
        // SECURITY: a setting that is lost may be the one that closes: scopes, an audience (CWE-636);
        // sec_op_07_a_misspelt_setting_stops_the_start
        let meant = misspelt(&upper, &known);
        let meant = meant.or_else(|| nearest(&upper, own.iter().map(String::as_str)));
        if let Some(meant) = meant {
            faults.push(slip(name, meant));
        } else {
            unread.push(name);
        }
    }
    (faults, unread)
}

/// Names beside ours: one letter away from a name that is read, or only like them.
fn strays(env: &AuthEnv, known: &[String]) -> Vec<ConfigError> {
    let mut faults = Vec::new();
    for name in &env.strays {
        let upper = name.to_ascii_uppercase();
        // SECURITY: the one letter must not decide whether a server has auth (CWE-636);
        // sec_op_07_a_selector_one_letter_away_stops_the_start
        if let Some(meant) = misspelt(&upper, known) {
            faults.push(slip(name, meant));
        } else if upper.contains("AUTH") {
            tracing::warn!(variable = name, "nobody reads it; `{FASTMCP}` selects auth");
        }
    }
    faults
}

fn slip(name: &str, meant: &str) -> ConfigError {
    ConfigError::new(name.to_owned(), UNREAD).with_hint(format!("did you mean `{meant}`?"))
}

/// The name that is read and one letter away.
fn misspelt<'a>(upper: &str, known: &'a [String]) -> Option<&'a str> {
    if known.iter().any(|name| name == upper) {
        return None;
    }
    let near = known.iter().find(|name| is_one_edit_apart(upper, name));
    near.map(String::as_str)
}

/// Every name that somebody reads, in upper case.
fn known() -> Vec<String> {
    let of_sections = Provider::ALL.into_iter().flat_map(|provider| {
        let section = provider.section();
        section.all().flat_map(move |variable| {
            let is_secret = variable.form == Form::Secret;
            let names = section.spellings(variable);
            names.into_iter().flat_map(move |name| {
                let file = is_secret.then(|| format!("{name}_FILE"));
                std::iter::once(name).chain(file)
            })
        })
    });
    SELECTORS
        .into_iter()
        .map(str::to_owned)
        .chain(of_sections)
        .collect()
}

/// Whose setting a name is, where it says so.
fn provider_of(name: &str) -> Option<Provider> {
    let upper = name.to_ascii_uppercase();
    let longest = |provider: &Provider| {
        let prefixes = provider.section().prefixes.iter();
        let fitting = prefixes.filter(|prefix| has_prefix(&upper, &[prefix]));
        fitting.map(|prefix| prefix.len()).max()
    };
    // Of two with the same names it is the one that needs fewer of them.
    let all = Provider::ALL.into_iter().rev();
    all.filter(|provider| longest(provider).is_some())
        .max_by_key(longest)
}

fn has_prefix(upper: &str, prefixes: &[&str]) -> bool {
    let rest = upper.strip_prefix(FASTMCP);
    let rest = rest.and_then(|rest| rest.strip_prefix('_'));
    let begins = |prefix: &&str| {
        let rest = rest.and_then(|rest| rest.strip_prefix(*prefix));
        rest.is_some_and(|rest| rest.starts_with('_'))
    };
    prefixes.iter().any(begins)
}

fn is_of_another(upper: &str, section: &Section) -> bool {
    let others = Provider::ALL.into_iter().map(Provider::section);
    let mut others = others.filter(|other| other.title != section.title);
    others.any(|other| has_prefix(upper, other.prefixes))
}

/// Whether a name begins like ours, give or take one letter.
pub(super) fn begins_like_ours(upper: &str) -> bool {
    [PORTCULLIS, "FASTMCP"].iter().any(|brand| {
        let lengths = brand.len() - 1..=brand.len() + 1;
        let mut heads = lengths.filter_map(|length| upper.get(..length));
        heads.any(|head| head == *brand || is_one_edit_apart(head, brand))
    })
}
