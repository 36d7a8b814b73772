//! Command lines without the secrets that may stand in them.

/// In the place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// Words in the names of flags and variables whose values are secrets.
const SECRET: [&str; 12] = [
    "token",
    "secret",
    "passw",
    "passphrase",
    "pwd",
    "key",
    "auth",
    "credential",
    "bearer",
    "header",
    "cookie",
    "dsn",
];

/// The arguments of a program, those redacted that follow a name which says that they are secrets:
/// `--token X`, `--token=X`, `-e API_KEY=X`. So is what stands before the `@` of a URL, and its query.
pub(crate) fn arguments(command: &[String]) -> Vec<String> {
    let mut shown = Vec::with_capacity(command.len());
    let mut is_next_secret = false;
    for (at, argument) in command.iter().enumerate() {
        // SECURITY: whoever looks over a shoulder or reads a bug report sees this;
        // sec_op_09_arguments_are_shown_without_secrets
        if is_next_secret && !argument.starts_with('-') {
            shown.push(REDACTED.to_owned());
            is_next_secret = false;
            continue;
        }
        is_next_secret =
            at > 0 && argument.starts_with('-') && !argument.contains('=') && is_secret(argument);
        shown.push(match argument.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}={REDACTED}"),
            _ => url(argument),
        });
    }
    shown
}

/// A URL without its credentials and its query, which may hold a key. Any other text is as it was.
pub(crate) fn url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let rest = match authority.rsplit_once('@') {
        Some((credentials, _)) => {
            let after = rest.strip_prefix(credentials).unwrap_or_default();
            format!("{REDACTED}{after}")
        }
        None => rest.to_owned(),
    };
    match rest.split_once('?') {
        Some((url, _)) => format!("{scheme}://{url}?{REDACTED}"),
        None => format!("{scheme}://{rest}"),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // A file with a secret is none.
    let is_file = name.ends_with("file") || name.ends_with("path");
    !is_file
        && (SECRET.iter().any(|word| name.contains(word)) || matches!(name.as_str(), "-h" | "-u"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_op_09_arguments_are_shown_without_secrets() {
        for (command, expected) in [
            ("npx -y server /srv", "npx -y server /srv"),
            ("s --token abc -v", "s --token [redacted] -v"),
            ("s --api-key=abc x", "s --api-key=[redacted] x"),
            (
                "docker run -e GITHUB_TOKEN=abc -i",
                "docker run -e GITHUB_TOKEN=[redacted] -i",
            ),
            ("s -H Authorization:abc", "s -H [redacted]"),
            ("s --token --verbose", "s --token --verbose"),
            ("s --key-file /k --root=/srv", "s --key-file /k --root=/srv"),
            (
                "psql postgres://me:pw@h/db?x=y",
                "psql postgres://[redacted]@h/db?[redacted]",
            ),
            ("keyring serve", "keyring serve"),
        ] {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            assert_eq!(arguments(&words).join(" "), expected);
        }
    }
}
