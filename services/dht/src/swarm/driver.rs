//! The task that owns a node's swarm.
//!
//! It does three things: it polls the swarm, it answers operations' questions about the routing table, and it maintains
//! that table: a peer that answered a request is added, one that did not is removed, as in go-libp2p-kad-dht. It runs
//! on the multi-thread runtime, away from the actors.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use libp2p::kad::{KBucketDistance, KBucketKey, ProviderRecord, RecordKey, store::RecordStore};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm, identify, kad};
use parsec_measure::harmless;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::strategy::key::Contact;
use crate::strategy::{Request, Unfinished};
use crate::swarm::bootstrap::Bootstrap;
use crate::swarm::build::{Behaviour, BehaviourEvent};
use crate::swarm::rpc::client::RpcClient;
use crate::swarm::tap::{Progress, Tap, Walk, Walked};
use crate::swarm::warmth::{Connected, Warmth};
use crate::wire::addresses::{self, Observed};
use crate::wire::messages::NamedPeer;
use crate::wire::reach::Reach;

/// How many commands may wait for the task. When the queue is full, notes about peers are dropped; questions wait.
const QUEUE: usize = 1_024;

/// How often idle streams are swept and libp2p-kad's own queries ended.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// How long closing all connections may take.
const HANG_UP_LIMIT: Duration = Duration::from_secs(5);

/// How many characters of a peer's description of itself are kept.
const MAX_AGENT_CHARS: usize = 64;

/// The starting point of an operation.
#[derive(Debug)]
pub(crate) struct Start {
    /// The closest peers of the routing table, closest first.
    pub(crate) seeds: Vec<NamedPeer>,
    pub(crate) table_size: usize,
    /// How many peers of the table are in the bucket that the key falls into.
    pub(crate) in_bucket: usize,
    /// The providers of the key according to our own records.
    pub(crate) local_providers: Vec<PeerId>,
    /// This node, with the addresses to announce.
    pub(crate) local: NamedPeer,
}

/// A summary of the node's state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    pub(crate) table_size: usize,
    /// The deepest bucket in use: the longest common prefix with any peer of the table.
    pub(crate) deepest_bucket: u32,
}

enum Command {
    Start { key: Vec<u8>, count: usize, reply: oneshot::Sender<Start> },
    Status { reply: oneshot::Sender<Status> },
    AddLocalRecord { key: Vec<u8> },
    Answered(NamedPeer),
    Unresponsive(PeerId),
    Forget(PeerId),
    Disconnect(PeerId),
    HangUp { done: oneshot::Sender<()> },
    Walk { key: Vec<u8>, request: Request, reply: oneshot::Sender<Walked> },
    EndWalk,
    Agents { peers: Vec<PeerId>, reply: oneshot::Sender<HashMap<PeerId, Arc<str>>> },
    Stop { done: oneshot::Sender<()> },
}

/// The driver's task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// How other code talks to the task.
#[derive(Debug, Clone)]
pub(crate) struct DriverHandle {
    commands: mpsc::Sender<Command>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl DriverHandle {
    /// The starting point of an operation on `key`: at most `count` seeds.
    pub(crate) async fn start(&self, key: Vec<u8>, count: usize) -> Result<Start, Gone> {
        self.question(|reply| Command::Start { key, count, reply }).await
    }

    pub(crate) async fn status(&self) -> Result<Status, Gone> {
        self.question(|reply| Command::Status { reply }).await
    }

    /// Notes that this node provides a key, so that it says so when asked.
    pub(crate) async fn add_local_record(&self, key: Vec<u8>) {
        let _ = self.commands.send(Command::AddLocalRecord { key }).await;
    }

    /// Closes the connections to a peer and forgets its addresses.
    pub(crate) async fn forget(&self, peer: PeerId) {
        let _ = self.commands.send(Command::Forget(peer)).await;
    }

    /// Closes the connections to a peer that is no longer needed, unless another request to it is under way.
    pub(crate) async fn disconnect(&self, peer: PeerId) {
        let _ = self.commands.send(Command::Disconnect(peer)).await;
    }

    /// Closes every connection, and forgets which peers could not be dialled.
    pub(crate) async fn hang_up(&self) -> Result<(), Gone> {
        self.question(|done| Command::HangUp { done }).await
    }

    /// Lets libp2p-kad look a key up by itself, sending every peer `request`. Ends at `deadline`; what was done by then
    /// is returned.
    pub(crate) async fn walk(&self, key: Vec<u8>, request: Request, deadline: Instant) -> Result<Walked, Gone> {
        let (reply, mut walked) = oneshot::channel();
        self.commands.send(Command::Walk { key, request, reply }).await.map_err(|_| Gone)?;
        if let Ok(walked) = timeout_at(deadline, &mut walked).await {
            return walked.map_err(|_| Gone);
        }
        self.commands.send(Command::EndWalk).await.map_err(|_| Gone)?;
        walked.await.map_err(|_| Gone)
    }

    /// The software that these peers say they run, as far as they are connected and have told us.
    pub(crate) async fn agents(&self, peers: Vec<PeerId>) -> Result<HashMap<PeerId, Arc<str>>, Gone> {
        self.question(|reply| Command::Agents { peers, reply }).await
    }

    /// The peer answered a request: it belongs in the routing table. Dropped when the queue is full; its next answer
    /// will do.
    pub(crate) fn answered(&self, peer: NamedPeer) {
        let _ = self.commands.try_send(Command::Answered(peer));
    }

    /// The peer did not answer a request: it is removed from the routing table.
    pub(crate) fn unresponsive(&self, peer: PeerId) {
        let _ = self.commands.try_send(Command::Unresponsive(peer));
    }

    /// Ends the task and closes every connection.
    pub(crate) async fn stop(&self) -> Result<(), Gone> {
        self.question(|done| Command::Stop { done }).await
    }

    /// Returns once the task has ended.
    pub(crate) async fn gone(&self) {
        self.commands.closed().await;
    }

    async fn question<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }
}

/// Owns the swarm; see the module's documentation.
pub(crate) struct Driver {
    swarm: Swarm<Behaviour>,
    rpc: RpcClient,
    commands: mpsc::Receiver<Command>,
    /// The addresses to announce, if they are configured.
    configured: Vec<Multiaddr>,
    observed: Observed,
    reach: Reach,
    warmth: Warmth,
    /// The connected peers, and since when.
    connected: HashMap<PeerId, Instant>,
    /// The software that connected peers say they run.
    agents: HashMap<PeerId, Arc<str>>,
    /// The lookup of libp2p-kad's own that is being measured.
    walk: Option<Walk>,
    /// Is told which protocols peers speak.
    bootstrap: Bootstrap,
}

impl Driver {
    /// The addresses that the swarm has already are those that the operator wants to be announced.
    pub(crate) fn new(swarm: Swarm<Behaviour>, rpc: RpcClient, reach: Reach, warmth: Warmth) -> (Self, DriverHandle) {
        let (sender, commands) = mpsc::channel(QUEUE);
        let configured = swarm.external_addresses().cloned().collect();
        let (observed, connected, agents) = (Observed::default(), HashMap::new(), HashMap::new());
        (
            Self {
                swarm,
                rpc,
                commands,
                configured,
                observed,
                reach,
                warmth,
                connected,
                agents,
                walk: None,
                bootstrap: Bootstrap::default(),
            },
            DriverHandle { commands: sender },
        )
    }

    /// The same, and what these peers say that they speak is kept with them.
    pub(crate) fn telling(self, bootstrap: Bootstrap) -> Self {
        Self { bootstrap, ..self }
    }

    /// Runs until it is told to stop or every handle is gone.
    pub(crate) async fn run(mut self) {
        let mut housekeeping = interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Not in random order: on a virtual clock, every run is the same. The last branch is the least likely
                // to starve the others.
                biased;
                _ = housekeeping.tick() => {
                    self.rpc.sweep();
                    self.end_foreign_queries();
                    self.let_go_of_surplus();
                }
                command = self.commands.recv() => match command {
                    None => return,
                    Some(Command::Stop { done }) => {
                        // The port must be free when the answer arrives, so the swarm is dropped first.
                        drop(self.swarm);
                        let _ = done.send(());
                        return;
                    }
                    Some(Command::HangUp { done }) => {
                        self.hang_up().await;
                        let _ = done.send(());
                    }
                    Some(command) => self.carry_out(command),
                },
                event = self.swarm.select_next_some() => self.take_in(event),
            }
        }
    }

    async fn hang_up(&mut self) {
        self.rpc.release_all();
        // Dials under way would succeed or fail in the middle of the next operation.
        let mut peers = self.swarm.behaviour().rpc.dialling();
        peers.extend(self.swarm.connected_peers().copied());
        peers.sort_unstable();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closing = async {
            while self.swarm.connected_peers().next().is_some() || !self.swarm.behaviour().rpc.dialling().is_empty() {
                let event = self.swarm.select_next_some().await;
                self.take_in(event);
            }
        };
        if timeout(HANG_UP_LIMIT, closing).await.is_err() {
            debug!("some connections did not close in time");
        }
        self.swarm.behaviour_mut().rpc.forget_failures();
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Start { key, count, reply } => {
                let _ = reply.send(self.start(&key, count));
            }
            Command::Status { reply } => {
                let _ = reply.send(self.status());
            }
            Command::AddLocalRecord { key } => {
                let record =
                    ProviderRecord::new(RecordKey::from(key), *self.swarm.local_peer_id(), Vec::<Multiaddr>::new());
                if let Err(error) = self.swarm.behaviour_mut().kad.kad.store_mut().add_provider(record) {
                    debug!(%error, "own provider record not held");
                }
            }
            // libp2p-kad dials for room in a full bucket: not while its dials are being watched.
            Command::Answered(peer) if self.walk.is_some() => self.swarm.behaviour_mut().kad.answered.push(peer),
            Command::Answered(peer) => self.add_to_table(peer),
            Command::Unresponsive(peer) => {
                self.swarm.behaviour_mut().kad.kad.remove_peer(&peer);
            }
            Command::Forget(peer) => {
                self.swarm.behaviour_mut().kad.kad.remove_peer(&peer);
                self.disconnect(peer);
            }
            Command::Disconnect(peer) if self.rpc.is_asking(&peer) => {}
            Command::Disconnect(peer) => self.disconnect(peer),
            Command::Walk { key, request, reply } => self.start_walk(key, request, reply),
            Command::EndWalk => self.end_walk(Progress::default()),
            Command::Agents { peers, reply } => {
                let known = |peer: PeerId| Some((peer, Arc::clone(self.agents.get(&peer)?)));
                let _ = reply.send(peers.into_iter().filter_map(known).collect());
            }
            Command::HangUp { .. } | Command::Stop { .. } => unreachable!("the loop sees to it"),
        }
    }

    fn disconnect(&mut self, peer: PeerId) {
        self.swarm.behaviour_mut().rpc.lets_go(&peer);
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Closes connections beyond the number that is kept.
    fn let_go_of_surplus(&mut self) {
        if !self.warmth.is_exceeded(self.connected.len()) {
            return;
        }
        let local = self.swarm.local_peer_id().key();
        let kad = &mut self.swarm.behaviour_mut().kad.kad;
        let table: HashSet<PeerId> = kad
            .kbuckets()
            .flat_map(|bucket| bucket.iter().map(|entry| *entry.node.key.preimage()).collect::<Vec<_>>())
            .collect();
        let now = Instant::now();
        let standing = |(peer, since): (&PeerId, &Instant)| Connected {
            peer: *peer,
            age: now.saturating_duration_since(*since),
            bucket: table.contains(peer).then(|| peer.key().distance(&local).common_prefix()),
            in_use: self.rpc.is_asking(peer),
        };
        let connected: Vec<Connected<PeerId>> = self.connected.iter().map(standing).collect();
        let surplus = self.warmth.surplus(&connected);
        debug!(connected = connected.len(), closing = surplus.len(), "more connections than are kept");
        surplus.into_iter().for_each(|peer| self.disconnect(peer));
    }

    fn add_to_table(&mut self, peer: NamedPeer) {
        let kad = &mut self.swarm.behaviour_mut().kad.kad;
        for address in peer.addresses.into_iter().filter(addresses::is_dialable) {
            kad.add_address(&peer.id, address);
        }
    }

    /// libp2p-kad adds every address that a peer was ever named or dialled at, and forgets only those that failed. The newest
    /// give way: inventions of strangers must not push out what has served.
    fn trim(&mut self, peer: PeerId, known: &kad::Addresses) {
        for address in known.iter().skip(addresses::MAX_PER_PEER) {
            self.swarm.behaviour_mut().kad.kad.remove_address(&peer, address);
        }
    }

    fn start(&mut self, key: &[u8], count: usize) -> Start {
        let local = NamedPeer { id: *self.swarm.local_peer_id(), addresses: self.announced() };
        let kad = &mut self.swarm.behaviour_mut().kad.kad;
        let key = RecordKey::new(&key);
        let in_bucket = kad.kbucket(key.clone()).map_or(0, |bucket| bucket.num_entries());
        let local_providers = kad.store_mut().providers(&key).into_iter().map(|record| record.provider).collect();
        let nearest: Vec<KBucketKey<PeerId>> = kad.get_closest_local_peers(&KBucketKey::new(key)).take(count).collect();
        let seeds = nearest.into_iter().map(|near| addresses_of(kad, near)).collect();
        Start { seeds, table_size: table_size(kad), in_bucket, local_providers, local }
    }

    fn status(&mut self) -> Status {
        let kad = &mut self.swarm.behaviour_mut().kad.kad;
        let nearest = kad.kbuckets().find(|bucket| bucket.num_entries() > 0).map(|bucket| bucket.range().0);
        Status { table_size: table_size(kad), deepest_bucket: nearest.map_or(0, common_prefix) }
    }

    fn take_in(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                id,
                result,
                step,
                ..
            })) => {
                if self.walk.as_ref().is_some_and(|walk| walk.query == id) {
                    let progress = Progress::of(result, step.last);
                    if progress.ended {
                        self.end_walk(progress);
                    }
                }
                self.end_foreign_queries();
            }
            SwarmEvent::Behaviour(BehaviourEvent::Kad(kad::Event::RoutingUpdated { peer, addresses, .. })) => {
                self.trim(peer, &addresses);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                self.agents.insert(peer_id, harmless(&info.agent_version, MAX_AGENT_CHARS).into());
                self.bootstrap.identified(&peer_id, &info.protocols);
                self.note_observation(peer_id, info.observed_addr);
            }
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                self.connected.entry(peer_id).or_insert_with(Instant::now);
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                self.connected.remove(&peer_id);
                self.agents.remove(&peer_id);
            }
            SwarmEvent::NewListenAddr { address, .. } => debug!(%address, "listening"),
            SwarmEvent::ListenerClosed { addresses, reason: Err(error), .. } => {
                warn!(?addresses, %error, "listener closed");
            }
            SwarmEvent::ListenerError { error, .. } => debug!(%error, "listener error"),
            _ => {}
        }
    }

    /// The addresses at which other peers should find this node.
    fn announced(&self) -> Vec<Multiaddr> {
        if !self.configured.is_empty() {
            return self.configured.iter().take(addresses::MAX_PER_PEER).cloned().collect();
        }
        addresses::announced(self.swarm.external_addresses(), self.swarm.listeners())
    }

    /// A peer reports the address at which it sees us. Once enough peers agree, we announce it.
    fn note_observation(&mut self, peer: PeerId, address: Multiaddr) {
        let credible = address.len() <= addresses::MAX_ADDRESS_BYTES
            && self.reach.permits(&address)
            && addresses::could_lead_here(&address, self.swarm.listeners());
        if credible && self.observed.note(address.clone(), peer) {
            info!(%address, "address confirmed by peers");
            if let Some(old) = self.observed.confirm(address.clone()) {
                self.swarm.remove_external_address(&old);
            }
            self.swarm.add_external_address(address);
        }
    }

    /// libp2p-kad starts a bootstrap of its own while the table has fewer than 20 peers, which no option turns off.
    /// It would compete with what is being measured.
    fn end_foreign_queries(&mut self) {
        let ours = self.walk.as_ref().map(|walk| walk.query);
        for mut query in self.swarm.behaviour_mut().kad.kad.iter_queries_mut() {
            if Some(query.id()) != ours {
                query.finish();
            }
        }
    }

    fn start_walk(&mut self, key: Vec<u8>, request: Request, reply: oneshot::Sender<Walked>) {
        // The previous caller has gone, or this one would have been told to wait.
        self.end_walk(Progress::default());
        self.end_foreign_queries();
        let serving = &mut self.swarm.behaviour_mut().kad;
        serving.forestall_bootstrap();
        serving.tap = Some(Tap::default());
        let query = match request {
            Request::GetProviders => serving.kad.get_providers(RecordKey::from(key)),
            Request::FindNode | Request::AddProvider => serving.kad.get_closest_peers(key),
        };
        serving.query = Some(query);
        self.walk = Some(Walk { query, reply });
    }

    fn end_walk(&mut self, progress: Progress) {
        let at = Instant::now();
        let Progress { complete, closest, providers, .. } = progress;
        let serving = &mut self.swarm.behaviour_mut().kad;
        let (Some(Walk { query, reply }), Some(tap)) = (self.walk.take(), serving.tap.take()) else { return };
        serving.query = None;
        if let Some(mut query) = serving.kad.query_mut(&query) {
            query.finish();
        }
        let unfinished = match (tap.is_spent(), complete) {
            (true, _) => Some(Unfinished::TooManyRequests),
            (false, false) => Some(Unfinished::OutOfTime),
            (false, true) => None,
        };
        let answered = std::mem::take(&mut serving.answered);
        answered.into_iter().for_each(|peer| self.add_to_table(peer));
        let _ = reply.send(Walked { at, unfinished, overheard: tap.into_overheard(), closest, providers });
    }
}

fn table_size(kad: &mut kad::Behaviour<crate::swarm::records::ProviderStore>) -> usize {
    kad.kbuckets().map(|bucket| bucket.num_entries()).sum()
}

fn addresses_of(kad: &mut kad::Behaviour<crate::swarm::records::ProviderStore>, key: KBucketKey<PeerId>) -> NamedPeer {
    let id = key.into_preimage();
    let entry = kad.kbucket(id).and_then(|bucket| {
        let entry = bucket.iter().find(|entry| *entry.node.key.preimage() == id)?;
        Some(entry.node.value.iter().cloned().collect())
    });
    NamedPeer { id, addresses: entry.unwrap_or_default() }
}

/// The number of leading zero bits of the least distance in a bucket.
fn common_prefix(distance: KBucketDistance) -> u32 {
    distance.ilog2().map_or(256, |highest| 255 - highest)
}

#[cfg(test)]
mod tests;
