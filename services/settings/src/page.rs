//! The settings of the page for people who look at what was measured.

use std::path::PathBuf;

use parsec_api::place::HostPort;
use parsec_api::token::ApiToken;
use parsec_layers::Secrecy;

use crate::access::host;
use crate::common::{CommonConfig, DatabaseConfig};
use crate::declare::settings;

settings! {
    /// `parsec page`.
    PageConfig(from) = "Page";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the measurements are";
    host: String = ("page.host", "page-host", "HOST").default("localhost") by host, "Address on which the page listens";
    port: u16 = ("page.port", "page-port", "PORT").default("7080"), "Port of the page; 0 takes a free one";
    token: Option<ApiToken> = ("page.token", "page-token", "TOKEN").secrecy(Secrecy::Secret).rivals(&["page.token_file"]),
        "Token, at least 22 characters, that readers have to present, as a bearer or as the password; without it, anyone may look who reaches the page";
    token_file: Option<PathBuf> = ("page.token_file", "page-token-file", "FILE").rivals(&["page.token"]),
        "File that holds the token, instead of the token itself";
    => listen: HostPort = HostPort { host: host.clone(), port }, "Where the page listens";
}
