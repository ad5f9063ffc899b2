//! A DHT server that takes every record, keeps none, and says of each key that a stranger provides it.

use std::borrow::Cow;
use std::iter;

use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::kad::store::{RecordStore, Result};
use libp2p::kad::{self, Mode, ProviderRecord, Record, RecordKey};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, StreamProtocol, SwarmBuilder, noise, tcp, yamux};

use crate::peer::LOCAL_PROTOCOL;

/// Where the stranger is said to be: a port that no test can be given.
pub const NOWHERE: &str = "/ip4/127.0.0.1/tcp/1";

/// Takes every record, keeps none, and says of each key that the stranger provides it.
struct Poison {
    stranger: PeerId,
}

impl RecordStore for Poison {
    type RecordsIter<'a> = iter::Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = iter::Empty<Cow<'a, ProviderRecord>>;

    fn get(&self, _: &RecordKey) -> Option<Cow<'_, Record>> {
        None
    }

    fn put(&mut self, _: Record) -> Result<()> {
        Ok(())
    }

    fn remove(&mut self, _: &RecordKey) {}

    fn records(&self) -> Self::RecordsIter<'_> {
        iter::empty()
    }

    fn add_provider(&mut self, _: ProviderRecord) -> Result<()> {
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let addresses = vec![NOWHERE.parse::<Multiaddr>().expect("it is written as addresses are")];
        vec![ProviderRecord { key: key.clone(), provider: self.stranger, expires: None, addresses }]
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        iter::empty()
    }

    fn remove_provider(&mut self, _: &RecordKey, _: &PeerId) {}
}

/// A DHT of one peer that lies, for as long as the runtime lives.
#[derive(Debug)]
pub struct Poisoned {
    /// Whom it names as the provider of everything.
    pub stranger: String,
    /// Its own id.
    pub liar: String,
    /// How to join it, `/p2p/…` included.
    pub address: String,
}

impl Poisoned {
    /// Starts it on a free port of loopback.
    ///
    /// # Panics
    /// If it cannot listen.
    pub async fn start() -> Self {
        let stranger = PeerId::random();
        let (liar, address) = poisoned(stranger).await;
        Self { stranger: stranger.to_string(), liar: liar.to_string(), address }
    }
}

async fn poisoned(stranger: PeerId) -> (PeerId, String) {
    let with_kad = |key: &Keypair| {
        let local = key.public().to_peer_id();
        let config = kad::Config::new(StreamProtocol::new(LOCAL_PROTOCOL));
        let mut kad = kad::Behaviour::with_config(local, Poison { stranger }, config);
        kad.set_mode(Some(Mode::Server));
        kad
    };
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .expect("a fresh identity is fit for noise")
        .with_behaviour(with_kad)
        .expect("it cannot fail")
        .build();
    let liar = *swarm.local_peer_id();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).expect("loopback is there");
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break format!("{address}/p2p/{liar}");
        }
    };
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    (liar, address)
}
