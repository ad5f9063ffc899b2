//! The settings of a server that concern where it runs, and the denylists that it watches.

use std::net::IpAddr;
use std::path::PathBuf;

use reqwest::Url;

use crate::container::Container;
use crate::error::ConfigError;
use crate::sources::Sources;
use crate::values;

/// Where a server runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaceConfig {
    /// The region; `None` is to be found out.
    pub region: Option<String>,
    /// The address for schedulers; `None` is to be found out.
    pub advertise_ip: Option<IpAddr>,
    /// How to learn what ECS says of the container; `None` outside of it.
    pub ecs: Option<EcsConfig>,
}

/// How to learn what ECS says of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EcsConfig {
    /// It was given.
    Given(Container),
    /// Ask for it there.
    AskAt(Url),
}

/// Files of what somebody wants to see gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DenylistFiles {
    /// Hashed CIDs.
    pub badbits: Option<PathBuf>,
    /// CIDs with their sources.
    pub denied_cids: Option<PathBuf>,
}

impl PlaceConfig {
    pub(super) fn read(from: &Sources) -> Result<Self, ConfigError> {
        // As in the original: whoever writes it out does not want anybody to be asked.
        let ecs = match from.optional("ecs.metadata", values::parsed)? {
            Some(container) => Some(EcsConfig::Given(container)),
            None => from.optional("ecs.metadata_uri_v4", values::metadata_url)?.map(EcsConfig::AskAt),
        };
        Ok(Self {
            region: from.optional("aws.region", values::text)?,
            advertise_ip: from.optional("server.advertise_ip", |text| {
                text.parse().map_err(|_| "expected an IP address such as 10.0.2.100".to_owned())
            })?,
            ecs,
        })
    }
}

impl DenylistFiles {
    pub(super) fn read(from: &Sources) -> Result<Self, ConfigError> {
        let file = |name| Ok(from.optional(name, values::text)?.map(PathBuf::from));
        Ok(Self { badbits: file("server.dht.badbits")?, denied_cids: file("server.dht.denied_cids")? })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    use super::*;
    use crate::cli::{Command, parse};

    fn place(variables: &[(&str, &str)]) -> Result<PlaceConfig, String> {
        let environment: BTreeMap<_, _> =
            variables.iter().map(|(k, v)| ((*k).to_owned(), OsString::from(*v))).collect();
        match parse(["parsec", "server"].map(Into::into), &environment, &crate::tests::BINARY) {
            Ok((Command::Server(config), _)) => Ok(config.place),
            Ok((other, _)) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn ecs_metadata_that_are_written_out_win_over_the_place_to_ask() {
        let given = ("ECS_CONTAINER_METADATA", r#"{"Limits":{"CPU":7}}"#);
        let uri = ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x");
        let container = Container { cpu: Some(7), ..Container::default() };
        assert_eq!(place(&[given, uri]).unwrap().ecs, Some(EcsConfig::Given(container)));
        assert_eq!(place(&[uri]).unwrap().ecs, Some(EcsConfig::AskAt(uri.1.parse().unwrap())));
        assert_eq!(place(&[]).unwrap(), PlaceConfig::default());
    }

    #[test]
    fn what_cannot_be_used_of_ecs_is_named_and_cut_if_it_is_long() {
        for (variable, value, reason) in [
            (
                "ECS_CONTAINER_METADATA",
                r#"{"Limits":{"CPU":"10"}}"#,
                "`Limits.CPU` is \"10\"; expected a number from 0 to 2147483647",
            ),
            ("ECS_CONTAINER_METADATA_URI_V4", "169.254.170.2/v4", "expected an http:// URL such as http://169.254"),
            ("ECS_CONTAINER_METADATA_URI_V4", "https://169.254.170.2/v4", "expected an http:// URL"),
        ] {
            let message = place(&[(variable, value)]).unwrap_err();
            let start = format!("error: environment variable {variable}: cannot use `{value}`: {reason}");
            assert!(message.starts_with(&start), "{message}");
        }
        let message = place(&[("ECS_CONTAINER_METADATA", &"x".repeat(1_000_000))]).unwrap_err();
        assert!(message.len() < 500 && message.contains("x…`: it is not JSON"), "{} characters", message.len());
    }
}
