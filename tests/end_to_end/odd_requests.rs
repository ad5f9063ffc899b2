//! What a server says to requests that no scheduler sends: what is wrong, in words, and never that it is the server's fault.
//! Raw bytes, because no decent client would send most of this.

use parsec_api::wire::MAX_BODY_BYTES;

use crate::deployment::{Server, server};
use crate::http::{Raw, get, raw};
use crate::stage::Stage;

const HELLO: &str = r#"{"Content":"aGVsbG8="}"#;
const CID: &str = "QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5";

/// A request, and what the answer is: a status, and a part of its body (or of its head, if it begins with `allow:`).
struct Case {
    request: Vec<u8>,
    status: u16,
    says: String,
}

fn case(first: &str, headers: &[&str], body: impl Into<Vec<u8>>, status: u16, says: impl Into<String>) -> Case {
    let body = body.into();
    let mut lines =
        vec![format!("{first} HTTP/1.1"), "Host: parsec".to_owned(), format!("Content-Length: {}", body.len())];
    lines.extend(headers.iter().map(|header| (*header).to_owned()));
    let request = [format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes(), body].concat();
    Case { request, status, says: says.into() }
}

/// The same, with nothing added.
fn bytes(request: impl Into<Vec<u8>>, status: u16, says: &str) -> Case {
    Case { request: request.into(), status, says: says.to_owned() }
}

async fn each_is_answered(cases: Vec<Case>) {
    let stage = Stage::begin();
    let server = Server::started(server(&stage, &["--dry-run"])).await;
    for Case { request, status, says } in cases {
        let start = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
        let Raw { status: given, head, body } = raw(&stage, server.api, &request).await;
        assert_eq!(given, status, "{start}\n{head}{body}");
        let whole = format!("{head}{body}");
        assert!(whole.contains(&says), "{start}\ndoes not get `{says}` but\n{whole}");
        assert!(body.len() < 1_000, "{start}\ngets an answer of {} bytes", body.len());
    }
    let reply = get(&stage, server.api, "/readiness").await;
    assert_eq!((reply.status, reply.text.as_str()), (503, "the routing table is empty"), "it goes on as before");
}

#[tokio::test]
async fn a_body_that_is_no_provide_request_gets_what_is_wrong_with_it() {
    let provide = |body: &[u8], says: &str| case("POST /provide", &[], body, 400, says);
    let deep = format!(r#"{{"Content":"","Extra":{}"#, "[".repeat(MAX_BODY_BYTES / 2));
    each_is_answered(vec![
        bytes("POST /provide HTTP/1.1\r\nHost: parsec\r\n\r\n", 400, "it is empty; expected {\"Content\": base64 text"),
        provide(b"", "it is empty"),
        provide(b"Content=aGVsbG8%3D", "it is not a JSON object"),
        provide(b"[104,101]", "it is not a JSON object"),
        provide(deep.as_bytes(), "EOF while parsing"),
        provide(&deep.into_bytes()[..100_000], "EOF while parsing"),
        provide(br#"{"Content":"","Content":""}"#, "duplicate field `Content`"),
        provide(br#"{"content":"aGVsbG8="}"#, "missing field `Content`"),
        provide(br#"{"Content":[104,256]}"#, "integer `256`, expected an integer from 0 to 255"),
        provide(br#"{"Content":[-1]}"#, "integer `-1`, expected an integer from 0 to 255"),
        provide(br#"{"Content":[0.5]}"#, "floating point `0.5`, expected an integer from 0 to 255"),
        provide(br#"{"Content":"no base 64!"}"#, "`Content` is not base64"),
        provide(br#"{"Content":null}"#, "expected `Content` as base64 text or as an array of bytes from 0 to 255"),
        provide(br#"{"Content":"","Target":"FTP"}"#, "unknown `Target` `FTP`; expected `DHT` or `IPNI`"),
        provide(br#"{"Content":"","Target":7}"#, "invalid type: integer `7`, expected a string"),
        provide(b"{\"Content\":\"\xff\"}", "it is not UTF-8: invalid utf-8 sequence of 1 bytes from index 12"),
        provide(b"\xff\xfe{\0}\0", "it is not UTF-8"),
        provide(b"\xef\xbb\xbf{\"Content\":\"\"}", "it is not a JSON object"),
        provide(b"{\"Content\":\"\"}\0", "trailing characters"),
    ])
    .await;
}

#[tokio::test]
async fn the_way_a_body_comes_in_matters_only_where_it_cannot_be_read() {
    let length = MAX_BODY_BYTES + 1;
    let too_long = format!("longer than {MAX_BODY_BYTES} bytes");
    let chunked =
        |chunks: &str| format!("POST /provide HTTP/1.1\r\nHost: parsec\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    let in_two = format!("9\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", &HELLO[..9], HELLO.len() - 9, &HELLO[9..]);
    let endless = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000)).repeat(20);
    let mut cases: Vec<_> =
        ["application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/csv", "§", ""]
            .map(|kind| {
                case("POST /provide", &[&format!("Content-Type: {kind}")], HELLO, 200, "\"RoutingTableSize\":0")
            })
            .into();
    cases.extend([
        case(
            "POST /provide",
            &["Content-Encoding: gzip"],
            b"\x1f\x8b",
            415,
            "content-encoding `gzip` is not read here",
        ),
        case("POST /provide", &["Content-Encoding: identity"], HELLO, 200, "\"RoutingTableSize\":0"),
        bytes(chunked(&in_two), 200, "\"RoutingTableSize\":0"),
        bytes(chunked("nonsense\r\n"), 400, "request body cannot be read"),
        bytes(chunked(&endless), 413, &too_long),
        case("POST /provide", &[], vec![b' '; length], 413, too_long.clone()),
        bytes(
            format!("POST /retrieve/{CID} HTTP/1.1\r\nHost: parsec\r\nContent-Length: {length}\r\n\r\n"),
            413,
            &too_long,
        ),
        case(
            "POST /retrieve/QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4",
            &[],
            b"{\xff",
            200,
            "\"Error\":\"failed to find any peer in table\"",
        ),
        // What is not HTTP is refused by the HTTP library, which has no words for it.
        bytes(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 400, "content-length: 0"),
        bytes(format!("POST /provide HTTP/1.1\r\nHost: parsec\r\nContent-Length: x\r\n\r\n{HELLO}"), 400, ""),
        bytes(format!("GET /readiness HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 18)), 431, ""),
        bytes(format!("GET /readiness HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(97)), 431, ""),
    ]);
    each_is_answered(cases).await;
}

#[tokio::test]
async fn a_path_or_a_method_that_is_not_served_is_told_which_are() {
    let served = "this server has POST /provide, POST /retrieve/{cid} and GET /readiness";
    let mut cases: Vec<_> =
        ["/", "/Provide", "/provide/", "/provide/x", "//provide", "/retrieve", "/retrieve/", "/x?y"]
            .map(|path| case(&format!("POST {path}"), &[], HELLO, 404, served))
            .into();
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW", "post"] {
        let sentence = format!("method `{method}` is not served at `/provide`; this path takes POST");
        cases.push(case(&format!("{method} /provide"), &[], HELLO, 405, sentence));
        cases.push(case(&format!("{method} /retrieve/{CID}"), &[], "", 405, "allow: post\r\n"));
    }
    cases.extend([
        case(
            &format!("POST /{}", "x".repeat(5_000)),
            &[],
            "",
            404,
            format!("nothing is served at `/{}…`", "x".repeat(127)),
        ),
        case("POST /readiness", &[], "", 405, "this path takes GET, HEAD"),
        case("POST /readiness", &[], "", 405, "allow: get, head\r\n"),
        case("HEAD /provide", &[], "", 405, "allow: post\r\n"),
        case("HEAD /readiness", &[], "", 503, ""),
        case("HEAD /nowhere", &[], "", 404, ""),
        case("GET /readiness", &[], "a body that nobody asked for", 503, "the routing table is empty"),
    ]);
    each_is_answered(cases).await;
}

#[tokio::test]
async fn what_is_no_cid_is_named_and_what_is_one_is_found_however_it_is_written() {
    let no_cid = |text: &str, says: &str| case(&format!("POST /retrieve/{text}"), &[], "{}", 400, says);
    let is_cid = |text: &str, cid: &str| {
        case(&format!("POST /retrieve/{text}"), &[], "{}", 200, format!(r#"{{"CID":"{cid}","RoutingTableSize":0"#))
    };
    let encoded: String = CID.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let v1 = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
    // `/` and `+` are in its alphabet.
    let base64 = "mAVUSICwmtGto/8aP+ZtFPB0wQTQTQi1wZIO/oPmKXohiZueu";
    // Content of 78 and of 79 bytes that is its own hash, in base 16.
    let [identity, too_long] = [78, 79].map(|bytes| format!("f015500{bytes:02x}{}", "ab".repeat(bytes)));
    each_is_answered(vec![
        is_cid(CID, CID),
        is_cid(v1, v1),
        is_cid(&encoded, CID),
        is_cid(base64, base64),
        is_cid(&base64.replace('/', "%2F").replace('+', "%2B"), base64),
        is_cid(&format!("{base64}?x=y"), base64),
        is_cid(&identity, &identity),
        no_cid(&too_long, "is not a CID: its multihash has 81 bytes, and no DHT keeps records of one over 80"),
        no_cid(&format!("{identity}00"), "is not a CID: a byte follows its multihash"),
        no_cid("a/b", "`a/b` is not a CID: it is a path"),
        no_cid(&format!("{base64}/x"), "is not a CID"),
        is_cid(&format!("{CID}?x=y"), CID),
        no_cid("Qmnonsense", "`Qmnonsense` is not a CID"),
        no_cid(&CID[..45], "is not a CID"),
        no_cid(&format!("{CID}%20"), "is not a CID"),
        no_cid(&format!("%2Fipfs%2F{CID}"), "is not a CID: it is a path (expected `Qm…` or a multibase CIDv1)"),
        no_cid("%ff", "`\u{fffd}` is not a CID"),
        no_cid("%00", "is not a CID: it has a control character"),
        no_cid("%1b%5b2J%C2%9b", "`\u{fffd}[2J\u{fffd}` is not a CID: it has a control character"),
        no_cid("%C2%A7", "`§` is not a CID"),
        no_cid("%2e%2e", "`..` is not a CID"),
        no_cid(&format!("z{}", "9".repeat(60_000)), "is not a CID: it has 60001 bytes, at most 1024 are read"),
        // Beyond what the HTTP library takes for a path.
        no_cid(&"z".repeat(70_000), ""),
    ])
    .await;
}
