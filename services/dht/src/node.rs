//! A measuring node: a real DHT peer that publishes and finds on request.

mod vigil;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::core::transport::ListenerId;
use libp2p::kad::Mode;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm};
use parsec_measure::{AttemptId, Cid, FollowUp, HolderCheck, Manner, Measured, ProvidedMany, StrategyKind};
use rand::SeedableRng;
use rand::rngs::StdRng;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout};

use self::vigil::watch_over;
use crate::denylist::watch::DenylistWatch;
use crate::operation::aftermath::Aftermath;
use crate::operation::census::Census;
use crate::operation::drive::Tools;
use crate::operation::error::DhtError;
use crate::operation::incognito::Incognito;
use crate::operation::report::Context;
use crate::operation::size::NetworkSize;
use crate::strategy::LookupConfig;
use crate::strategy::key::{Contact, Key};
use crate::swarm::bootstrap::{Bootstrap, BootstrapAnswer};
use crate::swarm::build::{Behaviour, Plan, build};
use crate::swarm::driver::Driver;
use crate::swarm::identity::Identity;
use crate::swarm::ports::{is_free, port_candidates};
use crate::swarm::room::Room;
use crate::swarm::underlay::Underlay;
use crate::swarm::warmth::Warmth;
use crate::table::crawler::{CrawlNow, Crawler};
use crate::table::refresh::Refresh;
use crate::wire::addresses;
use crate::wire::messages::NamedPeer;
use crate::wire::reach::{PrivatePeers, Reach};

/// How long the listeners may take to come up.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a stop waits for records that have been written but not sent yet: longer than a round trip around the
/// world, and short enough for the stop of a whole server. Puts that are not confirmed by then are cut off.
const LEAVING: Duration = Duration::from_secs(1);

/// How many crawls may be requested while one runs.
const CRAWL_WISHES: usize = 4;

/// How long the swarm's task may take to answer a simple question before it counts as stuck.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(10);

/// How a node takes part in a DHT.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Its key.
    pub identity: Identity,
    /// What carries its connections.
    pub underlay: Arc<dyn Underlay>,
    /// The address to listen on, with each transport of the underlay that has addresses of this kind.
    pub listen_ip: IpAddr,
    /// The port to listen on, TCP and UDP; 0 for a free one that fits into the original's database.
    pub listen_port: u16,
    /// Addresses to announce instead of those found by listeners and peers.
    pub external_addresses: Vec<String>,
    /// The Kademlia protocol ids of the network, at least one. Other peers are offered all of them, in this order; in
    /// server mode the first is served.
    pub protocols: Vec<String>,
    /// Peers through which to join, `/p2p/…` included.
    pub bootstrap: Vec<String>,
    /// Whether to answer the requests of others and hold their records, or only to send requests.
    pub server_mode: bool,
    /// How it publishes and finds.
    pub strategy: StrategyKind,
    /// How many requests a lookup may have under way. A full routing table asks all 20 holders at once, and libp2p's
    /// own lookups always use 3.
    pub alpha: usize,
    /// Whether each operation starts without connections and without memory of failed dials, like a newcomer. Meant for
    /// small networks, in which everybody is connected after a few operations. Anything else that is under way at that
    /// moment fails. The routing table is filled once and then learns from operations alone.
    pub cold: bool,
    /// How long one publication or search may take.
    pub operation_timeout: Duration,
    /// Denylists in which to look up the keys of other peers' provider requests. Outside server mode there are no such
    /// requests.
    pub denylists: Option<DenylistWatch>,
    /// What to do with private addresses of strangers. Where all peers are ours, they are dialled.
    pub private_peers: PrivatePeers,
    /// How many connections are kept.
    pub warmth: Warmth,
}

/// Why a node could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// Not a valid address, or one that lacks something required.
    #[error("{what} `{address}`: {reason}")]
    Address {
        /// The list that contains it.
        what: &'static str,
        /// As given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not a valid protocol id.
    #[error("protocol id `{0}` must begin with `/`, for example /ipfs/kad/1.0.0")]
    Protocol(String),
    /// The port is in use, or the address is not one of this machine.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The multiaddress.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// The swarm could not be built.
    #[error("cannot set up libp2p: {0}")]
    Setup(String),
}

/// What an operation begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Outset {
    /// The ids of the peers that it knows as closest to the key, closest first.
    pub seeds: Vec<String>,
    /// How many peers an optimistic publisher believes the network to have.
    pub network_size: Option<f64>,
}

/// Whether a node can measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready {
        /// Peers in its routing table; with a full one, peers of the network.
        routing_table_size: u32,
        /// How many peers it believes the network to have.
        network_size: Option<u32>,
    },
    /// It cannot yet, and why.
    NotReady(String),
}

/// Publishing and finding, as the actors see it.
#[async_trait]
pub trait Dht: Send + Sync + 'static {
    /// Publishes a provider record. A failed publication is a result, not an error. What goes on in the background
    /// after the answer is reported later, under `attempt`.
    async fn provide(&self, cid: Cid, attempt: Option<AttemptId>) -> Result<Measured, DhtError>;
    /// Publishes provider records of many keys at once, and reports what came of each; a failed one is a result. It ends when
    /// the caller no longer waits for it. Nothing of it is reported later.
    ///
    /// By default one after the other, in whatever manner: what an engine does that has no better way.
    async fn provide_many(&self, keys: Vec<Cid>, _: Manner) -> Result<ProvidedMany, DhtError> {
        let (began, mut all) = (Instant::now(), ProvidedMany::nothing(Manner::Each));
        for cid in keys {
            let measured = self.provide(cid.clone(), None).await?;
            all.add(cid, &measured);
        }
        Ok(ProvidedMany { duration: began.elapsed(), ..all })
    }
    /// Looks for the first provider. A failed search is a result, not an error.
    async fn retrieve(&self, cid: Cid) -> Result<Measured, DhtError>;
    /// Whether the node can measure. Its actor also uses this as a health check.
    async fn readiness(&self) -> Result<Readiness, DhtError>;
    /// Asks the peers that are really closest to a key, found by a fresh lookup, whether they hold a record that names
    /// `provider`. Closest first; empty if no peer could be asked. This node's own records do not count.
    async fn check_record(&self, cid: Cid, provider: String) -> Result<Vec<HolderCheck>, DhtError>;
    /// Waits until a publication has ended: its last put has ended, and the peers have confirmed the record or run out
    /// of time. Returns how it ended. Each publication that sent its record to a peer is reported once, to the first
    /// caller.
    async fn next_follow_up(&self) -> FollowUp;
    /// Returns when the node has died without being stopped, with the reason.
    async fn died(&self) -> String;
    /// Stops the node. Its TCP port is free afterwards; QUIC closes its socket a moment later, in a task of its own.
    async fn stop(&self);
}

/// A running node. Dropping it ends its tasks.
#[derive(Debug)]
pub struct Node {
    peer: PeerId,
    port: u16,
    context: Context,
    /// Turns true once the routing table has been filled, or the network crawled.
    filled: watch::Receiver<bool>,
    bootstrap: Bootstrap,
    /// Requests a crawl now.
    crawls: mpsc::Sender<CrawlNow>,
    follow_ups: Mutex<mpsc::Receiver<FollowUp>>,
    died: watch::Receiver<Option<String>>,
    tasks: [AbortHandle; 2],
    /// Operations run on this runtime, however busy the caller's thread is.
    runtime: Handle,
}

impl Node {
    /// Starts listening and begins to fill the routing table. Must be called within the runtime on which the node is to
    /// run.
    ///
    /// # Errors
    /// [`StartError`] names the address or setting that does not work.
    pub async fn start(config: NodeConfig) -> Result<Self, StartError> {
        let protocols = parse_protocols(&config.protocols)?;
        let bootstrap = Bootstrap::new(parse_bootstrap(&config.bootstrap)?, config.protocols.clone());
        let external = parse_external(&config.external_addresses)?;
        let keypair = config.identity.keypair();
        let peer = keypair.public().to_peer_id();
        let mode = if config.server_mode { Mode::Server } else { Mode::Client };
        let reach = if config.underlay.is_ours() {
            Reach::anywhere()
        } else {
            Reach::of(config.private_peers, bootstrap.peers(), config.listen_ip)
        };
        let walks = config.strategy == StrategyKind::Libp2p;
        let underlay = config.underlay.as_ref();
        let plan = Plan { keypair, protocols: &protocols, mode, walks, reach: &reach, underlay };
        let (mut swarm, rpc) = build(&plan).map_err(|error| StartError::Setup(error.to_string()))?;
        let incognito =
            Incognito { protocols: protocols.clone(), reach: reach.clone(), underlay: Arc::clone(&config.underlay) };
        let port = listen(&mut swarm, &config).await?;
        for address in external {
            swarm.add_external_address(address);
        }

        if let Some(watch) = config.denylists {
            swarm.behaviour_mut().kad.kad.store_mut().watch(watch.start());
        }
        let (driver, handle) = Driver::new(swarm, rpc.clone(), reach.clone(), Room::of_process().keeps(config.warmth));
        let (driver, doors) = (driver.telling(bootstrap.clone()), bootstrap.clone());
        let lookup = LookupConfig { alpha: config.alpha, ..LookupConfig::default() };
        let tools = Tools::new(rpc, handle, NetworkSize::unknown(&peer, lookup.k), reach);
        let (fills, filled) = watch::channel(false);
        let (aftermath, follow_ups) = Aftermath::new();
        let (crawls, wishes) = mpsc::channel(CRAWL_WISHES);
        let context = Context {
            tools: tools.clone(),
            local: peer,
            strategy: config.strategy,
            config: lookup,
            cold: config.cold,
            timeout: config.operation_timeout,
            census: Census::default(),
            walking: Arc::default(),
            aftermath,
            incognito,
        };
        let upkeep: BoxFuture<'static, ()> = if config.strategy == StrategyKind::Fullrt {
            let census = context.census.clone();
            Crawler { tools, local: peer, bootstrap, census, wishes }.run(fills).boxed()
        } else {
            let needs_size = config.strategy == StrategyKind::Optprov;
            let rng = Arc::new(parking_lot::Mutex::new(StdRng::from_seed(peer.key().into_bytes())));
            Refresh { tools, local: peer, bootstrap, config: context.config, needs_size, once: config.cold, rng }
                .run(fills)
                .boxed()
        };
        let (died, tasks) = watch_over(driver.run(), upkeep, context.aftermath.clone());
        let (follow_ups, runtime) = (Mutex::new(follow_ups), Handle::current());
        Ok(Self { peer, port, context, filled, bootstrap: doors, crawls, follow_ups, died, tasks, runtime })
    }

    /// Closes every connection and forgets failed dials, so that the next operation starts like a newcomer.
    pub async fn hang_up(&self) {
        let _ = self.context.tools.driver.hang_up().await;
    }

    /// Crawls the network now, and returns how many peers it met; `None` without a full routing table.
    pub async fn crawl(&self) -> Option<usize> {
        let (met, answer) = oneshot::channel();
        self.crawls.send(met).await.ok()?;
        answer.await.ok()
    }

    /// What an operation on this key, a multihash, would begin with now: for those who play it by other means.
    ///
    /// # Errors
    /// [`DhtError::Stopped`].
    pub async fn outset(&self, key: Vec<u8>) -> Result<Outset, DhtError> {
        let Context { tools, strategy, census, config, .. } = &self.context;
        let seeds = match strategy {
            StrategyKind::Fullrt => census.closest(&Key::of(&key), config.k).0,
            _ => tools.driver.start(key, config.k).await?.seeds,
        };
        let seeds = seeds.iter().map(|seed| seed.id.to_string()).collect();
        Ok(Outset { seeds, network_size: tools.size.estimate().ok() })
    }

    /// How many samples of the network's size it has at the moment.
    pub fn size_samples(&self) -> usize {
        self.context.tools.size.samples()
    }

    /// The peer id as text.
    pub fn peer_id(&self) -> String {
        self.peer.to_string()
    }

    /// The TCP port that the node listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What each bootstrap peer has answered so far.
    pub fn bootstrap_answers(&self) -> Vec<BootstrapAnswer> {
        self.bootstrap.answers()
    }

    async fn on_runtime<T, F>(&self, operation: impl FnOnce(Context) -> F) -> Result<T, DhtError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DhtError>> + Send + 'static,
    {
        let task = self.runtime.spawn(operation(self.context.clone()));
        task.await.unwrap_or_else(|error| Err(DhtError::Crashed(error.to_string())))
    }
}

#[async_trait]
impl Dht for Node {
    async fn provide(&self, cid: Cid, attempt: Option<AttemptId>) -> Result<Measured, DhtError> {
        self.on_runtime(|context| context.provide(cid, attempt)).await
    }

    async fn provide_many(&self, keys: Vec<Cid>, manner: Manner) -> Result<ProvidedMany, DhtError> {
        // A set of one: dropping it ends the task.
        let mut task = JoinSet::new();
        task.spawn_on(self.context.clone().provide_many(keys, manner), &self.runtime);
        match task.join_next().await {
            Some(ended) => ended.unwrap_or_else(|error| Err(DhtError::Crashed(error.to_string()))),
            None => Err(DhtError::Stopped),
        }
    }

    async fn retrieve(&self, cid: Cid) -> Result<Measured, DhtError> {
        self.on_runtime(|context| context.retrieve(cid)).await
    }

    async fn check_record(&self, cid: Cid, provider: String) -> Result<Vec<HolderCheck>, DhtError> {
        self.on_runtime(|context| context.check_record(cid, provider)).await
    }

    async fn readiness(&self) -> Result<Readiness, DhtError> {
        let asked = timeout(PROGRESS_TIMEOUT, self.context.tools.driver.status()).await;
        let status = asked.map_err(|_| DhtError::Stuck(PROGRESS_TIMEOUT))?.map_err(|_| DhtError::Stopped)?;
        let ready = |peers: usize| Readiness::Ready {
            routing_table_size: u32::try_from(peers).unwrap_or(u32::MAX),
            network_size: self.context.tools.size.known(),
        };
        let filled = *self.filled.borrow();
        let lacking = match (self.context.strategy, self.context.census.valid(), status.table_size) {
            (StrategyKind::Fullrt, Some(met), _) if filled => return Ok(ready(met)),
            (StrategyKind::Fullrt, ..) => "the network is being crawled",
            (_, _, 0) => "the routing table is empty",
            (_, _, size) if filled => return Ok(ready(size)),
            _ => return Ok(Readiness::NotReady("the routing table is being filled".into())),
        };
        Ok(Readiness::NotReady(self.bootstrap.explain(lacking)))
    }

    async fn next_follow_up(&self) -> FollowUp {
        match self.follow_ups.lock().await.recv().await {
            Some(follow_up) => follow_up,
            None => std::future::pending().await,
        }
    }

    async fn died(&self) -> String {
        let mut died = self.died.clone();
        match died.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the watch over the swarm's task ended".to_owned(),
        }
    }

    async fn stop(&self) {
        // A record that has been written may not have been sent yet. Dropping the swarm now would drop it.
        self.context.aftermath.settled(LEAVING).await;
        let _ = timeout(PROGRESS_TIMEOUT, self.context.tools.driver.stop()).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

fn parse_protocols(names: &[String]) -> Result<Vec<StreamProtocol>, StartError> {
    if names.is_empty() {
        return Err(StartError::Protocol(String::new()));
    }
    let parse =
        |name: &String| StreamProtocol::try_from_owned(name.clone()).map_err(|_| StartError::Protocol(name.clone()));
    names.iter().map(parse).collect()
}

fn parse_bootstrap(addresses: &[String]) -> Result<Vec<NamedPeer>, StartError> {
    let what = "bootstrap peer";
    let mut peers: Vec<NamedPeer> = Vec::new();
    for text in addresses {
        let address = parse(what, text)?;
        let Some((id, address)) = addresses::split_peer(&address) else {
            let reason = "must end with /p2p/ and the peer's id".to_owned();
            return Err(StartError::Address { what, address: text.clone(), reason });
        };
        // A dnsaddr stands for many peers: keep the id in it, so that the resolver picks the addresses of this peer.
        let dialled = if addresses::is_dnsaddr(&address) { address.with(Protocol::P2p(id)) } else { address };
        match peers.iter_mut().find(|peer| peer.id == id) {
            Some(peer) => peer.addresses.push(dialled),
            None => peers.push(NamedPeer { id, addresses: vec![dialled] }),
        }
    }
    Ok(peers)
}

fn parse_external(addresses: &[String]) -> Result<Vec<Multiaddr>, StartError> {
    addresses.iter().map(|text| parse("external address", text)).collect()
}

fn parse(what: &'static str, text: &str) -> Result<Multiaddr, StartError> {
    text.parse().map_err(|error: libp2p::multiaddr::Error| StartError::Address {
        what,
        address: text.to_owned(),
        reason: format!("{error} (expected something like /ip4/203.0.113.7/tcp/4001)"),
    })
}

/// Listens on every transport of the underlay, on the same port number; returns it.
async fn listen(swarm: &mut Swarm<Behaviour>, config: &NodeConfig) -> Result<u16, StartError> {
    if config.listen_port != 0 {
        return listen_on_all(swarm, config, config.listen_port).await;
    }
    let (mut failure, mut rng) = (None, StdRng::from_rng(&mut rand::rng()));
    for port in port_candidates(&mut rng) {
        match listen_on_all(swarm, config, port).await {
            Ok(port) => return Ok(port),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| StartError::Setup("no port to listen on was tried".to_owned())))
}

async fn listen_on_all(swarm: &mut Swarm<Behaviour>, config: &NodeConfig, port: u16) -> Result<u16, StartError> {
    let mut listeners = Vec::new();
    for address in config.underlay.listen_addresses(config.listen_ip, port) {
        match listen_on(swarm, address).await {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                listeners.into_iter().for_each(|listener| {
                    swarm.remove_listener(listener);
                });
                return Err(error);
            }
        }
    }
    Ok(port)
}

/// Errors of transports often have nothing to say but who caused them.
fn with_causes(error: &dyn std::error::Error) -> String {
    let said = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    let said: Vec<_> = said.filter(|text| !text.trim().is_empty()).collect();
    if said.is_empty() { format!("{error:?}") } else { said.join(": ") }
}

async fn listen_on(swarm: &mut Swarm<Behaviour>, address: Multiaddr) -> Result<ListenerId, StartError> {
    let failed = |reason: String| StartError::Listen { address: address.to_string(), reason };
    is_free(&address).map_err(|error| failed(error.to_string()))?;
    let id = swarm.listen_on(address.clone()).map_err(|error| failed(with_causes(&error)))?;
    let listening = async {
        loop {
            match futures::StreamExt::select_next_some(swarm).await {
                SwarmEvent::NewListenAddr { listener_id, .. } if listener_id == id => return Ok(id),
                SwarmEvent::ListenerClosed { listener_id, reason, .. } if listener_id == id => {
                    return Err(failed(reason.err().map_or_else(|| "closed".into(), |error| with_causes(&error))));
                }
                _ => {}
            }
        }
    };
    timeout(LISTEN_TIMEOUT, listening).await.unwrap_or_else(|_| Err(failed("no listener came up".into())))
}
