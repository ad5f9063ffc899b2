//! `parsec provide` and `parsec retrieve`: one operation on any network, with a full report.
//!
//! The node is the same as a server's, without database and HTTP: it joins, performs the operation, and ends.

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use parsec_actors::telemetry::metrics::Role;
use parsec_dht::{Dht, Node, NodeConfig, Readiness};
use parsec_measure::{CONTENT_BYTES, Cid, Content, FollowUp, Measured, OperationKind, OutcomeClass};
use parsec_show::Look;
use parsec_show::facts::{facts, figures, records};
use parsec_show::operation::{self, Heading};
use tokio::time::{Instant, sleep, timeout};

use crate::dht;
use crate::process::{self, Process};
use parsec_output as output;
use parsec_settings::{OneShotConfig, OutputFormat};

/// How often to check whether the node can measure.
const READY_POLL: Duration = Duration::from_millis(50);

/// How long to wait until every record has been sent: longer than the node needs for its last puts (90 s) and for the
/// peers' confirmations (12 s).
const BACKGROUND: Duration = Duration::from_secs(110);

/// The largest file: more than anybody needs for a hash, and small enough to be held in memory.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Where a node listens by default. The record of a process that stays is there for others to dial, and this address leads
/// each of them to itself: on a network of other machines it listens everywhere instead. `localhost` is taken at its word.
const NOWHERE_ELSE: &str = "127.0.0.1";

/// How the addresses of peers on this machine begin.
const LOOPBACK_PEERS: [&str; 2] = ["/ip4/127.", "/ip6/::1/"];

/// How many bootstrap peers a message names.
const MAX_NAMED: usize = 3;

/// One operation.
pub(crate) enum OneShot {
    Provide {
        /// The file whose content to publish; `None` is fresh random content.
        file: Option<PathBuf>,
        /// Whether to go on running afterwards.
        stay: bool,
    },
    Retrieve(Cid),
}

impl OneShot {
    fn stays(&self) -> bool {
        matches!(self, Self::Provide { stay: true, .. })
    }
}

/// Runs `parsec provide` or `parsec retrieve`: 0 if the operation succeeded, 1 if it failed, could not be tried, or left a
/// record that no peer has taken in.
pub(crate) async fn run(config: OneShotConfig, operation: OneShot, look: Look) -> anyhow::Result<ExitCode> {
    process::raise_file_limit();
    let process = Process::start(Role::Server)?;
    let (kind, cid) = subject(&operation)?;
    let joining = join(&config, operation.stays(), kind);
    let Some(node) = process.unless_stopped(joining).await else { return Ok(ExitCode::FAILURE) };
    let node = node?;
    let ended = match process.unless_stopped(measure(&node, &config, kind, cid, look)).await {
        Some(Ok(result)) => conclude(&process, &node, &operation, &result).await,
        None => Ok(ExitCode::FAILURE),
        Some(Err(error)) => Err(error),
    };
    node.stop().await;
    ended
}

fn subject(operation: &OneShot) -> anyhow::Result<(OperationKind, Cid)> {
    Ok(match operation {
        OneShot::Provide { file: Some(path), .. } => (OperationKind::Provide, content(path)?.cid()),
        OneShot::Provide { file: None, .. } => (OperationKind::Provide, Content::random(&mut rand::rng()).cid()),
        OneShot::Retrieve(cid) => (OperationKind::Retrieve, cid.clone()),
    })
}

fn content(path: &Path) -> anyhow::Result<Content> {
    let read = || {
        let mut bytes = Vec::with_capacity(CONTENT_BYTES);
        std::fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = read().with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        bail!("{} has more than {MAX_FILE_BYTES} bytes; a smaller file measures the same", path.display());
    }
    Ok(Content::from(bytes))
}

/// Starts a node and waits until it can measure.
pub(crate) async fn join(config: &OneShotConfig, stays: bool, kind: OperationKind) -> anyhow::Result<Node> {
    let mut node_config = dht::node_config(&config.dht, &config.peer)?;
    if config.peer.host == NOWHERE_ELSE && stays && is_elsewhere(&node_config.bootstrap) {
        node_config.listen_ip = Ipv4Addr::UNSPECIFIED.into();
    }
    if node_config.bootstrap.is_empty() {
        bail!(
            "no bootstrap peers are known for the network with {}: give some (--bootstrap-peers)",
            node_config.protocols.join(", ")
        );
    }
    let through = through(&node_config);
    let node = Node::start(node_config).await.context("cannot start the DHT node")?;
    output::note(&format!("{} joins the network {through}", node.peer_id()));
    let missing = tokio::select! {
        missing = wait_until_ready(&node, config.ready_timeout) => missing?,
        reason = node.died() => bail!("the DHT node crashed: {reason}"),
    };
    match missing {
        None => Ok(node),
        Some(missing) => {
            let waited = parsec_measure::written_duration(config.ready_timeout);
            bail!("cannot {kind} yet after {waited} (--ready-timeout): {missing}; tried to join {through}")
        }
    }
}

/// Whether some of these peers are on other machines.
fn is_elsewhere(peers: &[String]) -> bool {
    peers.iter().any(|peer| !LOOPBACK_PEERS.iter().any(|start| peer.starts_with(start)))
}

fn through(config: &NodeConfig) -> String {
    let named: Vec<_> = config.bootstrap.iter().take(MAX_NAMED).map(String::as_str).collect();
    let more = config.bootstrap.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("with {} through {}{more}", config.protocols.join(", "), named.join(", "))
}

/// Checks repeatedly whether the node can measure; after `limit`, returns what it still lacks.
async fn wait_until_ready(node: &impl Dht, limit: Duration) -> anyhow::Result<Option<String>> {
    let deadline = Instant::now() + limit;
    loop {
        let missing = match node.readiness().await? {
            Readiness::Ready { .. } => return Ok(None),
            Readiness::NotReady(missing) => missing,
        };
        if Instant::now() >= deadline {
            return Ok(Some(missing));
        }
        sleep(READY_POLL).await;
    }
}

/// Performs the operation and prints the result.
async fn measure(
    node: &Node,
    config: &OneShotConfig,
    kind: OperationKind,
    cid: Cid,
    look: Look,
) -> anyhow::Result<Measured> {
    let result = match kind {
        OperationKind::Provide => node.provide(cid.clone(), None).await,
        OperationKind::Retrieve => node.retrieve(cid.clone()).await,
    };
    let result = result.with_context(|| format!("cannot {kind} {cid}"))?;
    let heading = heading(kind, &cid, &result);
    let trace = result.trace.as_deref();
    output::line(&match config.format {
        OutputFormat::Text => operation::text(&heading, &facts(kind, &result), trace, look),
        OutputFormat::Json => {
            let figures = figures(&node.peer_id(), Some(config.dht.strategy), &result);
            parsec_show::json(&operation::document(&heading, figures, trace))
        }
    })?;
    Ok(result)
}

/// What is left to do after the result is printed: records are still being sent then, and a record that names this
/// process is only useful while the process runs.
async fn conclude(process: &Process, node: &Node, operation: &OneShot, result: &Measured) -> anyhow::Result<ExitCode> {
    let succeeded = result.class == OutcomeClass::Ok;
    let code = |succeeded| if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let OneShot::Provide { stay, .. } = operation else { return Ok(code(succeeded)) };
    let record = format!("the record names this process, peer {}", node.peer_id());
    let stays = *stay && succeeded;
    if stays {
        output::note(&format!("{record}, which runs until Ctrl-C and listens on port {}", node.port()));
    }
    let arrived = async {
        match see_off(node, result).await? {
            Some(end) => Ok::<_, anyhow::Error>(tell(&end)),
            None => Ok(true),
        }
    };
    if !stays {
        let arrived = match process.unless_stopped(arrived).await {
            Some(arrived) => arrived?,
            None => interrupted(),
        };
        if succeeded {
            output::note(&format!("{record}, which ends now (--stay keeps it running)"));
        }
        return Ok(code(succeeded && arrived));
    }
    let stay_on = stay_on(process, node);
    tokio::pin!(arrived, stay_on);
    tokio::select! {
        // What is known already is printed.
        biased;
        arrived = &mut arrived => {
            arrived?;
            stay_on.await?;
        }
        ended = &mut stay_on => ended?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs until the process is told to end.
pub(crate) async fn stay_on(process: &Process, node: &Node) -> anyhow::Result<()> {
    tokio::select! {
        ended = process.wait_for_end() => ended,
        reason = node.died() => bail!("the DHT node crashed: {reason}"),
    }
}

/// Waits until the last record has been sent and the peers have confirmed it or not; `None` if none was sent.
async fn see_off(node: &Node, result: &Measured) -> anyhow::Result<Option<FollowUp>> {
    let (stored, pending) = (result.effort.holders_stored.unwrap_or(0), result.effort.holders_pending.unwrap_or(0));
    if stored + pending == 0 {
        return Ok(None);
    }
    let what = if pending > 0 {
        format!("{pending} records are still being written: waiting until they have left")
    } else {
        "waiting until the records have arrived".to_owned()
    };
    output::note(&format!("{what}, {} s at most", BACKGROUND.as_secs()));
    let end = timeout(BACKGROUND, node.next_follow_up()).await;
    Ok(Some(end.context("it is not known whether the peers took the record in: the node did not answer in time")?))
}

/// Prints what happened to the records; returns whether any peer is known to have them.
fn tell(end: &FollowUp) -> bool {
    output::note(&format!("records: {}", records(end)));
    let confirmed = end.confirmed.is_some_and(|confirmed| confirmed > 0);
    if !confirmed {
        output::note("no peer has confirmed that it took the record in: it may be lost");
    }
    confirmed
}

/// The user ended the wait for the records: nothing is known about them.
fn interrupted() -> bool {
    output::note("some of the records may not have left: it was not waited for them");
    false
}

fn heading(kind: OperationKind, cid: &Cid, result: &Measured) -> Heading {
    Heading {
        kind,
        cid: cid.to_string(),
        class: result.class,
        error: result.error.clone(),
        duration: result.duration,
        fleet: None,
        region: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_as_published_if_somebody_is_known_to_have_taken_it_in() {
        let end = |stored, confirmed| FollowUp {
            attempt: None,
            cid: "Qm".to_owned(),
            stored,
            confirmed: Some(confirmed),
            failed: 20 - stored,
            pending: Some(0),
            duration: Duration::from_secs(1),
            confirming: Duration::ZERO,
        };
        for (stored, confirmed, published) in [(20, 20, true), (20, 1, true), (20, 0, false), (0, 0, false)] {
            assert_eq!(tell(&end(stored, confirmed)), published, "{confirmed} of {stored}");
        }
    }

    #[test]
    fn peers_on_this_machine_alone_are_not_elsewhere() {
        let peers = |peers: &[&str]| peers.iter().map(|peer| (*peer).to_owned()).collect::<Vec<_>>();
        assert!(!is_elsewhere(&peers(&["/ip4/127.0.0.1/tcp/4001/p2p/x", "/ip6/::1/tcp/4001/p2p/x"])));
        assert!(!is_elsewhere(&[]));
        assert!(is_elsewhere(&peers(&["/ip4/127.0.0.1/tcp/1/p2p/x", "/dnsaddr/bootstrap.libp2p.io/p2p/x"])));
        assert!(is_elsewhere(&peers(&["/ip4/192.0.2.1/tcp/1/p2p/x"])));
    }

    #[test]
    fn a_file_is_published_by_the_hash_of_its_bytes_unless_it_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hello");
        std::fs::write(&path, "hello world").unwrap();
        assert_eq!(content(&path).unwrap().cid().to_string(), "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4");
        let message = format!("{:#}", content(&dir.path().join("nowhere")).unwrap_err());
        assert!(message.contains("nowhere: No such file"), "{message}");
    }
}
