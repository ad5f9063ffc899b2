//! What Amazon ECS says of the container that a server runs in (task metadata endpoint, version 4).
//!
//! The endpoint answers for the container at the very address in the variable, and for the whole task below it; the
//! original asks for the container, and so do we. What does not matter here may be anything.

#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::str::FromStr;

use parsec_measure::harmless;
use serde_json::{Map, Value};
use thiserror::Error;

/// How ECS calls the network in which each task has an address of its own.
const AWSVPC: &str = "awsvpc";

/// How it calls the network of the machine itself.
const HOST: &str = "host";

/// The longest name of a region that is believed: twice that of the longest there is.
const MAX_REGION_CHARS: usize = 32;

/// How much of a wrong value is repeated, in characters.
const MAX_SHOWN_CHARS: usize = 80;

/// A container, as far as it matters to a server's row in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// CPU units, a part of one rounded up; `None` without a limit.
    pub cpu: Option<i32>,
    /// Memory in MiB; `None` without a limit.
    pub memory: Option<i32>,
    /// Its address: the first of the first `awsvpc` network that has one.
    pub ip: Option<Ipv4Addr>,
    /// The modes of its networks, in their order.
    pub networks: Vec<String>,
    /// The region, off the container's ARN.
    pub region: Option<String>,
}

/// Text that does not describe a container.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadMetadata {
    /// It is no JSON, for this reason.
    #[error("it is not JSON ({0}); expected the object that the ECS metadata endpoint answers for a container")]
    NoJson(String),
    /// A field holds something else than it should.
    #[error("`{field}` is {found}; expected {expected}")]
    Field {
        /// Its path.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
}

impl BadMetadata {
    fn field(field: &'static str, found: &Value, expected: &'static str) -> Self {
        Self::Field { field, found: harmless(&found.to_string(), MAX_SHOWN_CHARS), expected }
    }
}

impl Container {
    /// Whether it has the network of the machine, and so the machine's address.
    pub fn is_on_host_network(&self) -> bool {
        self.networks.iter().any(|mode| mode == HOST)
    }
}

impl FromStr for Container {
    type Err = BadMetadata;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let document: Value = serde_json::from_str(text).map_err(|error| BadMetadata::NoJson(error.to_string()))?;
        let Value::Object(document) = &document else {
            return Err(BadMetadata::field("the document", &document, "an object"));
        };
        let mut container = Self { region: region(document), ..Self::default() };
        if let Some(limits) = given(document, "Limits") {
            let limits = limits.as_object().ok_or_else(|| BadMetadata::field("Limits", limits, "an object"))?;
            container.cpu = amount(limits, "CPU", "Limits.CPU")?;
            container.memory = amount(limits, "Memory", "Limits.Memory")?;
        }
        for network in list(document, "Networks", "Networks")? {
            container.add_network(network)?;
        }
        Ok(container)
    }
}

impl Container {
    fn add_network(&mut self, network: &Value) -> Result<(), BadMetadata> {
        const MODE: &str = "Networks.NetworkMode";
        const ADDRESSES: &str = "Networks.IPv4Addresses";
        let fields = network.as_object().ok_or_else(|| BadMetadata::field("Networks", network, "objects in it"))?;
        let mode = fields.get("NetworkMode").unwrap_or(&Value::Null);
        let mode = mode.as_str().ok_or_else(|| BadMetadata::field(MODE, mode, "a text such as awsvpc"))?;
        self.networks.push(harmless(mode, MAX_SHOWN_CHARS));
        if mode != AWSVPC || self.ip.is_some() {
            return Ok(());
        }
        if let Some(first) = list(fields, "IPv4Addresses", ADDRESSES)?.first() {
            let address = first.as_str().and_then(|text| text.parse().ok());
            let address = address.ok_or_else(|| BadMetadata::field(ADDRESSES, first, "IPv4 addresses in it"))?;
            self.ip = Some(address);
        }
        Ok(())
    }
}

/// A field that says something.
fn given<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn list<'a>(fields: &'a Map<String, Value>, name: &str, path: &'static str) -> Result<&'a [Value], BadMetadata> {
    let Some(value) = given(fields, name) else { return Ok(&[]) };
    value.as_array().map(Vec::as_slice).ok_or_else(|| BadMetadata::field(path, value, "an array"))
}

/// An amount, as a number or as text. A negative one, and one beyond what the database has room for (its columns are INT),
/// stand for no limit: agents write -1, or 9223372036854771712, which is what Linux has for it.
fn amount(fields: &Map<String, Value>, name: &str, path: &'static str) -> Result<Option<i32>, BadMetadata> {
    let Some(value) = given(fields, name) else { return Ok(None) };
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| !number.is_nan());
    let number = number.ok_or_else(|| BadMetadata::field(path, value, "a number"))?.ceil();
    Ok((0.0..=f64::from(i32::MAX)).contains(&number).then_some(number as i32))
}

/// The fourth part of `arn:aws:ecs:REGION:ACCOUNT:container/…`.
fn region(document: &Map<String, Value>) -> Option<String> {
    let region = document.get("ContainerARN")?.as_str()?.strip_prefix("arn:")?.split(':').nth(2)?;
    let is_name = region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (is_name && !region.is_empty() && region.len() <= MAX_REGION_CHARS).then(|| region.to_owned())
}
