//! A server of somebody else's in the list of nodes: it keeps the contract until it is told otherwise, and so does the way
//! to it.

use std::net::SocketAddr;

use tokio_postgres::{Client, Error};

use crate::hostile::{Hostile, Mode};
use crate::proxy::Proxy;

/// The server; it ends with this value, and its row stays.
#[derive(Debug)]
pub struct Stranger {
    /// What it does with requests.
    pub server: Hostile,
    /// The way to it. It has a port that fits into the database, too.
    pub wire: Proxy,
    /// Its row.
    pub node: i32,
}

impl Stranger {
    /// Starts one and adds it to the list of this fleet. The tables must be there.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn join(database: &Client, fleet: &str) -> Result<Self, Error> {
        let server = Hostile::start(Mode::Honest).await;
        let wire = Proxy::to(server.address()).await;
        let node = register(database, fleet, wire.address()).await?;
        Ok(Self { server, wire, node })
    }

    /// Says that it is there, as servers do every minute.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn beat(&self, database: &Client) -> Result<(), Error> {
        let beat = "UPDATE nodes_ecs SET last_heartbeat = now(), offline_since = NULL WHERE id = $1";
        database.execute(beat, &[&self.node]).await.map(drop)
    }
}

async fn register(database: &Client, fleet: &str, address: SocketAddr) -> Result<i32, Error> {
    let port = i16::try_from(address.port()).expect("proxies have ports that fit into a SMALLINT");
    let row = "INSERT INTO nodes_ecs (cpu, memory, peer_id, region, cmd, fleet, dependencies, ip_address, server_port, \
               peer_port, last_heartbeat, created_at) \
               VALUES (1, 1, 'stranger', 'elsewhere', '', $1, '{}', '127.0.0.1', $2, 4001, now(), now()) RETURNING id";
    let row = database.query_one(row, &[&fleet, &port]).await?;
    Ok(row.get(0))
}
