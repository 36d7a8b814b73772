//! The JSON Schema of the configuration, and the keys that it has.

use portcullis_resource_server::env::{Provider, Setting, SettingKind};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::raw::RawConfig;

/// A key that a flag or a variable can set.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// `auth.mode`.
    pub(crate) path: String,
    pub(crate) about: String,
    pub(crate) schema: Value,
}

impl Key {
    /// `PORTCULLIS_AUTH_MODE`.
    pub(crate) fn variable(&self) -> String {
        variable(&self.path)
    }
}

/// The variable of a key.
pub(crate) fn variable(path: &str) -> String {
    format!("PORTCULLIS_{}", path.replace('.', "_").to_ascii_uppercase())
}

/// The whole schema, with the settings of all modes, and without references.
pub(crate) fn schema() -> Value {
    let mut schema = raw();
    tidy(&mut schema);
    if let Some(Value::Object(properties)) = schema.pointer_mut("/properties/auth/properties") {
        for provider in Provider::ALL {
            for setting in settings_of(provider) {
                describe(properties, provider, &setting);
            }
        }
        if let Some(mode) = properties.get_mut("mode").and_then(Value::as_object_mut) {
            mode.insert("examples".to_owned(), json!(modes()));
        }
    }
    schema
}

/// The modes of `auth.mode`.
pub(crate) fn modes() -> Vec<&'static str> {
    let providers = Provider::ALL.into_iter().map(Provider::name);
    providers.chain(["server", "dev", "none"]).collect()
}

/// What a provider can be told below `[auth]`. What is said of every server has keys of its own.
pub(crate) fn settings_of(provider: Provider) -> impl Iterator<Item = Setting> {
    let elsewhere = [
        "BASE_URL",
        "ISSUER_URL",
        "ALLOWED_CLIENT_REDIRECT_URIS",
        "JWT_SIGNING_KEY",
    ];
    provider
        .settings()
        .filter(move |setting| !elsewhere.contains(&setting.name()))
}

/// The keys of a setting: its name, an older one, and for a secret the file that has it.
pub(crate) fn keys_of(setting: &Setting) -> Vec<String> {
    let mut keys = Vec::new();
    for name in std::iter::once(setting.name()).chain(setting.alias()) {
        let name = name.to_ascii_lowercase();
        if setting.kind() == SettingKind::Secret {
            keys.push(format!("{name}_file"));
        }
        keys.push(name);
    }
    keys
}

fn describe(properties: &mut Map<String, Value>, provider: Provider, setting: &Setting) {
    for key in keys_of(setting) {
        let (types, about) = if key.ends_with("_file") {
            (
                json!("string"),
                format!("a file that holds `{}`", key.trim_end_matches("_file")),
            )
        } else {
            (types_of(setting.kind()), setting.about().to_owned())
        };
        let about = format!("`{}`: {about}.", provider.name());
        let entry = properties.entry(key).or_insert_with(|| match types {
            Value::Object(_) => types,
            types => json!({ "type": types }),
        });
        let Some(entry) = entry.as_object_mut() else {
            continue;
        };
        if setting.kind() == SettingKind::Secret {
            entry.insert("writeOnly".to_owned(), json!(true));
        }
        let said = entry.get("description").and_then(Value::as_str);
        let said = said.map_or(about.clone(), |said| format!("{said} {about}"));
        entry.insert("description".to_owned(), json!(said));
    }
}

fn types_of(kind: SettingKind) -> Value {
    match kind {
        SettingKind::Scopes | SettingKind::Names | SettingKind::Uris => json!(["string", "array"]),
        SettingKind::Flag => json!("boolean"),
        SettingKind::Seconds => json!("integer"),
        SettingKind::Params => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        _ => json!("string"),
    }
}

/// The keys outside of lists of tables, in alphabetical order; without the settings of modes.
pub(crate) fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    collect("", &raw(), &mut keys);
    keys
}

/// TOML has no null, and an absent list is not worth a line.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.remove("default");
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    members.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(words)) = members.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
            if let Some(Value::Array(branches)) = members.get_mut("anyOf") {
                branches.retain(|branch| text(branch, "type") != "null");
            }
            for (name, below) in members {
                match below {
                    // What is below are names, and one of them may be `default`.
                    Value::Object(properties) if name == "properties" => {
                        properties.values_mut().for_each(tidy);
                    }
                    below => tidy(below),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn raw() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings
        .into_generator()
        .into_root_schema_for::<RawConfig>();
    Value::from(schema)
}

fn collect(prefix: &str, schema: &Value, keys: &mut Vec<Key>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    for (name, schema) in properties {
        let path = match prefix {
            "" => name.clone(),
            _ => format!("{prefix}.{name}"),
        };
        let table = branches(schema)
            .into_iter()
            .find(|branch| branch.get("properties").is_some());
        if let Some(table) = table {
            collect(&path, table, keys);
        } else if !is_map(schema) && !is_list_of_tables(schema) {
            keys.push(Key {
                path,
                about: text(schema, "description").replace('\n', " "),
                schema: schema.clone(),
            });
        }
    }
}

/// What a schema allows: itself, or its alternatives without `null`.
pub(crate) fn branches(schema: &Value) -> Vec<&Value> {
    let choice = schema.get("anyOf").or_else(|| schema.get("oneOf"));
    match choice.and_then(Value::as_array) {
        Some(all) => all
            .iter()
            .filter(|branch| text(branch, "type") != "null")
            .flat_map(branches)
            .collect(),
        None => vec![schema],
    }
}

/// The words that a schema allows, where it is a choice.
pub(crate) fn words(schema: &Value) -> Vec<&str> {
    branches(schema)
        .into_iter()
        .flat_map(|branch| {
            let listed = branch.get("enum").and_then(Value::as_array);
            listed.into_iter().flatten().chain(branch.get("const"))
        })
        .filter_map(Value::as_str)
        .collect()
}

/// The names of the types that a schema allows.
pub(crate) fn types(schema: &Value) -> Vec<&str> {
    let listed = match schema.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    listed.into_iter().filter(|name| *name != "null").collect()
}

fn is_map(schema: &Value) -> bool {
    schema
        .get("additionalProperties")
        .is_some_and(Value::is_object)
}

fn is_list_of_tables(schema: &Value) -> bool {
    schema.pointer("/items/properties").is_some()
}

pub(crate) fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
