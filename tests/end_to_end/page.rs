//! The page, served by the real binary out of a real database.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use parsec_test_support::http::client;
use parsec_test_support::openapi::{Answered, Declared, OpenApi};
use parsec_test_support::postgres::{Postgres, Shutdown};
use reqwest::StatusCode;
use serde_json::Value;

use crate::deployment::scheduler;
use crate::process::Process;
use crate::results::database;
use crate::stage::Stage;

const TOKEN: &str = "0123456789abcdefghijkl";

/// A page on a free port, and where it is.
pub(crate) async fn page(stage: &Stage, url: &str, more: &[&str]) -> (Process, String) {
    let words = [&["page", "--page-port", "0", "--database-url", url][..], more].concat();
    let process = Process::start(stage, &words);
    let address =
        |line: &str| line.strip_prefix("http://").map(|rest| format!("http://{}", rest.trim_end_matches('/')));
    let address = process.out("the address of the page", address).await;
    (process, address)
}

/// The whole of what a page shows is read by a role that may only read.
async fn on_both(test: impl AsyncFn(&Stage, &str)) {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    test(&stage, &file.url()).await;
    let postgres = parsec_test_support::database().await;
    database(postgres.url()).await;
    let reader = postgres.url_as(&postgres.role("SELECT").await);
    test(&stage, &reader).await;
}

async fn get(url: String) -> (StatusCode, String) {
    let answer = client().get(url).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_readable_without_script_and_has_a_document_for_programs() {
    on_both(async |stage, url| every_page_is_readable(stage, url).await).await;
}

async fn every_page_is_readable(stage: &Stage, url: &str) {
    let (process, at) = page(stage, url, &[]).await;
    let file = OpenApi::of(&get(format!("{at}/api/v1/openapi.json")).await.1);
    let period = "since=2026-09-21&until=2026-09-24";
    for (place, document, says) in [
        ("/".to_owned(), "overview".to_owned(), "optprov"),
        (format!("/measurements?{period}&fleet=optprov"), format!("measurements?{period}"), "Publications of optprov"),
        (format!("/compare?{period}"), format!("compare?{period}"), "optprov is faster than default at p50"),
        (format!("/incidents?{period}"), format!("incidents?{period}"), "attempts"),
        (format!("/peers?{period}"), format!("peers?{period}"), "No operation whose peers are known"),
    ] {
        let (status, html) = get(format!("{at}{place}")).await;
        assert_eq!(status, StatusCode::OK, "{place}: {html}");
        assert!(html.contains(says) && html.matches("<h1>").count() == 1, "no `{says}` at {place}: {html}");
        let (status, text) = get(format!("{at}/api/v1/{document}")).await;
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &found["stale"]), (StatusCode::OK, &Value::Null), "{text}");
        described(&file, &format!("/api/v1/{}", document.split('?').next().unwrap()), &text);
    }
    let (_, text) = get(format!("{at}/api/v1/operations?{period}&limit=1")).await;
    described(&file, "/api/v1/operations", &text);
    let first: Value = serde_json::from_str(&text).unwrap();
    let (id, cursor) = (first["operations"][0]["id"].as_str().unwrap(), first["next_cursor"].as_str().unwrap());
    assert_eq!(id, cursor);
    let (status, html) = get(format!("{at}/operations/{id}")).await;
    assert!(status == StatusCode::OK && html.contains("was not kept, or has been pruned"), "{html}");
    let (_, text) = get(format!("{at}/api/v1/operations/{id}")).await;
    described(&file, "/api/v1/operations/{id}", &text);
    let (_, text) = get(format!("{at}/api/v1/operations?{period}&limit=1&cursor={cursor}")).await;
    let second: Value = serde_json::from_str(&text).unwrap();
    assert_ne!(first["operations"][0]["id"], second["operations"][0]["id"]);
    assert_eq!(process.terminate().await.code(), 0);
}

/// Checks that an answer is the one that the page's own file describes.
fn described(file: &OpenApi, path: &str, text: &str) {
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let answered = Answered { headers: &headers, body: text.as_bytes() };
    assert_eq!(file.check(&Declared::new(path, "GET", 200), &answered), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_is_said() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    let (_process, at) = page(&stage, &file.url(), &[]).await;
    for (path, status, says) in [
        (
            "/measurements?colour=%3Cb%3E",
            StatusCode::BAD_REQUEST,
            "`colour` is not known here; known are: network, fleet",
        ),
        ("/measurements?fleet=%3Cb%3E", StatusCode::OK, "Fleets that are known: default, optprov"),
        (
            "/measurements?since=2020-01-01&until=2020-01-02",
            StatusCode::OK,
            "No measurement of these servers is recorded",
        ),
        (
            "/operations/01890a5d-ac96-774b-bcce-b302099a8057",
            StatusCode::NOT_FOUND,
            "is recorded, or it has been pruned",
        ),
        ("/api/v1/compare?a=default&b=default", StatusCode::BAD_REQUEST, "stands on both sides"),
        ("/api/v1/operations?limit=0", StatusCode::BAD_REQUEST, "expected a number from 1 to 1000"),
        ("/api/v1/nothing", StatusCode::NOT_FOUND, "nothing is served at"),
    ] {
        let (found, text) = get(format!("{at}{path}")).await;
        assert!(found == status && text.contains(says), "{path}: {found} {text}");
        assert!(!text.contains("<b>"), "{path}: {text}");
    }
    let answer = client().get(format!("{at}/")).header("host", "evil.example").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let answer = client().post(format!("{at}/measurements")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_in_whoever_has_it_and_listeners_hear_how_the_database_is() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    let (_process, at) = page(&stage, &file.url(), &["--page-token", TOKEN]).await;
    let answer = client().get(format!("{at}/")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    let mut events = client().get(format!("{at}/api/v1/events")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut heard = String::new();
    while !heard.contains("\"database\":\"up\"") {
        heard += &String::from_utf8_lossy(&events.chunk().await.unwrap().unwrap());
    }
    assert!(heard.starts_with("retry: 3000\n\nid: ") && heard.contains("event: state\n"), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_else_wrote_oddly_takes_no_page_away() {
    let (stage, postgres) = (Stage::begin(), parsec_test_support::database().await);
    database(postgres.url()).await;
    let odd = "UPDATE nodes_ecs SET fleet = '<b>bold</b>', dependencies = '[]' WHERE fleet = 'optprov'; \
               UPDATE nodes_ecs SET region = 'eu\"><i>' WHERE region = 'eu-central-1'; \
               UPDATE rounds SET fleets = '<b>bold</b>' WHERE fleets = 'optprov'";
    postgres.client().await.batch_execute(odd).await.unwrap();
    let (_process, at) = page(&stage, postgres.url(), &[]).await;
    let period = "since=2026-09-21&until=2026-09-24";
    for (path, says) in [
        ("/".to_owned(), "&lt;b&gt;bold&lt;/b&gt;"),
        ("/".to_owned(), "12 rows are left out that this version cannot read"),
        (format!("/measurements?{period}"), "48 more have rows that this version cannot read"),
        (format!("/measurements?{period}&fleet=%3Cb%3Ebold%3C/b%3E"), "Publications of &lt;b&gt;bold&lt;/b&gt;"),
        (
            format!("/compare?{period}&a=default&b=%3Cb%3Ebold%3C/b%3E"),
            "&lt;b&gt;bold&lt;/b&gt; is faster than default",
        ),
        (format!("/peers?{period}"), "&lt;b&gt;bold&lt;/b&gt;"),
        (format!("/incidents?{period}"), "48 rounds have rows that this version cannot read"),
    ] {
        let (status, html) = get(format!("{at}{path}")).await;
        assert!(status == StatusCode::OK && html.contains(says), "no `{says}` at {path}: {status} {html}");
        assert!(!html.contains("<b>bold") && !html.contains("<i>"), "{path}: {html}");
    }
    let (_, text) = get(format!("{at}/api/v1/operations?{period}&fleet=%3Cb%3Ebold%3C/b%3E&limit=1")).await;
    let document: Value = serde_json::from_str(&text).unwrap();
    let operation = &document["operations"][0];
    assert_eq!(operation["fleet"], "<b>bold</b>", "for programs it is text as it stands");
    let (status, html) = get(format!("{at}/operations/{}", operation["id"].as_str().unwrap())).await;
    assert!(status == StatusCode::OK && html.contains("&lt;b&gt;bold&lt;/b&gt;"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_while_pages_are_open_is_said_and_comes_back() {
    let (stage, postgres) = (Stage::begin(), Postgres::start().await);
    database(&postgres.url()).await;
    let (_process, at) = page(&stage, &postgres.url(), &[]).await;
    let mut events = client().get(format!("{at}/api/v1/events")).send().await.unwrap();
    let mut heard = String::new();
    hears(&stage, &mut events, &mut heard, "\"database\":\"up\"").await;
    let (_, html) = get(format!("{at}/")).await;
    assert!(html.contains("optprov"), "{html}");
    postgres.stop(Shutdown::Fast).await;
    hears(&stage, &mut events, &mut heard, "\"database\":\"down\"").await;
    stage
        .eventually("the page shows what was read before, and why it is not newer", async || {
            let (status, html) = get(format!("{at}/")).await;
            let says = html.contains("The database is away") && html.contains("optprov");
            (status == StatusCode::OK && says).then_some(())
        })
        .await;
    let (status, text) = get(format!("{at}/api/v1/measurements")).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && text.contains("database is away"), "{text}");
    postgres.start_again().await;
    heard.clear();
    hears(&stage, &mut events, &mut heard, "\"database\":\"up\"").await;
    stage
        .eventually("the page is whole again", async || {
            let (status, html) = get(format!("{at}/measurements?since=2026-09-21&until=2026-09-24")).await;
            (status == StatusCode::OK && html.contains("Publications of optprov")).then_some(())
        })
        .await;
}

/// Reads the stream until this was said.
async fn hears(stage: &Stage, events: &mut reqwest::Response, heard: &mut String, what: &str) {
    let hearing = async {
        while !heard.contains(what) {
            *heard += &String::from_utf8_lossy(&events.chunk().await.unwrap().unwrap());
        }
    };
    stage.in_time(what, hearing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_serves_a_page_if_it_is_asked_to_and_lets_in_whoever_has_the_token() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    let process = scheduler(&stage, &["--database-url", &file.url(), "--page-port", "0", "--page-token", TOKEN]);
    let at = format!("http://{}", process.log("serving the page").await["address"].as_str().unwrap());
    assert_eq!(get(format!("{at}/")).await.0, StatusCode::UNAUTHORIZED);
    let seen = async || {
        let answer = client().get(format!("{at}/")).bearer_auth(TOKEN).send().await.ok()?;
        let html = answer.text().await.ok()?;
        let says = [
            "served by a scheduler",
            "The database takes what is written",
            "for the database,",
            ">recorder<",
            "optprov",
        ];
        says.iter().all(|says| html.contains(says)).then_some(())
    };
    stage.eventually("the page says how the scheduler is", seen).await;
    let mut events = client().get(format!("{at}/api/v1/events")).bearer_auth(TOKEN).send().await.unwrap();
    let mut heard = String::new();
    hears(&stage, &mut events, &mut heard, "\"database\":\"up\"").await;
    let ended = process.terminate().await;
    assert_eq!(ended.code(), 0, "a page that is open holds nothing up: {}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_port_a_scheduler_has_no_page() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    let process = scheduler(&stage, &["--database-url", &file.url()]);
    process.log("serving /metrics").await;
    let ended = process.terminate().await;
    assert!(!ended.err.contains("serving the page"), "{}", ended.err);
}
