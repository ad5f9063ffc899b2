//! A world for tests: small, with some of everybody.

use super::world::World;

const TEXT: &str = r#"
name = "test"
about = "Some of everybody"
peers = 200
alpha = 10

[fates]
refusing = 0.1
black_hole = 0.05
silent = 0.03
slow = 0.03

[regions]
eu-central-1 = 0.5
us-east-2 = 0.5
ap-southeast-2 = 0
sa-east-1 = 0
af-south-1 = 0
us-west-1 = 0
me-south-1 = 0

[tables]
missing = 0.02
silent = 1
stale = { b0 = 0.04, b9 = 0.15 }

[dial]
round_trips = 3
live = { p0 = "0ms", p50 = "100ms", p100 = "2s" }
slow = { p0 = "1s", p100 = "20s" }
refusing = { p0 = "0ms", p100 = "300ms" }
black_hole = { p0 = "5s", p100 = "5s" }

[answer]
round_trips = 1
steady = 0.7
live = { p0 = "0ms", p50 = "20ms", p100 = "1s" }
slow = { p0 = "1s", p100 = "20s" }

[node]
regions = ["eu-central-1", "us-east-2", "sa-east-1"]
connected = 0.5
connected_elsewhere = 0.02
staleness = 0.5

[crawl]
gone = 0.1
"#;

/// The text of the world's file.
pub(super) fn text() -> &'static str {
    TEXT
}

/// Such a world of so many peers.
pub(super) fn world(peers: u32) -> World {
    World::read("test", TEXT).unwrap().with("peers", f64::from(peers)).unwrap()
}
