//! A server: its DHT node, what that node reports, its row in the database, and its HTTP API.

pub mod dht_node;
pub mod follow_ups;
pub mod gateway;
pub mod heartbeat;
pub mod same_process;
pub mod verifier;
