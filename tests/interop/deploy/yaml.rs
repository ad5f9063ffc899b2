//! YAML as values of JSON, which are easier to look into.

use std::path::Path;

use serde_json::{Map, Value};
use yaml_rust2::{Yaml, YamlLoader};

use super::read;

/// Every document of a file.
pub(super) fn documents(path: &Path) -> Vec<Value> {
    parse(&path.display().to_string(), &read(path))
}

/// The one document of a file.
pub(super) fn document(path: &Path) -> Value {
    let mut all = documents(path);
    assert_eq!(all.len(), 1, "{}", path.display());
    all.remove(0)
}

/// Every document of a text.
pub(super) fn parse(name: &str, text: &str) -> Vec<Value> {
    let documents = YamlLoader::load_from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    documents.iter().map(|yaml| value(name, yaml)).collect()
}

fn value(name: &str, yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Boolean(boolean) => Value::Bool(*boolean),
        Yaml::Integer(number) => Value::from(*number),
        Yaml::Real(text) | Yaml::String(text) => Value::String(text.clone()),
        Yaml::Array(items) => items.iter().map(|item| value(name, item)).collect(),
        Yaml::Hash(pairs) => Value::Object(object(name, pairs.iter())),
        Yaml::Alias(_) | Yaml::BadValue => panic!("{name}: {yaml:?}"),
    }
}

/// An object with what it merges (`<<`) below what it says itself.
fn object<'a>(name: &str, pairs: impl Iterator<Item = (&'a Yaml, &'a Yaml)>) -> Map<String, Value> {
    let (mut own, mut merged) = (Map::new(), Map::new());
    for (key, yaml) in pairs {
        let key = key.as_str().unwrap_or_else(|| panic!("{name}: key {key:?}"));
        match (key, value(name, yaml)) {
            ("<<", Value::Object(object)) => merged = object,
            ("<<", other) => panic!("{name}: {other} cannot be merged"),
            (key, value) => {
                own.insert(key.to_owned(), value);
            }
        }
    }
    merged.extend(own);
    merged
}

/// The text at this place.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// The texts at this place.
pub(super) fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(|item| text(item).to_owned()).collect()
}

/// The items at this place; none if there is nothing.
pub(super) fn list(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(items) => items,
        other => panic!("{other} is no list"),
    }
}

/// The members at this place; none if there is nothing.
pub(super) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    assert!(value.is_null() || value.is_object(), "{value} has no members");
    value.as_object().into_iter().flatten()
}

#[test]
fn anchors_merge_below_what_stands_there_itself() {
    let all = parse("a test", "a: &a { x: 1, y: [2] }\nb: { <<: *a, x: '3' }\n---\nfalse\n");
    assert_eq!(all, [serde_json::json!({"a": {"x": 1, "y": [2]}, "b": {"x": "3", "y": [2]}}), Value::Bool(false)]);
}
