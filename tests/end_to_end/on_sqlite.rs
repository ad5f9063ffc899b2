//! A deployment of one host: every process has the same SQLite file open.

use tokio::join;

use crate::deployment::{Server, joining, network, scheduler, server};
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn servers_and_scheduler_share_one_file() {
    let (stage, network, file) = (Stage::begin(), network().await, parsec_test_support::sqlite_file());
    let [flag, peers] = joining(&network);
    let url = file.url();
    let at_file = ["--database-url", &url];
    let start = || server(&stage, &[&at_file[..], &[&flag, &peers]].concat());
    let (one, other, scheduler) = (start(), start(), scheduler(&stage, &at_file));
    let (one, other) = join!(Server::started(one), Server::started(other));
    assert_ne!(one.node, other.node);

    // Two rounds, each with a publication and a lookup.
    for count in 1..=4 {
        let attempt = scheduler.logged("attempt ended", count).await;
        assert_eq!((&attempt["outcome"], &attempt["error"]), (&"ok".into(), &serde_json::Value::Null), "{attempt}");
    }
    for process in [scheduler, one.process, other.process] {
        assert_eq!(process.terminate().await.code(), 0);
    }
    assert!(std::fs::read(file.path()).unwrap().starts_with(b"SQLite format 3"));
}
