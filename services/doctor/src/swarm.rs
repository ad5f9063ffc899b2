//! Whether the bootstrap peers let us in: a node of the same settings asks them, on a port of its own.

use std::time::Duration;

use parsec_dht::{BootstrapAnswer, Dht as _, Node, NodeConfig};
use parsec_measure::StrategyKind;
use parsec_show::findings::Finding;
use tokio::time::{Instant, sleep};

/// How long the peers may take to answer: a dial of each address of a peer, and a request.
const LIMIT: Duration = Duration::from_secs(20);

/// How often is looked whether they have.
const POLL: Duration = Duration::from_millis(50);

const WHAT: &str = "bootstrap";
const OTHERS: &str = "name others (--bootstrap-peers)";

/// What each of them answers.
pub(super) async fn look(node: anyhow::Result<NodeConfig>) -> Vec<Finding> {
    let mut config = match node {
        Ok(config) => config,
        Err(error) => return vec![Finding::error(WHAT, format!("{error:#}"), "mend the setting")],
    };
    if config.bootstrap.is_empty() {
        let said = "no bootstrap peers are known for this network";
        return vec![Finding::warning(
            WHAT,
            said,
            "name some (--bootstrap-peers); without them, others have to connect",
        )];
    }
    // It neither takes the port of the server, nor crawls a network, nor offers to serve anybody.
    (config.listen_port, config.strategy) = (0, StrategyKind::Classic);
    let node = match Node::start(config).await {
        Ok(node) => node,
        Err(error) => return vec![Finding::error(WHAT, error.to_string(), "mend the setting")],
    };
    let answers = answers(&node).await;
    node.stop().await;
    findings(&answers)
}

/// The answers of all, or of those that answer in time.
async fn answers(node: &Node) -> Vec<BootstrapAnswer> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let answers = node.bootstrap_answers();
        if answers.iter().all(|one| one.answer.is_some()) || Instant::now() >= deadline {
            return answers;
        }
        sleep(POLL).await;
    }
}

/// One that lets us in is enough to join; each that does not is told.
fn findings(answers: &[BootstrapAnswer]) -> Vec<Finding> {
    let open = answers.iter().filter(|one| one.answer == Some(Ok(()))).count();
    let closed = answers.iter().filter_map(|BootstrapAnswer { peer, answer }| match answer {
        Some(Ok(())) => None,
        Some(Err(why)) => Some(why.clone()),
        None => Some(format!("{peer}: no answer within {} s", LIMIT.as_secs())),
    });
    let level =
        |said| if open == 0 { Finding::error(WHAT, said, OTHERS) } else { Finding::warning(WHAT, said, OTHERS) };
    let mut found: Vec<_> = closed.map(level).collect();
    if open > 0 {
        found.insert(0, Finding::ok(WHAT, format!("{open} of {} peers let us in", answers.len())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use parsec_show::findings::Level;

    #[test]
    fn one_peer_that_lets_us_in_is_enough() {
        let of = |answer| BootstrapAnswer { peer: "12D3KooW".to_owned(), answer };
        let levels =
            |answers: &[BootstrapAnswer]| findings(answers).iter().map(|found| found.level).collect::<Vec<_>>();
        let refused = || of(Some(Err("12D3KooW: connection refused".to_owned())));
        assert_eq!(levels(&[of(Some(Ok(())))]), [Level::Ok]);
        assert_eq!(levels(&[of(Some(Ok(()))), refused(), of(None)]), [Level::Ok, Level::Warning, Level::Warning]);
        assert_eq!(levels(&[refused(), of(None)]), [Level::Error, Level::Error]);
    }
}
