//! What this binary was built from.

use serde_json::{Map, Value, json};

/// The package's version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit, or `unknown`.
pub(crate) const COMMIT: &str = env!("BUILT_COMMIT");

/// Both, as text for people.
pub(crate) const VERSION_AND_COMMIT: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILT_COMMIT"), ")");

/// The content of the columns `dependencies`: package, version, commit, important crates, and `extra` entries.
pub(crate) fn dependencies(extra: &[(&str, &str)]) -> Value {
    let pairs = env!("LINKED_CRATES").split(',').filter_map(|pair| pair.split_once('='));
    let crates: Map<String, Value> = pairs.map(|(name, version)| (name.to_owned(), version.into())).collect();
    let mut all = Map::from_iter([
        ("package".to_owned(), json!("parsec")),
        ("version".to_owned(), json!(VERSION)),
        ("commit".to_owned(), json!(COMMIT)),
        ("language".to_owned(), json!("rust")),
        ("crates".to_owned(), Value::Object(crates)),
    ]);
    all.extend(extra.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_that_matter_are_known() {
        let dependencies = dependencies(&[("strategy", "classic")]);
        assert_eq!(dependencies["strategy"], "classic");
        for name in ["libp2p", "libp2p-kad", "actix-web", "diesel"] {
            assert!(dependencies["crates"][name].as_str().is_some_and(|version| version.contains('.')), "{name}");
        }
    }
}
