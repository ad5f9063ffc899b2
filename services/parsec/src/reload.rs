//! What a process reads again when SIGHUP asks for it: tokens, certificates, authorities, denylists. What cannot be used is
//! logged, and what was read before stays in use.

use std::fmt::Display;
use std::path::PathBuf;

use parsec_api::token::CurrentToken;
use parsec_dht::DenylistWatch;
use parsec_settings::DenylistFiles;
use parsec_tls::{CurrentClient, Proof, token_in};
use tracing::{info, warn};

use crate::denylists;

/// What a server reads again.
#[derive(Default)]
pub(crate) struct ServerFiles {
    pub(crate) token: Option<(PathBuf, CurrentToken)>,
    pub(crate) certificate: Option<Proof>,
    pub(crate) denylists: Option<(DenylistFiles, DenylistWatch)>,
}

impl ServerFiles {
    /// Reads everything again.
    pub(crate) async fn reload(&self) {
        if let Some((file, token)) = &self.token {
            told("token", token_in(file).map(|read| token.replace(read)));
        }
        if let Some(certificate) = &self.certificate {
            certificate.reload();
        }
        if let Some((files, watch)) = &self.denylists {
            told("denylists", denylists::read_again(files, watch).await.map_err(|error| format!("{error:#}")));
        }
        if self.token.is_none() && self.certificate.is_none() && self.denylists.is_none() {
            info!("no file is configured that could be read again");
        }
    }
}

fn told<E: Display>(what: &str, read: Result<(), E>) {
    match read {
        Ok(()) => info!(what, "read again"),
        Err(error) => warn!(what, %error, "cannot be used: what was read before stays in use"),
    }
}

/// Has a scheduler read its token and its authorities again.
pub(crate) fn scheduler(client: &CurrentClient) {
    if client.has_files() {
        told("token and authorities", client.reload());
    } else {
        info!("no file is configured that could be read again");
    }
}
