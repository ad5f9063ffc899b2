//! Readiness, and whose it is.

use parsec_api::wire::PEER_ID_HEADER;

use super::*;

#[actix::test]
async fn every_answer_says_whose_node_it_is_of() {
    let (routes, dht, _) = mocked();
    dht.send(BeReady(false)).await.unwrap();
    for request in [
        TestRequest::get().uri("/readiness"),
        TestRequest::post().uri("/provide").set_payload(r#"{"Content": "aGVsbG8="}"#),
        TestRequest::post().uri("/provide").set_payload("{"),
        TestRequest::post().uri(&format!("/retrieve/{}", cid(1))),
        TestRequest::post().uri("/retrieve/nonsense"),
    ] {
        let app = init_service(App::new().configure(|config| routes.configure(config))).await;
        let response = call_service(&app, request.to_request()).await;
        let peer = response.headers().get(PEER_ID_HEADER).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(peer, Some(peer_id(1)), "{response:?}");
    }
}

#[actix::test]
async fn readiness_that_is_asked_for_by_head_is_counted_as_that() {
    let (routes, _, metrics) = mocked();
    send(&routes, TestRequest::with_uri("/readiness").method(Method::HEAD)).await;
    let series = "parsec_http_requests_total{method=\"HEAD\",path=\"readiness\",scheduler=\"\"}";
    assert!((counted(&metrics, series) - 1.0).abs() < f64::EPSILON);
}
