//! What every definition says of itself.

/// The settings that tools, resources and prompts share; the text is what `description` means
/// there.
macro_rules! definition_methods {
    ($builder:ty, $description:literal) => {
        impl $builder {
            #[doc = $description]
            #[must_use]
            pub fn description(
                mut self,
                text: impl Into<::std::borrow::Cow<'static, str>>,
            ) -> Self {
                self.definition.description = Some(text.into().into());
                self
            }

            /// The name to show to people.
            #[must_use]
            pub fn title(mut self, title: impl Into<String>) -> Self {
                self.definition.title = Some(title.into());
                self
            }

            /// Adds a member to the definition's `_meta`.
            #[must_use]
            pub fn meta(
                mut self,
                key: impl Into<String>,
                value: impl Into<::portcullis_oauth::json::Value>,
            ) -> Self {
                self.definition
                    .meta
                    .get_or_insert_default()
                    .insert(key.into(), value.into());
                self
            }
        }
    };
}
pub(crate) use definition_methods;
