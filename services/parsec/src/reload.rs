//! What a process reads again when SIGHUP asks for it: tokens, passwords, certificates, authorities, denylists. What cannot be used is
//! logged, and what was read before stays in use.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use parsec_api::token::CurrentToken;
use parsec_dht::DenylistWatch;
use parsec_settings::{DenylistFiles, secret_again};
use parsec_store::Password;
use parsec_tls::{CurrentClient, Proof, token_in};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use crate::denylists;

/// The password of the database, and the file that it comes from.
pub(crate) type PasswordFile = Option<(PathBuf, Password)>;

/// A token that others present, and the file that it comes from.
pub(crate) type TokenFile = Option<(PathBuf, CurrentToken)>;

/// What a server reads again.
#[derive(Default)]
pub(crate) struct ServerFiles {
    pub(crate) token: TokenFile,
    pub(crate) password: PasswordFile,
    pub(crate) certificate: Option<Proof>,
    pub(crate) denylists: Option<(DenylistFiles, DenylistWatch)>,
}

impl ServerFiles {
    /// Reads everything again.
    pub(crate) async fn reload(&self) {
        token(&self.token).await;
        password(&self.password).await;
        if let Some(certificate) = self.certificate.clone() {
            // It tells how that went.
            let reloading = spawn_blocking(move || certificate.reload()).await;
            reloading.unwrap_or_else(|error| told("certificate", Err(error.into())));
        }
        if let Some((files, watch)) = self.denylists.clone() {
            told("denylists", beside(move || denylists::read_again(&files, &watch)).await);
        }
        let others = self.token.is_some() || self.certificate.is_some() || self.denylists.is_some();
        if !others && self.password.is_none() {
            info!("no file is configured that could be read again");
        }
    }
}

/// Has a scheduler read its token, its authorities and its password again.
pub(crate) async fn scheduler(client: &Arc<CurrentClient>, file: &PasswordFile, page: &TokenFile) {
    password(file).await;
    token(page).await;
    if client.has_files() {
        let client = Arc::clone(client);
        told("token and authorities", beside(move || client.reload()).await);
    } else if file.is_none() && page.is_none() {
        info!("no file is configured that could be read again");
    }
}

async fn token(file: &TokenFile) {
    if let Some((file, token)) = file.clone() {
        told("token", beside(move || token_in(&file).map(|read| token.replace(read))).await);
    }
}

async fn password(file: &PasswordFile) {
    if let Some((file, password)) = file.clone() {
        let read = beside(move || {
            let wrong = |reason| anyhow!("password (--db-password-file) {}: {reason}", file.display());
            secret_again(&file).map(|read| password.replace(read)).map_err(wrong)
        });
        told("password of the database", read.await);
    }
}

/// Reads on a thread that may wait for a disk: the actors' thread measures.
async fn beside<E>(read: impl FnOnce() -> Result<(), E> + Send + 'static) -> anyhow::Result<()>
where
    E: Into<anyhow::Error> + Send + 'static,
{
    spawn_blocking(read).await.context("reading")?.map_err(Into::into)
}

fn told(what: &str, read: anyhow::Result<()>) {
    match read {
        Ok(()) => info!(what, "read again"),
        Err(error) => {
            let error = format!("{error:#}");
            warn!(what, error, "cannot be used: what was read before stays in use");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc;

    use parsec_api::token::ApiToken;

    use super::*;

    const OLD: &str = "an-old-token-of-a-server";
    const NEW: &str = "the-new-token-of-a-server";

    #[test]
    fn a_disk_that_is_slow_to_be_read_again_holds_up_no_actor() {
        // All threads that may wait do so, as if for the disk.
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), NEW).unwrap();
        let token = CurrentToken::new(Some(ApiToken::new(OLD).unwrap()));
        let files = ServerFiles { token: Some((file.path().to_owned(), token.clone())), ..ServerFiles::default() };
        runtime.block_on(async {
            let (answer, disk) = mpsc::channel::<()>();
            let _waiting = spawn_blocking(move || disk.recv());
            let mut reload = pin!(files.reload());
            tokio::select! {
                biased;
                () = &mut reload => panic!("it was read on the thread of the actors"),
                () = tokio::task::yield_now() => {}
            }
            assert_eq!(token.get(), ApiToken::new(OLD).ok());
            drop(answer);
            reload.await;
            assert_eq!(token.get(), ApiToken::new(NEW).ok());
        });
    }
}
