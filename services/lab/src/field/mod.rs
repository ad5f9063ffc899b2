//! The field in a box: networks of thousands to millions of peers, simulated, in which our strategies are played as they are.
//!
//! A [`World`] says as data what a network is like. Its `population` is drawn from a seed; routing `tables` are made when somebody is asked; a `vantage`
//! is a node that measures. The `drive`r performs the steps of a strategy on a clock that jumps from event to event, and keeps the same `log` as
//! the driver of a real node. A [`Trial`] compares strategies, a [`Study`] on several networks of a world; a
//! [`SimulatedNode`] publishes and finds there for the actors of a server, on a clock that jumps.
//!
//! Every number is drawn for a purpose (`draw`), never in a sequence that others draw from: one seed gives one output, on any number
//! of threads.

#[cfg(test)]
mod agreement;
mod bulk;
mod course;
mod draw;
mod drive;
mod happening;
mod lasting;
mod liars;
mod links;
mod log;
mod measurer;
mod moment;
mod population;
mod quantiles;
#[cfg(test)]
mod reproduced;
mod scan;
mod scenario;
mod server;
mod strict;
mod study;
mod tables;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timeline;
mod told;
mod trial;
mod vantage;
mod world;

pub use bulk::{Bulk, NoRoomForKeys, TooManyKeys};
pub use happening::Happening;
pub use scan::{NoScan, Scan};
pub use scenario::{MAX_SCENARIO_BYTES, SHIPPED_SCENARIOS, Scenario, ScenarioError};
pub use server::{SimulatedNetwork, SimulatedNode};
pub use study::{NoRoom, Study, TooMany};
pub use timeline::Timeline;
pub use trial::{OPERATION_LIMIT, Trial, TrialError};
pub use world::{MAX_WORLD_BYTES, SHIPPED, ScanError, World, WorldError};
