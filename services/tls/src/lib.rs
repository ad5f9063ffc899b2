//! TLS of the HTTP API. From the bottom up:
//!
//! - `files`: the files with certificates, keys and tokens, read within bounds; `validity`: until when a certificate is valid
//! - [`Proof`]: what a server proves with who it is, renewed while it runs
//! - [`to_server`], [`to_servers`]: how servers are called; [`CurrentClient`]: with the token and authorities of now
//!
//! The crypto provider is named explicitly because the program contains two (libp2p brings another one), and rustls
//! does not choose between them.

mod calling;
mod files;
mod proof;
mod validity;

pub use calling::{CurrentClient, to_server, to_servers};
pub use files::{TlsError, token_in};
pub use proof::{Expires, Proof};
