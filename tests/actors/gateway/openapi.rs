//! Every answer that the file of the API declares is given by the gateway, and none that it does not declare.

use std::collections::BTreeSet;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Bytes;
use futures::StreamExt;
use parsec_api::token::ApiToken;
use parsec_test_support::openapi::{Answered, Declared, OpenApi};

use super::many::many;
use super::token::{TOKEN, asking_for};
use super::*;

/// What the gateway has answered so far; each answer was one of the file.
struct Witnessed {
    file: OpenApi,
    given: BTreeSet<Declared>,
}

impl Witnessed {
    /// Sends a request, and checks what comes back.
    async fn send(&mut self, routes: &Routes, path: &str, method: &str, request: TestRequest) -> u16 {
        self.send_with(routes, path, method, request, false).await
    }

    /// The same, and in place of the body there may be silence.
    async fn send_with(
        &mut self,
        routes: &Routes,
        path: &str,
        method: &str,
        request: TestRequest,
        silent: bool,
    ) -> u16 {
        let mut request = request.to_request();
        if silent {
            let payload = futures::stream::pending::<Result<Bytes, PayloadError>>().boxed_local();
            (request, _) = request.replace_payload(Payload::Stream { payload });
        }
        let app = init_service(App::new().configure(|config| routes.configure(config))).await;
        let answer = call_service(&app, request).await;
        let status = answer.status().as_u16();
        let header =
            |(name, value): (&HeaderName, &HeaderValue)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned());
        let headers: Vec<_> = answer.headers().iter().map(header).collect();
        let mut body = read_body(answer).await;
        if method == "HEAD" {
            // What the HTTP library leaves out on its way to the socket.
            body = Bytes::new();
        }
        let declared = Declared::new(path, method, status);
        let checked = self.file.check(&declared, &Answered { headers: &headers, body: &body });
        assert_eq!(checked, Ok(()));
        self.given.insert(declared);
        status
    }

    async fn provide(&mut self, routes: &Routes, body: impl Into<Bytes>) -> u16 {
        let request = TestRequest::post().uri("/provide").set_payload(body);
        self.send(routes, "/provide", "POST", request).await
    }

    async fn retrieve(&mut self, routes: &Routes, cid: &str) -> u16 {
        let request = TestRequest::post().uri(&format!("/retrieve/{cid}")).set_payload("{}");
        self.send(routes, "/retrieve/{cid}", "POST", request).await
    }

    async fn both(&mut self, routes: &Routes, status: u16) {
        assert_eq!(self.provide(routes, HELLO).await, status);
        assert_eq!(self.provide(routes, many(&[1, 2], ",\"Strategy\":\"sweep\"")).await, status);
        assert_eq!(self.retrieve(routes, &cid(1).to_string()).await, status);
    }

    async fn readiness(&mut self, routes: &Routes, status: u16) {
        for method in [Method::GET, Method::HEAD] {
            let request = TestRequest::with_uri("/readiness").method(method.clone());
            assert_eq!(self.send(routes, "/readiness", method.as_str(), request).await, status);
        }
    }
}

const HELLO: &str = r#"{"Content": "aGVsbG8="}"#;

/// Bodies that the client does not get right.
async fn bad_bodies(witnessed: &mut Witnessed, routes: &Routes) {
    for (path, uri) in [("/provide", "/provide"), ("/retrieve/{cid}", "/retrieve/Qm")] {
        let long = TestRequest::post().uri(uri).set_payload(vec![b' '; MAX_BODY_BYTES + 1]);
        assert_eq!(witnessed.send(routes, path, "POST", long).await, 413);
        let announced = TestRequest::post().uri(uri).insert_header(("content-length", "9999999999999"));
        assert_eq!(witnessed.send(routes, path, "POST", announced).await, 413);
    }
    let coded = TestRequest::post().uri("/provide").insert_header(("content-encoding", "gzip")).set_payload(HELLO);
    assert_eq!(witnessed.send(routes, "/provide", "POST", coded).await, 415);
    assert_eq!(witnessed.provide(routes, "{").await, 400);
    assert_eq!(witnessed.retrieve(routes, "Qmnonsense").await, 400);
}

/// Bodies that never come.
async fn absent_bodies(witnessed: &mut Witnessed, routes: &Routes) {
    for (path, uri) in [("/provide", "/provide"), ("/retrieve/{cid}", "/retrieve/Qm")] {
        let request = TestRequest::post().uri(uri);
        assert_eq!(witnessed.send_with(routes, path, "POST", request, true).await, 408);
    }
}

/// One operation more than are taken on at once.
async fn too_many(witnessed: &mut Witnessed, host: &Supervised) {
    host.engine.is(How::Hangs);
    let (dht, begun) = (host.dht.clone(), host.engine.read(|engine| engine.begun));
    let many =
        async move { futures::future::join_all((0..64).map(|number| dht.provide.ask(publication(number)))).await };
    let many = actix::spawn(many);
    host.engine.until("all of them have begun", |engine| engine.begun == begun + 64).await;
    witnessed.both(&host.routes, 429).await;
    host.engine.is(How::Works);
    assert!(many.await.unwrap().into_iter().all(|answer| answer.unwrap().is_ok()));
}

#[actix::test]
async fn every_answer_that_the_file_declares_is_given_and_no_other_one() {
    let mut witnessed = Witnessed { file: OpenApi::new(), given: BTreeSet::new() };
    tokio::time::pause();
    let host = supervised();
    for class in OutcomeClass::ALL.into_iter().filter(|class| class.is_answered()) {
        host.engine.is(How::Measures(class));
        witnessed.both(&host.routes, 200).await;
    }
    host.engine.is(How::Works);
    witnessed.readiness(&host.routes, 200).await;
    bad_bodies(&mut witnessed, &host.routes).await;
    absent_bodies(&mut witnessed, &host.routes).await;
    for (name, request, status) in [
        ("unknown-path", TestRequest::get().uri("/publish"), 404),
        ("wrong-method", TestRequest::get().uri("/provide"), 405),
        ("wrong-method", TestRequest::delete().uri("/retrieve/Qm"), 405),
        ("wrong-method", TestRequest::post().uri("/readiness"), 405),
    ] {
        assert_eq!(witnessed.send(&host.routes, name, "", request).await, status);
    }
    let token = ApiToken::new(TOKEN).unwrap();
    witnessed.both(&asking_for(&token, host.dht.clone()), 401).await;
    too_many(&mut witnessed, &host).await;
    host.engine.is(How::NotReady);
    witnessed.readiness(&host.routes, 503).await;
    host.engine.is(How::Unreachable);
    witnessed.both(&host.routes, 500).await;
    witnessed.readiness(&host.routes, 503).await;
    host.engine.is(How::Panics);
    witnessed.both(&host.routes, 500).await;
    host.engine.dies("as ordered");
    host.parent.until_heard(1).await;
    witnessed.both(&host.routes, 503).await;
    witnessed.readiness(&host.routes, 503).await;

    let declared = witnessed.file.declared();
    let missing: Vec<_> = declared.difference(&witnessed.given).map(ToString::to_string).collect();
    assert_eq!(missing, Vec::<String>::new(), "declared, and never given");
}
