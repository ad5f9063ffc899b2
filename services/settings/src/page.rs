//! The settings of the page for people who look at what was measured.

use std::path::PathBuf;

use parsec_api::place::HostPort;
use parsec_api::token::ApiToken;
use parsec_layers::Secrecy;

use crate::access::host;
use crate::common::{CommonConfig, DatabaseConfig};
use crate::declare::settings;

settings! {
    /// Where a page is reached, whoever serves it, and who may look.
    PageAccessConfig(from) = "Access to the page";
    host: String = ("page.host", "page-host", "HOST").default("localhost") by host, "Address on which the page listens";
    token: Option<ApiToken> = ("page.token", "page-token", "TOKEN").secrecy(Secrecy::Secret).rivals(&["page.token_file"]),
        "Token, at least 22 characters, that readers have to present, as a bearer or as the password; without it, anyone may look who reaches the page";
    token_file: Option<PathBuf> = ("page.token_file", "page-token-file", "FILE").rivals(&["page.token"]),
        "File that holds the token, instead of the token itself";
}

impl PageAccessConfig {
    /// Where the page listens if it does so on this port.
    pub fn listen(&self, port: u16) -> HostPort {
        HostPort { host: self.host.clone(), port }
    }
}

settings! {
    /// `parsec page`.
    PageConfig(from) = "Page";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the measurements are";
    + access: PageAccessConfig, "Where it is reached, and who may look";
    port: u16 = ("page.port", "page-port", "PORT").default("7080"), "Port of the page; 0 takes a free one";
}
