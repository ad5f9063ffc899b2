//! The file that describes the HTTP API (`services/api/openapi.yaml`), as tests need it: what it declares, and whether an
//! answer is one that it describes.
//!
//! It is taken at its word and a little further: a member that the file does not name is an error, so that nothing is answered
//! that nobody has described.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use jsonschema::Draft;
use serde_json::{Map, Value, json};
use yaml_rust2::{Yaml, YamlLoader};

/// Where the file stands, from the root of the workspace.
pub const OPENAPI: &str = "services/api/openapi.yaml";

/// The two answers that belong to no operation, under their names in `x-everything-else`: a path that is not served, and a
/// method that a path does not take.
pub const EVERYTHING_ELSE: [(&str, u16); 2] = [("unknown-path", 404), ("wrong-method", 405)];

/// An answer that the file declares, or that a server gave: of which operation, with which status.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Declared {
    /// As in the file: `/retrieve/{cid}`, or a name of [`EVERYTHING_ELSE`].
    pub path: String,
    /// In capitals; empty where it does not matter.
    pub method: String,
    /// Of HTTP.
    pub status: u16,
}

impl Declared {
    /// This answer to this operation.
    pub fn new(path: &str, method: &str, status: u16) -> Self {
        Self { path: path.to_owned(), method: method.to_owned(), status }
    }
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.method, self.path, self.status)
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answered<'a> {
    /// Names in lower case, and values.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

/// The file.
#[derive(Debug, Clone)]
pub struct OpenApi(Value);

impl OpenApi {
    /// Reads the file of this workspace.
    ///
    /// # Panics
    /// If it cannot be read as YAML.
    #[expect(clippy::new_without_default, reason = "it reads a file")]
    pub fn new() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(OPENAPI);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let documents = YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(json_of(&documents[0]))
    }

    /// The same of a file that is given, as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn of(json: &str) -> Self {
        Self(serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Every operation: its path, its method in capitals, and what the file says of it.
    pub fn operations(&self) -> Vec<(String, String, &Value)> {
        let of_path = |(path, operations): (&String, &'_ Value)| {
            let operations = operations.as_object().expect("a path has operations").clone();
            operations.keys().map(|method| (path.clone(), method.clone())).collect::<Vec<_>>()
        };
        let names = self.0["paths"].as_object().expect("the file has paths").iter().flat_map(of_path);
        names
            .map(|(path, method)| {
                let operation = &self.0["paths"][&path][&method];
                (path, method.to_uppercase(), operation)
            })
            .collect()
    }

    /// Every answer that the file declares.
    pub fn declared(&self) -> BTreeSet<Declared> {
        let mut declared: BTreeSet<_> =
            EVERYTHING_ELSE.iter().map(|(name, status)| Declared::new(name, "", *status)).collect();
        for (path, method, operation) in self.operations() {
            for status in operation["responses"].as_object().expect("an operation has responses").keys() {
                let status = status.parse().unwrap_or_else(|_| panic!("{method} {path}: `{status}` is no status"));
                declared.insert(Declared::new(&path, &method, status));
            }
        }
        declared
    }

    /// What the file says of one answer.
    fn response(&self, answer: &Declared) -> Result<&Value, String> {
        let found = match EVERYTHING_ELSE.contains(&(answer.path.as_str(), answer.status)) {
            true => &self.0["x-everything-else"][&answer.path],
            false => {
                let operation = &self.0["paths"][&answer.path][answer.method.to_lowercase()];
                &operation["responses"][answer.status.to_string()]
            }
        };
        if found.is_null() { Err(format!("the file does not declare {answer}")) } else { Ok(self.resolved(found)) }
    }

    /// What a reference stands for; anything else stands for itself.
    pub fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.trim_start_matches('#');
                self.0.pointer(pointer).unwrap_or_else(|| panic!("nothing stands at {reference}"))
            }
            None => value,
        }
    }

    /// Whether a server's answer is the one that the file describes.
    ///
    /// # Errors
    /// What is different.
    pub fn check(&self, answer: &Declared, given: &Answered<'_>) -> Result<(), String> {
        let response = self.response(answer)?;
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let reference = header["$ref"].as_str().and_then(|reference| self.0.pointer(reference.strip_prefix('#')?));
            let (header, value) = (reference.unwrap_or(header), given.header(name));
            match value {
                Some(value) => self.validate(&header["schema"], &value.into())?,
                None if header["required"] == true => return Err(format!("{answer}: no header {name}")),
                None => {}
            }
        }
        let Some(content) = response["content"].as_object() else {
            return if given.body.is_empty() { Ok(()) } else { Err(format!("{answer}: a body that is not declared")) };
        };
        let media = given.header("content-type").unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default();
        let declared =
            content.get(media).ok_or_else(|| format!("{answer}: the media type `{media}` is not declared"))?;
        let text = str::from_utf8(given.body).map_err(|error| format!("{answer}: {error}"))?;
        let body = match media {
            "application/json" | "application/problem+json" => {
                serde_json::from_str(text).map_err(|error| format!("{answer}: {error}: {text}"))?
            }
            _ => text.into(),
        };
        self.validate(&declared["schema"], &body).map_err(|error| format!("{answer}: {error}: {text}"))
    }

    /// Whether a value is what a schema of the file describes.
    ///
    /// # Errors
    /// Where it is not.
    pub fn validate(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let mut schema = json!({ "allOf": [schema], "components": self.0["components"] });
        close(&mut schema);
        let validator = jsonschema::options().with_draft(Draft::Draft202012).build(&schema);
        let validator = validator.unwrap_or_else(|error| panic!("the schema is none: {error}"));
        let errors: Vec<_> =
            validator.iter_errors(value).map(|error| format!("at `{}`: {error}", error.instance_path())).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
    }

    /// Every example of the file with its schema: of parameters, requests and answers, each with where it stands.
    pub fn examples(&self) -> Vec<(String, Value, Value)> {
        let mut found = Vec::new();
        collect_examples("", &self.0, &mut found);
        found
    }
}

impl Answered<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let name = name.to_lowercase();
        self.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
    }
}

fn collect_examples(place: &str, value: &Value, found: &mut Vec<(String, Value, Value)>) {
    if let (Some(schema), Some(examples)) = (value.get("schema"), value["examples"].as_object()) {
        for (name, example) in examples {
            found.push((format!("{place}/examples/{name}"), schema.clone(), example["value"].clone()));
        }
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(name, _)| *name != "examples") {
                collect_examples(&format!("{place}/{}", name.replace('/', "~1")), member, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_examples(&format!("{place}/{index}"), item, found);
            }
        }
        _ => {}
    }
}

/// From here on, what a schema names is all there may be.
fn close(schema: &mut Value) {
    if let Value::Object(members) = schema {
        if members.contains_key("properties") {
            members.entry("additionalProperties").or_insert(Value::Bool(false));
        }
        members.values_mut().for_each(close);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(close);
    }
}

fn json_of(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Real(text) => text.parse::<f64>().expect("YAML says that it is a number").into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::String(text) => text.as_str().into(),
        Yaml::Boolean(truth) => (*truth).into(),
        Yaml::Array(items) => items.iter().map(json_of).collect(),
        Yaml::Hash(members) => {
            let member = |(key, value): (&Yaml, &Yaml)| {
                let key = key.as_str().unwrap_or_else(|| panic!("the key {key:?} is no text"));
                (key.to_owned(), json_of(value))
            };
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        Yaml::Null => Value::Null,
        Yaml::Alias(_) | Yaml::BadValue => panic!("the file uses YAML beyond JSON: {yaml:?}"),
    }
}
