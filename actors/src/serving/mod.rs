//! A server: its DHT node, what that reports, its row in the database, and the HTTP in front of it.

pub mod dht_node;
pub mod follow_ups;
pub mod gateway;
pub mod heartbeat;
pub mod verifier;
