//! Peers whose every word steers a terminal: what people and programs get to see of them.

use parsec_lab::LOCAL_PROTOCOL;
use parsec_measure::is_harmful;
use parsec_test_support::peer::{Named, Stranger, naming};

use crate::deployment::{SERVER, Server, joining, network};
use crate::http::{get, post_traced};
use crate::process::Process;
use crate::stage::Stage;

/// Escape, C1, DEL, backspace, direction, no width, line break.
const HOSTILE: &str = "kubo\u{1b}]0;owned\u{7}\u{9b}31m\u{7f}\u{8}\u{202e}\u{200b}\nforged";

/// Calls itself so, and names a peer at a DNS name that reads so.
async fn hostile() -> Stranger {
    Stranger::start(HOSTILE, |_| {
        let name = [&[0x36, u8::try_from(HOSTILE.len()).expect("it is short")], HOSTILE.as_bytes()].concat();
        // Port 4001 over TCP.
        naming(vec![Named::invented(vec![[&name[..], &[0x06, 0x0f, 0xa1]].concat()])])
    })
    .await
}

/// Whether text has nothing in it that steers a terminal, but line breaks.
fn is_clean(text: &str) -> bool {
    !text.chars().any(|character| character != '\n' && is_harmful(character))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_of_a_peer_steers_a_terminal_whatever_the_format_and_the_level() {
    let (stage, network, hostile) = (Stage::begin(), network().await, hostile().await);
    let [flag, peers] = joining(&network);
    let peers = format!("{},{peers}", hostile.address);
    for (format, log) in [("text", "text"), ("json", "json")] {
        let args = ["provide", "--format", format, "--log-format", log, "--log-level", "6"];
        let joining = ["--protocol-id", LOCAL_PROTOCOL, &flag, &peers];
        let ended = Process::start(&stage, &[&args[..], &joining].concat()).end().await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        let out = ended.out.join("\n");
        assert!(is_clean(&out), "{out:?}");
        assert!(is_clean(&ended.err), "{:?}", ended.err.lines().find(|line| !is_clean(line)));
        assert!(ended.err.contains("request ended"), "it did speak: {}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_of_a_peer_steers_whoever_reads_the_answers_of_a_server() {
    let (stage, network, hostile) = (Stage::begin(), network().await, hostile().await);
    let [flag, peers] = joining(&network);
    let peers = format!("{},{peers}", hostile.address);
    let added = ["--fleet", "default", "--protocol-id", LOCAL_PROTOCOL, "--dry-run", &flag, &peers];
    let server = Server::started(Process::start(&stage, &[SERVER, &added].concat())).await.ready(&stage).await;
    // Not every key is near to the peer, and it introduces itself when it likes.
    let (mut key, words) = (0_u8, "kubo\u{fffd}]0;owned\u{fffd}");
    let of_the_peer = async || {
        key = key.wrapping_add(1);
        let answer = post_traced(&stage, server.api, "/provide", format!(r#"{{"Content": [{key}]}}"#)).await.text;
        answer.contains(words).then_some(answer)
    };
    let answer = stage.eventually("an answer with the agent of the peer", of_the_peer).await;
    assert!(is_clean(&answer), "{answer:?}");

    // Alone with such a peer, which says that it speaks something else.
    let foreign = Stranger::speaking(&format!("/{HOSTILE}"), HOSTILE).await;
    let added = ["--fleet", "default", "--protocol-id", LOCAL_PROTOCOL, "--dry-run", &flag, &foreign.address];
    let server = Server::started(Process::start(&stage, &[SERVER, &added].concat())).await;
    let said = async || {
        let reply = get(&stage, server.api, "/readiness").await;
        (reply.status == 503 && reply.text.contains(" speaks /")).then_some(reply.text)
    };
    let reason = stage.eventually("the reason", said).await;
    assert!(is_clean(&reason) && reason.contains(&format!(" and not {LOCAL_PROTOCOL}")), "{reason:?}");
}
