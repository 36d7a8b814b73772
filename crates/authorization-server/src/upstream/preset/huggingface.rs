//! Hugging Face.

use portcullis_oauth::scopes;

use crate::upstream::Upstream;

provider! {
    /// Hugging Face accounts.
    HuggingFaceProvider()
}

impl HuggingFaceProvider {
    /// Hugging Face, as data. Its organizations are the organisations, by their names.
    pub fn upstream() -> Upstream {
        Upstream::oidc("https://huggingface.co")
            .name("Hugging Face")
            .scopes(scopes!["openid", "profile"])
            .display(["name", "preferred_username"])
            .organisations_claim("/orgs/*/preferred_username")
            .multi_tenant(true)
    }
}
