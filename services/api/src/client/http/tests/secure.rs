//! Servers that are entered with a token or over TLS.

use super::*;
use crate::client::Access;
use crate::token::ApiToken;

const TOKEN: &str = "geheim-geheim-geheim-geheim";

fn with_token() -> HttpClient {
    let access = Access { token: Some(ApiToken::new(TOKEN).unwrap()), ..Access::default() };
    HttpClient::with_access(Timeouts::default(), access).unwrap()
}

#[tokio::test]
async fn the_token_goes_out_with_operations_and_not_with_the_question_of_readiness() {
    let header = format!("authorization: Bearer {TOKEN}\r\n");
    let content = Content::from(b"hello".to_vec());
    let (server, served) = saying(response("500 No", "")).await;
    with_token().provide(&server, caller("default"), &content).await.unwrap_err();
    assert!(served.await.unwrap().contains(&header));
    let (server, served) = saying(response("500 No", "")).await;
    with_token().retrieve(&server, caller("default"), CID).await.unwrap_err();
    assert!(served.await.unwrap().contains(&header));
    let (server, served) = saying(response("500 No", "")).await;
    with_token().exchange(&server, raw(RawMethod::Post, Some("{")), 3, SHORT).await.unwrap();
    assert!(served.await.unwrap().contains(&header));

    let (server, served) = saying(response("200 OK", "ready")).await;
    with_token().readiness(&server).await.unwrap();
    assert!(!served.await.unwrap().contains("authorization"));
    let (server, served) = saying(response("500 No", "")).await;
    client().retrieve(&server, caller("default"), CID).await.unwrap_err();
    assert!(!served.await.unwrap().contains("authorization"), "without a token there is no such header");
}

#[tokio::test]
async fn a_refused_token_is_an_error_of_the_server_that_does_not_repeat_it() {
    let (server, _served) = saying(response("401 Unauthorized", "this server wants its token")).await;
    let error = with_token().retrieve(&server, caller("default"), CID).await.unwrap_err();
    assert_eq!(error, CallError::Status { code: 401, text: "this server wants its token".to_owned() });
    assert_eq!(error.class(), OutcomeClass::ServerError);
    let shown = format!("{error:?} {error} {:?}", with_token());
    assert!(!shown.contains("geheim"), "{shown}");
}

#[test]
fn over_tls_a_server_is_called_at_its_address_or_by_its_name() {
    let server = Endpoint::new("192.0.2.1".parse().unwrap(), 7070);
    let tls = parsec_test_support::tls::Authority::new().believer();
    let by_address = Access { tls: Some(tls), ..Access::default() };
    assert_eq!(by_address.origin(&server), "https://192.0.2.1:7070");
    let by_name = Access { name: Some(("server-1".to_owned(), server.socket().ip())), ..by_address };
    assert_eq!(by_name.origin(&server), "https://server-1:7070");
    assert_eq!(Access { tls: None, ..by_name }.origin(&server), "http://192.0.2.1:7070");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_where_it_should_cannot_be_reached() {
    let (listener, server) = listener().await;
    let _plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let tls = Some(parsec_test_support::tls::Authority::new().believer());
    let client = HttpClient::with_access(Timeouts::default(), Access { tls, ..Access::default() }).unwrap();
    let error = client.readiness(&server).await.unwrap_err();
    assert_eq!(error.class(), OutcomeClass::ServerUnreachable, "{error:?}");
}
