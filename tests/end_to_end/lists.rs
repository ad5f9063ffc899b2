//! Lists of unwanted content: what other peers ask of a server in server mode is counted, and a bad file stops the start.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use parsec_dht::{Dht, Node, Readiness};
use parsec_measure::{Cid, Content};
use parsec_test_support::node::on_loopback;

use crate::deployment::{Server, metrics, server};
use crate::stage::Stage;

/// The content "hello world" as the CIDv1 of a raw block, and the SHA-256 of that with a slash at its end.
const CID: &str = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
const HASH: &str = "455c1fd8723e947056c8eb6637f74bc545c9c27bba07431abee72de32ebe6afc";

fn file(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path: PathBuf = directory.join(name);
    fs::write(&path, content).unwrap();
    path.display().to_string()
}

/// A peer that knows nobody but the server.
async fn peer(stage: &Stage, server: &Server) -> Node {
    let node = Node::start(on_loopback(vec![server.multiaddress.clone()])).await.unwrap();
    let is_ready = async || matches!(node.readiness().await.unwrap(), Readiness::Ready { .. }).then_some(());
    stage.eventually("peer ready", is_ready).await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_others_for_listed_content_are_counted_and_logged() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let badbits = file(directory.path(), "badbits.deny", format!("version: 1\n---\n//{HASH}\n/ipns/example.org\n"));
    let denied_cid = Content::from(b"denied".to_vec()).cid();
    let denied = format!("cid,source\n{denied_cid},\"somebody, somewhere\"\n");
    let denied = file(directory.path(), "denied.csv", denied);
    let args = ["--dry-run", "--server-mode", "--badbits", &badbits, "--denied-cids", &denied];
    let server = Server::started(server(&stage, &args)).await;
    let read = server.process.log("badbits list read").await;
    assert_eq!((&read["entries"], &read["other_rules"]), (&1.into(), &1.into()), "{read}");

    let peer = peer(&stage, &server).await;
    let bad: Cid = CID.parse().unwrap();
    for cid in [&bad, &denied_cid, &Content::from(b"harmless".to_vec()).cid()] {
        peer.provide(cid.clone(), None).await.unwrap();
        peer.retrieve(cid.clone()).await.unwrap();
    }
    let line = server.process.log("request for a listed CID").await;
    assert_eq!(
        (&line["list"], &line["request"], &line["cid"]),
        (&"badbits".into(), &"ADD_PROVIDER".into(), &CID.into())
    );
    let counted =
        |list: &str, request: &str| format!("parsec_listed_requests_total{{list=\"{list}\",request=\"{request}\"}} 1");
    let all_counted = async || {
        let text = metrics(&stage, &server.process).await;
        let add = ["badbits", "denied_cids"].iter().all(|list| text.contains(&counted(list, "add_provider")));
        add.then_some(text)
    };
    let text = stage.eventually("both publications counted", all_counted).await;
    let series = text.lines().filter(|line| line.starts_with("parsec_listed_requests_total"));
    assert_eq!(series.count(), 4, "{text}");
    assert!(!text.contains(CID), "no CID is a label");
}

#[tokio::test]
async fn a_list_that_cannot_be_used_stops_the_start_with_its_file_and_line() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let file = |name: &str, content: &[u8]| file(directory.path(), name, content);
    let cases = [
        (
            "--badbits",
            file("short", b"# list\n//0123abc\n"),
            "line 2: cannot use `//0123abc`: expected `//` and 64 hex",
        ),
        ("--badbits", file("page", b"<html>\n</html>\n"), "no line of it is an entry"),
        ("--badbits", file("binary", b"\x1f\x8b\x08\x00"), "line 1: not UTF-8 text"),
        (
            "--denied-cids",
            file("csv", b"cid,source\nQmnonsense,x\n"),
            "line 2: cannot use `Qmnonsense,x`: the first column",
        ),
        ("--denied-cids", file("column", CID.as_bytes()), "there is one column only; expected CID,SOURCE"),
        ("--denied-cids", "/nowhere/list".to_owned(), "cannot read it: No such file"),
    ];
    let started = cases.map(|(flag, path, reason)| (server(&stage, &["--dry-run", flag, &path]), flag, path, reason));
    for (process, flag, path, reason) in started {
        let ended = process.end().await;
        assert_eq!(ended.code(), 1, "{flag} {path}");
        assert!(ended.err.contains(&format!("list {path} ({flag})")), "{}", ended.err);
        assert!(ended.err.contains(reason), "no `{reason}` in {}", ended.err);
    }
}
