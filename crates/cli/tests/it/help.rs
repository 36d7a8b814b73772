//! Every page of help, at 80 columns.

use crate::support::Program;

const PAGES: [&[&str]; 34] = [
    &[],
    &["run"],
    &["dev"],
    &["list"],
    &["call"],
    &["inspect"],
    &["doctor"],
    &["user"],
    &["user", "add"],
    &["user", "list"],
    &["user", "passwd"],
    &["user", "update"],
    &["user", "disable"],
    &["user", "enable"],
    &["user", "remove"],
    &["client"],
    &["client", "list"],
    &["client", "revoke"],
    &["grant"],
    &["grant", "list"],
    &["grant", "revoke"],
    &["key"],
    &["key", "list"],
    &["key", "rotate"],
    &["config"],
    &["config", "validate"],
    &["config", "schema"],
    &["config", "show"],
    &["token"],
    &["token", "decode"],
    &["token", "verify"],
    &["token", "mint"],
    &["completions"],
    &["reference"],
];

#[test]
fn every_page_of_help_is_as_it_was() {
    for page in PAGES {
        let arguments = [page, &["--help"]].concat();
        let ended = Program::new(&arguments).end();
        assert!(
            ended.stdout.lines().all(|line| line.chars().count() <= 80),
            "{page:?}"
        );
        let name = ["help", &page.join("_")].join("_");
        insta::assert_snapshot!(name.trim_end_matches('_'), ended.seen());
    }
}

#[test]
fn no_arguments_are_help_and_a_mistake() {
    let ended = Program::new(&[]).end();
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("Usage: portcullis"), "{ended:?}");
}

#[test]
fn the_version_is_the_packages() {
    let ended = Program::new(&["--version"]).end();
    assert_eq!(ended.code, 0);
    assert_eq!(
        ended.stdout.trim(),
        concat!("portcullis ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn every_shell_has_its_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = Program::new(&["completions", shell]).end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{shell}");
        assert!(ended.stdout.contains("portcullis"), "{shell}");
    }
}
