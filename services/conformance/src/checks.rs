//! The checks: what is asked, and what the contract expects for an answer.

use parsec_api::client::{RawMethod, RawRequest};
use parsec_api::wire::{ProvideRequest, SCHEDULER_ID_HEADER};
use parsec_measure::{Cid, Content, OperationKind};
use rand::Rng;
use serde_json::json;

/// What schedulers of two fleets in one loop call themselves: the longest kind of name in the field.
const SCHEDULER_ID: &str = "default,fullrt";

/// A target that no server has, and that cannot be mistaken for one.
const UNKNOWN_TARGET: &str = "MOON";

/// What has to be true for a check to mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// A server that answers.
    Answers,
    /// A server that can measure.
    Ready,
    /// The content of the check [`PUBLISHES`].
    Published,
}

/// One question to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// What is checked.
    pub(crate) name: &'static str,
    /// When it is.
    pub(crate) needs: Needs,
    /// What is asked.
    pub(crate) request: RawRequest,
    /// What is to come.
    pub(crate) expected: Expected,
}

/// What the contract expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A measurement.
    Operation(Operation),
    /// A refusal.
    Refusal(Refusal),
}

/// A publication or a lookup that has to be measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Which of the two.
    pub(crate) kind: OperationKind,
    /// Of what. A publication is answered with it, a lookup asks for it.
    pub(crate) cid: Cid,
    /// What becomes of it.
    pub(crate) end: End,
    /// Who in the field refuses such a request with 400, if anybody does.
    pub(crate) refused_by: Option<&'static str>,
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The content is published.
    Published,
    /// The server finds what it has published itself: it may know that without asking anybody.
    FoundOwn,
    /// There is nothing to be found.
    NotFound,
}

/// A request that cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Half of a JSON object.
    BadJson,
    /// A target that no server has.
    UnknownTarget,
    /// Text that is no CID.
    BadCid,
    /// A path that the contract does not have.
    UnknownPath,
    /// A method that its path does not have.
    WrongMethod,
}

/// The first check, that of the server's readiness. It decides about the others, and is not in their list.
pub(crate) const READINESS: &str = "readiness";

/// The check whose content the lookups ask for.
pub(crate) const PUBLISHES: &str = "provide, Content as base64";

/// Asks whether the server can measure.
pub(crate) fn ask_readiness() -> RawRequest {
    request(RawMethod::Get, "/readiness", None)
}

/// Every check but the first, in their order, with content that nobody has ever published.
pub(crate) fn checks(rng: &mut impl Rng) -> Vec<Check> {
    let published = Content::random(rng);
    let mut checks = vec![refusal("provide, bad JSON", post("/provide", r#"{"Content": "#), Refusal::BadJson)];
    checks.extend([
        refusal("retrieve, bad CID", post("/retrieve/nonsense", "{}"), Refusal::BadCid),
        refusal("unknown path", request(RawMethod::Get, "/conformance/nowhere", None), Refusal::UnknownPath),
        refusal("wrong method", request(RawMethod::Get, "/provide", None), Refusal::WrongMethod),
    ]);
    checks.extend(publications(&published, rng));
    checks.extend(lookups(&published.cid(), &Content::random(rng).cid()));
    checks
}

fn publications(published: &Content, rng: &mut impl Rng) -> Vec<Check> {
    let (integers, to_dht, to_moon) = (Content::random(rng), Content::random(rng), Content::random(rng));
    let provide = |name, content: &Content, request, refused_by| {
        let operation = Operation { kind: OperationKind::Provide, cid: content.cid(), end: End::Published, refused_by };
        operation_check(name, Needs::Ready, request, operation)
    };
    let base64 = |content: &Content| String::from_utf8_lossy(&ProvideRequest::encode(content)).into_owned();
    let with_target = |content: &Content, target: &str| {
        let rest = base64(content).split_off(1);
        post("/provide", &format!(r#"{{"Target":"{target}",{rest}"#))
    };
    let numbers = post("/provide", &json!({ "Content": integers.bytes() }).to_string());
    let base64_alone = Some("JavaScript servers, which take base64 alone");
    let unknown = refusal("provide, unknown Target", with_target(&to_moon, UNKNOWN_TARGET), Refusal::UnknownTarget);
    vec![
        provide(PUBLISHES, published, post("/provide", &base64(published)), None),
        provide("provide, Content as integers", &integers, numbers, base64_alone),
        provide("provide, Target DHT", &to_dht, with_target(&to_dht, "DHT"), None),
        Check { needs: Needs::Ready, ..unknown },
    ]
}

fn lookups(published: &Cid, nobody: &Cid) -> Vec<Check> {
    let retrieve = |name, needs, cid: &Cid, end, refused_by| {
        let operation = Operation { kind: OperationKind::Retrieve, cid: cid.clone(), end, refused_by };
        operation_check(name, needs, post(&format!("/retrieve/{cid}"), "{}"), operation)
    };
    let own = |name, cid: &Cid| retrieve(name, Needs::Published, cid, End::FoundOwn, None);
    let mut checks = vec![own("retrieve, CIDv0", published), own("retrieve, CIDv1", &published.raw_v1())];

    let mut named = own("retrieve, with x-scheduler-id", published);
    named.request.headers.push((SCHEDULER_ID_HEADER, SCHEDULER_ID.to_owned()));
    let by = "Go and JavaScript servers; schedulers send `{}`";
    let mut bodiless = retrieve("retrieve, no body", Needs::Published, published, End::FoundOwn, Some(by));
    bodiless.request = request(RawMethod::Post, &bodiless.request.path, None);
    checks.extend([named, bodiless]);

    checks.push(retrieve("retrieve, unpublished content", Needs::Ready, nobody, End::NotFound, None));
    checks
}

fn refusal(name: &'static str, request: RawRequest, refusal: Refusal) -> Check {
    Check { name, needs: Needs::Answers, request, expected: Expected::Refusal(refusal) }
}

fn operation_check(name: &'static str, needs: Needs, request: RawRequest, operation: Operation) -> Check {
    Check { name, needs, request, expected: Expected::Operation(operation) }
}

/// As schedulers post: with the type of the body.
fn post(path: &str, body: &str) -> RawRequest {
    request(RawMethod::Post, path, Some(body))
}

fn request(method: RawMethod, path: &str, body: Option<&str>) -> RawRequest {
    let headers = body.map(|_| ("content-type", "application/json".to_owned())).into_iter().collect();
    RawRequest { method, path: path.to_owned(), headers, body: body.map(Into::into) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use parsec_api::wire::ProvideRequest;

    use super::*;

    fn named(name: &str) -> Check {
        checks(&mut rand::rng()).into_iter().find(|check| check.name == name).unwrap()
    }

    fn operation(check: &Check) -> &Operation {
        let Expected::Operation(operation) = &check.expected else { panic!("{check:?}") };
        operation
    }

    #[test]
    fn each_publication_is_of_the_content_in_its_body_and_no_two_of_the_same() {
        let checks = checks(&mut rand::rng());
        let mut cids = BTreeSet::new();
        for check in checks.iter().filter(|check| check.name.starts_with("provide, ") && check.needs == Needs::Ready) {
            let body = String::from_utf8(check.request.body.clone().unwrap()).unwrap();
            let known = body.replace(UNKNOWN_TARGET, "DHT");
            let (content, _) = ProvideRequest::decode(known.as_bytes()).unwrap();
            assert_eq!(content.bytes().len(), parsec_measure::CONTENT_BYTES);
            assert!(cids.insert(content.cid().to_string()), "{}", check.name);
            if let Expected::Operation(operation) = &check.expected {
                assert_eq!(operation.cid, content.cid(), "{}", check.name);
            }
        }
        assert_eq!(cids.len(), 4);
    }

    #[test]
    fn lookups_ask_for_what_was_published_in_both_versions_and_once_for_what_was_not() {
        let checks = checks(&mut rand::rng());
        let provided = checks.iter().find(|check| check.name == PUBLISHES).map(|check| operation(check).cid.clone());
        let provided = provided.unwrap();
        let own: Vec<_> = checks.iter().filter(|check| check.needs == Needs::Published).map(operation).collect();
        assert_eq!(own.len(), 4);
        assert!(own.iter().all(|operation| operation.cid.multihash() == provided.multihash()));
        assert_eq!(own.iter().filter(|operation| operation.cid == provided.raw_v1()).count(), 1);
        let nobody = checks.iter().find(|check| check.name == "retrieve, unpublished content").unwrap();
        assert_ne!(operation(nobody).cid, provided);
        assert_eq!(nobody.request.path, format!("/retrieve/{}", operation(nobody).cid));
    }

    #[test]
    fn the_absent_body_has_no_type_and_the_named_scheduler_a_name() {
        let bodiless = named("retrieve, no body").request;
        assert_eq!((bodiless.body, bodiless.headers), (None, vec![]));
        let headers = named("retrieve, with x-scheduler-id").request.headers;
        assert!(headers.contains(&("x-scheduler-id", SCHEDULER_ID.to_owned())));
        let unnamed = |check: &Check| check.request.headers.iter().all(|(name, _)| *name != "x-scheduler-id");
        assert!(unnamed(&named("retrieve, CIDv0")));
    }
}
