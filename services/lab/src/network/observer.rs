//! Somebody who asks peers of a local network directly, without being part of what is measured.

use std::collections::BTreeSet;

use futures::StreamExt;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{PeerId, StreamProtocol, Swarm, identity};
use parsec_dht::parts::Asker;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

use super::config::LOCAL_PROTOCOL;
use super::peers::{self, LocalPeer};
use super::roads::Attachment;

/// How many connections may stand before all of them are closed: about 100 KB each, both ends counted. Up to then they
/// save a handshake for the next key.
const MAX_CONNECTIONS: usize = 512;

/// How many peers are asked at once.
const CONCURRENCY: usize = 64;

/// Asks peers of a local network what they hold. All ways from it are without delay, so that on a paused clock asking
/// takes no time at all, as long as those that are asked answer.
#[derive(Debug)]
pub struct Observer {
    client: Client,
    /// Whoever asks: connections are not closed under anybody's hands.
    turn: Mutex<()>,
}

impl Observer {
    pub(super) fn new(keypair: &identity::Keypair, attachment: &Attachment) -> Result<Self, String> {
        Ok(Self { client: Client::new(keypair, attachment)?, turn: Mutex::new(()) })
    }

    /// How many of these peers name `provider` (a peer id as text) when they are asked who provides `key`, a multihash.
    /// A peer that does not answer does not hold the record.
    pub async fn holders(&self, key: &[u8], provider: &str, peers: &[LocalPeer]) -> usize {
        let _turn = self.turn.lock().await;
        self.client.tidy(MAX_CONNECTIONS).await;
        let asked = peers.iter().map(|peer| self.names(peer, key, provider));
        let answers: Vec<bool> = futures::stream::iter(asked).buffer_unordered(CONCURRENCY).collect().await;
        answers.into_iter().filter(|names| *names).count()
    }

    async fn names(&self, peer: &LocalPeer, key: &[u8], provider: &str) -> bool {
        let asking = self.client.asker.providers(peer.id, peer.address.clone(), key);
        asking.await.is_ok_and(|providers| providers.iter().any(|named| named.to_string() == provider))
    }
}

/// The order to close all connections if there are too many of them.
#[derive(Debug)]
struct Tidy {
    limit: usize,
    done: oneshot::Sender<()>,
}

/// A peer that only asks: a swarm in a task of its own, and what sends requests through it. Dropping it ends the task.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) asker: Asker,
    tidy: mpsc::Sender<Tidy>,
    /// A set of one: dropping it ends the task.
    _task: JoinSet<()>,
}

impl Client {
    pub(super) fn new(keypair: &identity::Keypair, attachment: &Attachment) -> Result<Self, String> {
        let (behaviour, asker) = Asker::new(StreamProtocol::new(LOCAL_PROTOCOL));
        let swarm = peers::swarm(keypair, attachment, behaviour)?;
        let (tidy, orders) = mpsc::channel(1);
        let mut task = JoinSet::new();
        task.spawn(run(swarm, orders));
        Ok(Self { asker, tidy, _task: task })
    }

    /// Closes all connections if there are more than `limit`, and returns when they are closed.
    pub(super) async fn tidy(&self, limit: usize) {
        let (done, tidied) = oneshot::channel();
        if self.tidy.send(Tidy { limit, done }).await.is_ok() {
            let _ = tidied.await;
        }
    }
}

async fn run<B: NetworkBehaviour>(mut swarm: Swarm<B>, mut orders: mpsc::Receiver<Tidy>) {
    let mut waiting: Option<oneshot::Sender<()>> = None;
    let mut connected: BTreeSet<PeerId> = BTreeSet::new();
    loop {
        tokio::select! {
            // The same in every run.
            biased;
            Some(Tidy { limit, done }) = orders.recv() => {
                if connected.len() > limit {
                    connected.iter().for_each(|peer| {
                        let _ = swarm.disconnect_peer_id(*peer);
                    });
                    waiting = Some(done);
                } else {
                    let _ = done.send(());
                }
            }
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                    connected.insert(peer_id);
                }
                SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                    connected.remove(&peer_id);
                    if let Some(done) = waiting.take_if(|_| connected.is_empty()) {
                        let _ = done.send(());
                    }
                }
                _ => {}
            }
        }
    }
}
