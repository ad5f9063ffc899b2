//! Runs a local DHT until its standard input ends, for trying servers of their own processes on it:
//!
//! ```sh
//! cargo run --release -p parsec-dht --example local_network -- 100
//! ```
//!
//! The first line it prints is the protocol id, the second the bootstrap peers, as `parsec server dht` takes them with
//! `--protocol-id` and `--bootstrap-peers`.

use std::error::Error;
use std::io::{Read, Write, stdin, stdout};

use parsec_dht::{LOCAL_PROTOCOL, LocalConfig, LocalNetwork};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let peers = std::env::args().nth(1).unwrap_or_else(|| "100".to_owned()).parse()?;
    let network = LocalNetwork::start(LocalConfig { peers, ..LocalConfig::default() }).await?;
    writeln!(stdout(), "{LOCAL_PROTOCOL}\n{}", network.bootstrap().join(","))?;
    tokio::task::spawn_blocking(|| stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
