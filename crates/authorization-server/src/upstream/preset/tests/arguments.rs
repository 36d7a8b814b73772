//! What presets are told, and what they say of themselves.

use super::*;

#[test]
fn providers_with_accounts_for_everybody_are_known() {
    let everybody = [
        GoogleProvider::upstream(),
        GitHubProvider::upstream(),
        DiscordProvider::upstream(),
        SlackProvider::upstream(),
        LinearProvider::upstream(),
        HuggingFaceProvider::upstream(),
    ];
    assert!(everybody.iter().all(|upstream| upstream.multi_tenant));
}

#[test]
fn sec_px_09_a_name_cannot_become_a_path() {
    for name in ["", ".", "..", "a/b", "a%2fb", "a b", "a?b", "a#b", "a@b"] {
        for upstream in [
            CognitoProvider::upstream(&format!("eu_{name}/..")),
            AzureB2cProvider::upstream(name, DIRECTORY, "policy"),
            AzureB2cProvider::upstream("contoso", DIRECTORY, name),
            AzureB2cProvider::upstream("contoso", name, "policy"),
        ] {
            assert!(!faults(upstream).is_empty(), "{name:?}");
        }
    }
    assert!(!faults(CognitoProvider::upstream("noregion")).is_empty());
    assert!(!faults(CognitoProvider::upstream("_pool")).is_empty());
}
