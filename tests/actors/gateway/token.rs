//! Who is let in by a server that asks for a token.

use parsec_api::token::ApiToken;

use super::*;

pub(super) const TOKEN: &str = "geheim-geheim-geheim-geheim";

/// Routes in front of this node that ask for this token.
pub(super) fn asking_for(token: &ApiToken, dht: DhtHandle) -> Routes {
    Routes::measuring(Measuring {
        dht,
        metrics: metrics(),
        fleet: "default".to_owned(),
        peer_id: peer_id(1),
        token: CurrentToken::new(Some(token.clone())),
    })
}

fn operations() -> [TestRequest; 2] {
    [provide(r#"{"Content": "aGVsbG8="}"#), retrieve(&cid(1).to_string())]
}

#[actix::test]
async fn whoever_presents_the_token_is_let_in() {
    let (host, token) = (supervised(), ApiToken::new(TOKEN).unwrap());
    let routes = asking_for(&token, host.dht.clone());
    for request in operations() {
        send(&routes, request.insert_header(("authorization", token.authorization()))).await.json();
    }
    for request in operations() {
        send(&host.routes, request.insert_header(("authorization", "Bearer whatever"))).await.json();
    }
}

#[actix::test]
async fn nobody_else_gets_an_operation_and_all_are_told_what_is_missing() {
    let (host, token) = (supervised(), ApiToken::new(TOKEN).unwrap());
    let routes = asking_for(&token, host.dht.clone());
    for presented in [
        None,
        Some(TOKEN.to_owned()),
        Some(format!("Basic {TOKEN}")),
        Some(format!("Bearer {TOKEN}x")),
        Some("Bearer".to_owned()),
    ] {
        for request in operations() {
            let request = match &presented {
                Some(value) => request.insert_header(("authorization", value.clone())),
                None => request,
            };
            let reply = send(&routes, request).await;
            reply.is_refusal(StatusCode::UNAUTHORIZED, "Authorization: Bearer");
            assert!(!reply.body.contains(TOKEN), "{reply:?}");
        }
    }
    assert_eq!(host.engine.read(|engine| engine.begun), 0);
}

#[actix::test]
async fn once_the_token_is_another_one_the_old_one_lets_nobody_in() {
    let (host, old) = (supervised(), ApiToken::new(TOKEN).unwrap());
    let new = ApiToken::new(&TOKEN.to_uppercase()).unwrap();
    let token = CurrentToken::new(Some(old.clone()));
    let (dht, fleet) = (host.dht.clone(), "default".to_owned());
    let routes =
        Routes::measuring(Measuring { dht, metrics: metrics(), fleet, peer_id: peer_id(1), token: token.clone() });
    let ask = async |token: &ApiToken| {
        send(&routes, retrieve(&cid(1).to_string()).insert_header(("authorization", token.authorization())))
            .await
            .status
    };
    assert_eq!((ask(&old).await, ask(&new).await), (StatusCode::OK, StatusCode::UNAUTHORIZED));
    token.replace(new.clone());
    assert_eq!((ask(&old).await, ask(&new).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
}

#[actix::test]
async fn readiness_is_told_to_those_who_can_send_no_token() {
    let (host, token) = (supervised(), ApiToken::new(TOKEN).unwrap());
    let reply = send(&asking_for(&token, host.dht.clone()), TestRequest::with_uri("/readiness")).await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "ready"));
}

#[test]
fn a_server_does_not_show_the_token_that_it_asks_for() {
    let (dht, token) = (supervised_handle(), CurrentToken::new(ApiToken::new(TOKEN).ok()));
    let measuring = Measuring { dht, metrics: metrics(), fleet: "default".to_owned(), peer_id: peer_id(1), token };
    assert!(!format!("{measuring:?}").contains("geheim"), "{measuring:?}");
}

fn supervised_handle() -> DhtHandle {
    actix::System::new().block_on(async { supervised().dht.clone() })
}
