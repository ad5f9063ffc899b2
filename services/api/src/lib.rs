//! The HTTP contract between schedulers and servers.
//!
//! [`wire`] holds the shapes of requests and answers as they travel, in both generations that the field
//! speaks (2023 and 2026), and translates them to and from the domain; no shape leaves this crate as a
//! domain type. [`client`] is how a scheduler calls a server, with a bound on every wait and every body. [`token`] is what a
//! server may ask for before it works, [`place`] how people write where it is.

pub mod client;
pub mod place;
pub mod token;
pub mod wire;

mod text;
