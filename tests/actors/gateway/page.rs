//! The file that describes what programs can ask of a page, and the page's answers.

use parsec_actors::serving::gateway::{Access, Viewing};
use parsec_actors::telemetry::Telemetry;
use parsec_actors::viewing::archive::Archive;
use parsec_api::token::{ApiToken, CurrentToken};
use parsec_test_support::openapi::{Answered, Declared, OpenApi};

use super::token::TOKEN;
use super::*;
use crate::fakes::{FakeGlance, Mood};

/// A page of a database in memory, and the actors behind it.
fn page(access: Access) -> (Routes, Arc<FakeGlance>, Addr<Archive>) {
    let store = FakeGlance::new();
    let status = Ask::new("telemetry", Telemetry::new(metrics()).start(), secs(5));
    let archive = Archive::new(store.clone()).in_process(status).start();
    let (look, listen) = (Ask::new("archive", archive.clone(), secs(5)), Ask::new("archive", archive.clone(), secs(5)));
    (Routes::viewing(Viewing { look, listen, access, version: "0.0.0".to_owned() }), store, archive)
}

/// Asks, and checks that the answer is one of the file.
async fn ask(file: &OpenApi, routes: &Routes, path: &str, uri: &str, token: &str) -> u16 {
    let app = init_service(App::new().configure(|config| routes.configure(config))).await;
    let request = TestRequest::get().uri(uri).insert_header(("host", "localhost"));
    let request = request.insert_header(("authorization", format!("Bearer {token}")));
    let answer = call_service(&app, request.to_request()).await;
    let status = answer.status().as_u16();
    let headers: Vec<_> = answer
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
        .collect();
    // A stream of news has no end.
    let is_stream = headers.iter().any(|(name, value)| name == "content-type" && value == "text/event-stream");
    let body = if is_stream { Default::default() } else { read_body(answer).await };
    let checked = file.check(&Declared::new(path, "GET", status), &Answered { headers: &headers, body: &body });
    assert_eq!(checked, Ok(()), "{uri}");
    status
}

#[actix::test]
async fn every_route_for_programs_is_in_the_file_and_no_other_one() {
    let (served, file) = Viewing::for_programs();
    let file = OpenApi::of(file);
    let mut described: Vec<_> = file.operations().into_iter().map(|(path, method, _)| (path, method)).collect();
    let mut served: Vec<_> = served.into_iter().map(|path| (path, "GET".to_owned())).collect();
    described.sort();
    served.sort();
    assert_eq!(described, served);
}

#[actix::test]
async fn every_answer_of_the_page_is_one_that_its_file_describes() {
    let (served, file) = Viewing::for_programs();
    let file = OpenApi::of(file);
    let token = CurrentToken::new(ApiToken::new(TOKEN).ok());
    let (routes, store, _archive) = page(Access { token, is_local: true });
    store.records(1);
    for path in &served {
        let uri = path.replace("{id}", "00000000-0000-0000-0000-000000000001");
        assert_eq!(ask(&file, &routes, path, &uri, "x").await, 401, "{uri}");
        let status = ask(&file, &routes, path, &uri, TOKEN).await;
        assert_eq!(status, if path.contains("{id}") { 404 } else { 200 }, "{uri}");
        if !path.contains("{id}") && !path.ends_with(".json") {
            assert_eq!(ask(&file, &routes, path, &format!("{uri}?colour=red"), TOKEN).await, 400, "{uri}");
        }
    }
    let (routes, ..) = page(Access { is_local: true, ..Access::default() });
    let app = init_service(App::new().configure(|config| routes.configure(config))).await;
    let request = TestRequest::get().uri("/api/v1/overview").insert_header(("host", "evil.example"));
    assert_eq!(call_service(&app, request.to_request()).await.status(), StatusCode::FORBIDDEN);
}

#[actix::test]
async fn what_is_not_there_yet_is_described_too() {
    let (served, file) = Viewing::for_programs();
    let file = OpenApi::of(file);
    for mood in [Mood::Away, Mood::Panics] {
        let (routes, store, _archive) = page(Access::default());
        store.is(mood);
        for path in served.iter().filter(|path| !path.ends_with(".json") && !path.ends_with("events")) {
            let uri = path.replace("{id}", "00000000-0000-0000-0000-000000000001");
            assert_eq!(ask(&file, &routes, path, &uri, "").await, 503, "{uri}");
        }
    }
}
