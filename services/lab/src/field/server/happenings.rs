//! What happens to a network while servers measure it.

use std::time::Duration;

use parsec_dht::Dht;
use parsec_measure::{Content, StrategyKind};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::advance;

use super::super::testing::world;
use super::super::{Happening, Scenario};
use super::{SimulatedNetwork, SimulatedNode};

const HOUR: Duration = Duration::from_secs(3_600);

fn node(happens: Option<&Happening>) -> SimulatedNode {
    SimulatedNetwork::start(&world(400), 7, &[StrategyKind::Classic], happens).unwrap().remove(0)
}

/// How many requests of ten publications nobody answered.
async fn unanswered(node: &SimulatedNode, first: u64) -> u32 {
    let mut failed = 0;
    for number in first..first + 10 {
        let cid = Content::random(&mut StdRng::seed_from_u64(number)).cid();
        failed += node.provide(cid, None).await.unwrap().effort.rpcs_failed.unwrap();
    }
    failed
}

#[tokio::test(start_paused = true)]
async fn a_scenario_happens_at_its_time_and_what_it_has_done_stays() {
    let scenario = Scenario::shipped("silent-2023").unwrap();
    let (still, node) = (node(None), node(Some(&Happening { scenario, after: 3 * HOUR })));
    assert_eq!(unanswered(&node, 0).await, unanswered(&still, 0).await, "nothing has happened yet");
    // 60 % of the servers fall silent ten minutes after the scenario began, and half of them are back half an hour later.
    advance(3 * HOUR + HOUR / 6).await;
    let [before, meanwhile] = [unanswered(&still, 10).await, unanswered(&node, 10).await];
    assert!(meanwhile > 3 * before, "{before} {meanwhile}");
    for first in [20, 30] {
        advance(24 * HOUR).await;
        let [before, afterwards] = [unanswered(&still, first).await, unanswered(&node, first).await];
        assert!(afterwards > before && afterwards < meanwhile, "{before} {meanwhile} {afterwards}");
    }
}
