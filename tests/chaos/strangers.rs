//! Servers of somebody else's, one in each fleet: they stand in the list of nodes, and behave well until they do not.

use std::net::SocketAddr;
use std::time::Duration;

use parsec_test_support::hostile::{Hostile, Mode};
use parsec_test_support::postgres::Postgres;
use parsec_test_support::proxy::{Proxy, Way};
use tokio_postgres::Error;

use crate::plan::Manner;

/// How a server can be bad.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Badness {
    /// At publishing and looking up.
    Measures(Mode),
    /// At saying whether it is ready.
    Readies(Mode),
    /// It cannot be reached well.
    Wire(Way),
}

/// Every manner, with its name in reports. What takes time takes more of it than the scheduler of a run has.
pub(crate) const MANNERS: [(&str, Badness); 16] = [
    ("fails", Badness::Measures(Mode::Fails)),
    ("is mute", Badness::Measures(Mode::Mute)),
    ("answers too late", Badness::Measures(Mode::Late(Duration::from_secs(20)))),
    ("hangs up", Badness::Measures(Mode::HangsUp)),
    ("resets in the middle", Badness::Measures(Mode::Resets)),
    ("answers garbage", Badness::Measures(Mode::Garbage)),
    ("answers 10 GB", Badness::Measures(Mode::TenGigabytes)),
    ("answers without an end", Badness::Measures(Mode::EndlessBody)),
    ("drips", Badness::Measures(Mode::Drips(Duration::from_millis(500)))),
    ("is busy", Badness::Measures(Mode::Busy)),
    ("is not ready", Badness::Readies(Mode::NotReady)),
    ("is mute about being ready", Badness::Readies(Mode::Mute)),
    ("is refused", Badness::Wire(Way::Refused)),
    ("is reset", Badness::Wire(Way::Reset)),
    ("hangs", Badness::Wire(Way::Hanging)),
    ("is slow", Badness::Wire(Way::Slow(Duration::from_millis(200)))),
];

/// One of them, registered.
#[derive(Debug)]
pub(crate) struct Stranger {
    server: Hostile,
    /// The way to it. It has a port that fits into the database, too.
    proxy: Proxy,
    node: i32,
}

impl Stranger {
    /// Starts one and adds it to the list of this fleet.
    pub(crate) async fn join(database: &Postgres, fleet: &str) -> Self {
        let server = Hostile::start(Mode::Honest).await;
        let proxy = Proxy::to(server.address()).await;
        let node = register(database, fleet, proxy.address()).await.expect("nothing is wrong with the database yet");
        Self { server, proxy, node }
    }

    /// Behaves so from now on.
    pub(crate) async fn behaves(&self, Manner(manner): Manner) {
        match MANNERS[manner].1 {
            Badness::Measures(mode) => self.server.measures(mode),
            Badness::Readies(mode) => self.server.is_ready(mode),
            Badness::Wire(way) => self.proxy.set(way).await,
        }
    }

    /// Behaves well from now on.
    pub(crate) async fn behaves_well(&self) {
        self.server.measures(Mode::Honest);
        self.server.is_ready(Mode::Honest);
        self.proxy.set(Way::Open).await;
    }

    /// Says that it is there, as servers do every minute.
    pub(crate) async fn beats(&self, database: &Postgres) -> Result<(), Error> {
        let beat = "UPDATE nodes_ecs SET last_heartbeat = now(), offline_since = NULL WHERE id = $1";
        database.client().await?.execute(beat, &[&self.node]).await.map(drop)
    }
}

async fn register(database: &Postgres, fleet: &str, address: SocketAddr) -> Result<i32, Error> {
    let port = i16::try_from(address.port()).expect("proxies have ports that fit into a SMALLINT");
    let row = "INSERT INTO nodes_ecs (cpu, memory, peer_id, region, cmd, fleet, dependencies, ip_address, server_port, \
               peer_port, last_heartbeat, created_at) \
               VALUES (1, 1, 'stranger', 'elsewhere', '', $1, '{}', '127.0.0.1', $2, 4001, now(), now()) RETURNING id";
    let row = database.client().await?.query_one(row, &[&fleet, &port]).await?;
    Ok(row.get(0))
}
