//! The DHT: measuring nodes that are real libp2p Kademlia peers.
//!
//! Only this crate and `parsec-lab` use libp2p. Other code holds a [`Dht`] and works
//! with CIDs, texts and [`Measured`](parsec_measure::Measured) results.
//!
//! The modules from the bottom up; each uses only those before it. [`strategy`]: the decisions as pure state machines,
//! and the keyspace. `wire`: messages, addresses, and which addresses may be dialled. `denylist`: content that is
//! counted when others ask for it. `swarm`: a peer on the network and its requests. `operation`: runs a strategy over
//! the network, with its log and report. `table`: keeps a node's view of the network up to date. [`Node`] combines
//! them. Its connections are carried by an [`Underlay`], which is passed in: the [`Internet`], or a network for tests
//! that is built from [`parts`].
//!
//! # What strangers can make us spend
//!
//! Everything that others can influence has a limit. `reach` decides which of their addresses are dialled at all. Where
//! the column "test" says "theirs", the limit is libp2p's own, in the file that is named.
//!
//! | what | at most | constant | test |
//! | --- | --- | --- | --- |
//! | connections to us; being established | 1,024; 256 | `limits::MAX_INCOMING`, `MAX_PENDING_INCOMING` | theirs (connection-limits) |
//! | the same from one address (public network) | 128; 32 | `doors::SHARE` | `doors`, `tests/hostile.rs` |
//! | connections with one peer, either way | 8 | `limits::MAX_PER_PEER` | theirs (connection-limits) |
//! | connections to others; dials under way | 8,192; 4,096 | `limits::MAX_OUTGOING`, `MAX_PENDING_OUTGOING` | theirs (connection-limits) |
//! | the same, and those to us, where few files may be open | half of them; a quarter | `room` | `room`, `tests/end_to_end/file_limits.rs` |
//! | time to say who one is, dialled or dialling | 15 s | `internet::DIAL_ADDRESS_TIMEOUT` | theirs (`core/src/transport/timeout.rs`) |
//! | streams of one connection | 64 | `internet::MAX_STREAMS_PER_CONNECTION` | theirs (yamux, quinn) |
//! | streams that others opened, in all | 4,096 | `streams::MAX_STREAMS` | `streams` |
//! | streams being negotiated; time for one | 16; 10 s | `build::MAX_NEGOTIATING` | theirs (`swarm/src/connection.rs`) |
//! | DHT requests at once on one connection | 32 | `MAX_NUM_STREAMS` (`kad/src/handler.rs`) | `tests/hostile.rs` |
//! | time for a request of others, pause included | 60 s | `streams::PATIENCE` | `streams` |
//! | bytes sent to us and not read yet: a stream; a QUIC connection | 256 or 512 KiB; 2 MiB | `internet::QUIC_STREAM_BYTES`, `QUIC_CONNECTION_BYTES` | theirs (yamux, quinn), `tests/hostile.rs` |
//! | a request of others; with the strategy `libp2p`, and an answer to it | 64 KiB; 192 KiB | `messages::MAX_REQUEST_BYTES`, `MAX_WALK_BYTES` | `tests/hostile.rs` |
//! | an answer that we read | 512 KiB | `messages::MAX_ANSWER_BYTES` | `messages` |
//! | an answer that we give | 40 peers, under 512 KiB | `records::MAX_PROVIDERS`, `K_VALUE` (`kad/src/lib.rs`) | `messages` |
//! | peers of an answer that are used | 64 closer, 64 providers | `messages::MAX_PEERS` | `messages`, `tap` |
//! | providers of a search that are told; addresses of each; an address as text | 64; 8; 256 characters | `MAX_FOUND_PROVIDERS`, … (`measure`) | `tests/found.rs` |
//! | what one operation asks and sends, tries included | 1,024 questions, 1,024 records | `strategy::MAX_REQUESTS` | `tests/strange_peers` |
//! | time for many keys published at once; records to one peer that it has not confirmed | 30 min; 16 | `many::MANY_LIMIT`, `many::sending::UNCONFIRMED` | `tests/many.rs` |
//! | addresses of a peer that are names of the DNS | 4 | `messages::MAX_NAMES` | `messages` |
//! | addresses of a peer; an address | 16; 256 bytes | `addresses::MAX_PER_PEER`, `MAX_ADDRESS_BYTES` | `wire`, `driver`, `records` |
//! | publications of which something remains to be seen; time until peers confirm | 256; 12 s | `aftermath::FOLLOW_UPS`, `CONFIRMING` | `tests/stored.rs` |
//! | time of a check; of one of its requests | 120 s; 15 s | `check::CHECK_LIMIT`, `ASK` | `tests/stored.rs` |
//! | time for our request: dial, stream, answer | 60 s, 10 s, 10 s | `rpc::DIAL_TIMEOUT`, `OPEN_TIMEOUT`, `ANSWER_TIMEOUT` | `services/lab/src/network` |
//! | peers that one lookup, ours or libp2p-kad's, hears of; whose addresses it notes | 4,096; 8,192 | `lookup::MAX_HEARD`, `drive::MAX_BOOK` | `strategy`, `tap`, `book` |
//! | peers that a crawl visits; its time | 200,000; 15 min | `CrawlConfig::max_peers`, `crawler::CRAWL_LIMIT` | `strategy` |
//! | time for a dial of one address: TCP, QUIC; with encryption | 5 s, 5 s; 15 s | `internet::TCP_CONNECT_TIMEOUT`, `QUIC_CONNECT_TIMEOUT`, `DIAL_ADDRESS_TIMEOUT` | `tests/strange_peers` |
//! | addresses that could not be dialled | 16,384 | `dial::backoff::MAX_ADDRESSES` | `dial::backoff` |
//! | tries of one request; dials because a peer was named elsewhere | 3; 2 | `rpc::Tries`, `drive` | `rpc`, `tests/strange_peers` |
//! | addresses of a peer in an answer that are read | 256 | `messages::MAX_READ_ADDRESSES` | `messages` |
//! | a frame of a WebSocket; its redirects | 1 MiB; none | `internet::MAX_WEBSOCKET_FRAME` | theirs |
//! | what a peer says after a put; time for it | 64 KiB; 10 s | `rpc::client::MAX_ECHO_BYTES`, `rpc::ANSWER_TIMEOUT` | `tests/stored.rs` |
//! | connections that stay without use | 192 | [`Warmth`] | `warmth` |
//! | streams kept for reuse | 1,024, for 30 s | `rpc::pool::MAX_STREAMS`, `MAX_IDLE` | none: libp2p's streams cannot be made in a test |
//! | keys held for others; providers of a key | 65,536; 20 | `records::MAX_KEYS`, `MAX_PROVIDERS` | `records` |
//! | the share of one address in them, when there is no room (public network) | an eighth | `doors::SHARE` | `shares`, `records`, `serving` |
//! | memory of all records; a key; for how long | 90 MB; 80 bytes; 48 h | `records::MAX_BYTES`, `MAX_KEY_BYTES`, `serving::RECORD_TTL` | `records` |
//! | values | none is held | | `records` |
//! | what identify says, addresses included | 4 KiB | `MAX_MESSAGE_SIZE_BYTES` (`identify/src/protocol.rs`) | theirs |
//! | a peer's description of itself | 64 characters | `driver::MAX_AGENT_CHARS` | `driver` |
//! | protocols of a bootstrap peer that are told; of each name | 3; 80 characters | `bootstrap::MAX_PROTOCOLS`, `MAX_PROTOCOL_CHARS` | `bootstrap` |
//! | why a request failed | 300 characters | `rpc::MAX_REASON_CHARS` | `tests/hostile_servers.rs` |
//! | addresses that others see us at: weighed; announced; for AutoNAT | 64; 8; 64 | `addresses::MAX_CANDIDATES`, `MAX_CONFIRMED`, `candidates::MAX_CANDIDATES` | `addresses`, `candidates` |
//! | DNS for one address: look-ups; records; dials | 32; 16; 16 | `MAX_DNS_LOOKUPS`, … (`dns/src/lib.rs`) | theirs |
//! | requests waiting to be looked up in denylists | 1,024 | `watch::WAITING` | `denylist::watch` |

mod denylist;
mod network;
mod node;
mod operation;
pub mod parts;
pub mod strategy;
mod swarm;
mod table;
mod wire;

pub use denylist::lists::{
    BadLine, Badbits, BadbitsReader, Denied, DeniedCids, DeniedCidsReader, DenylistName, Denylists, MAX_ENTRIES,
};
pub use denylist::watch::DenylistWatch;
pub use network::{Network, UnknownNetwork};
pub use node::{Dht, Node, NodeConfig, Outset, Readiness, StartError};
pub use operation::error::DhtError;
pub use operation::failures;
pub use operation::many::MANY_LIMIT;
pub use strategy::key;
pub use swarm::bootstrap::BootstrapAnswer;
pub use swarm::identity::Identity;
pub use swarm::internet::Internet;
pub use swarm::ports::{is_free, port_candidates};
pub use swarm::underlay::Underlay;
pub use swarm::warmth::{Connected, Warmth};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use wire::messages::fuzz_answer;
pub use wire::reach::PrivatePeers;
