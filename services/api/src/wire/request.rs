//! What a scheduler asks a server to publish.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use parsec_measure::Content;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::text::cut;

/// The largest body of a request. Rounds publish 1,024 bytes, at most about 5 KiB in the wordiest shape;
/// 1 MiB leaves room for other experiments and keeps a stranger from filling the memory.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// The largest content: what fits into [`MAX_BODY_BYTES`] in the wordiest shape, five characters for each byte
/// (`255, `), so that the limit does not depend on the shape that a scheduler happens to speak.
pub const MAX_CONTENT_BYTES: usize = MAX_BODY_BYTES / 5;

/// Reads what Go and JavaScript write, as leniently as their own decoders do: the standard alphabet; some encoders leave the
/// padding out, and some leave bits set that belong to no byte.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Where a publication should go (2023 wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// Provider records in the DHT.
    #[default]
    Dht,
    /// An advertisement to the network indexers.
    Ipni,
}

/// Why a request cannot be served; the text is fit to be the body of a 400.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadRequest {
    /// More than a request can need.
    #[error("the body has {bytes} bytes, at most {MAX_BODY_BYTES} are taken")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// Not JSON, or not the JSON of a provide request.
    #[error(
        "the body is not a provide request: {reason}; expected {{\"Content\": base64 text or an array of bytes, \"Target\": \"DHT\" or \"IPNI\" (optional)}}, or {{\"CIDs\": array of CIDs, \"Strategy\": \"sweep\" (optional)}}"
    )]
    Malformed {
        /// What the decoder objected to, and where.
        reason: String,
    },
    /// A target that no server has.
    #[error("unknown `{member}` `{given}`; expected `DHT` or `IPNI`")]
    UnknownTarget {
        /// The member of the body that names it.
        member: &'static str,
        /// The target as given, cut to a sensible length.
        given: String,
    },
}

/// The body of `POST /provide`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProvideRequest {
    content: WireContent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// What Go schedulers wrote from 2023 to 2025 where others say `Target`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    routing: Option<String>,
}

impl ProvideRequest {
    /// Reads the body of a provide request, in either shape of its content.
    ///
    /// # Errors
    /// Says what is wrong with the body, in words for whoever sent it.
    pub fn decode(body: &[u8]) -> Result<(Content, Target), BadRequest> {
        if body.len() > MAX_BODY_BYTES {
            return Err(BadRequest::TooLarge { bytes: body.len() });
        }
        let malformed = |reason: String| BadRequest::Malformed { reason: cut(&reason) };
        let body = str::from_utf8(body).map_err(|error| malformed(format!("it is not UTF-8: {error}")))?;
        // serde would take an array of the fields in order for the object.
        match body.trim_ascii_start().bytes().next() {
            Some(b'{') => {}
            Some(_) => return Err(malformed("it is not a JSON object".to_owned())),
            None => return Err(malformed("it is empty".to_owned())),
        }
        let request: Self = serde_json::from_str(body).map_err(|error| malformed(error.to_string()))?;
        let target = read_target("Target", request.target.as_deref())?;
        let routing = read_target("Routing", request.routing.as_deref())?;
        Ok((Content::from(request.content.0), target.or(routing).unwrap_or_default()))
    }

    /// The body that publishes `content` in the DHT: base64, the shape that every server in the field reads,
    /// and without a target, which servers of 2026 do not know.
    pub fn encode(content: &Content) -> Vec<u8> {
        let request = Self { content: WireContent(content.bytes().to_vec()), target: None, routing: None };
        serde_json::to_vec(&request).expect("text in an object is always JSON")
    }
}

pub(super) fn read_target(member: &'static str, text: Option<&str>) -> Result<Option<Target>, BadRequest> {
    match text {
        // Go's zero value of a text: the scheduler has nothing to say.
        None | Some("") => Ok(None),
        Some("DHT") => Ok(Some(Target::Dht)),
        Some("IPNI") => Ok(Some(Target::Ipni)),
        Some(other) => Err(BadRequest::UnknownTarget { member, given: cut(other) }),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct WireContent(Vec<u8>);

impl Serialize for WireContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for WireContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor).map(Self)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`Content` as base64 text or as an array of bytes from 0 to 255")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let bytes = BASE64.decode(text).map_err(|error| E::custom(format!("`Content` is not base64: {error}")))?;
        if bytes.len() > MAX_CONTENT_BYTES { Err(too_much()) } else { Ok(bytes) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut bytes = Vec::new();
        while let Some(Byte(byte)) = items.next_element()? {
            if bytes.len() == MAX_CONTENT_BYTES {
                return Err(too_much());
            }
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

/// One byte of an array. Its own type for the words of its error.
struct Byte(u8);

impl<'de> Deserialize<'de> for Byte {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ByteVisitor).map(Self)
    }
}

struct ByteVisitor;

impl Visitor<'_> for ByteVisitor {
    type Value = u8;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer from 0 to 255")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u8, E> {
        u8::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    /// JSON knows one kind of number: `7.0` is an integer to whoever checks it against a schema.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<u8, E> {
        let is_byte = number.fract() == 0.0 && (0.0..=255.0).contains(&number);
        if is_byte { Ok(number as u8) } else { Err(E::invalid_value(de::Unexpected::Float(number), &self)) }
    }
}

fn too_much<E: de::Error>() -> E {
    E::custom(format!("`Content` has more than {MAX_CONTENT_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(body: &str) -> Result<(Vec<u8>, Target), String> {
        let (content, target) = ProvideRequest::decode(body.as_bytes()).map_err(|error| error.to_string())?;
        Ok((content.bytes().to_vec(), target))
    }

    #[test]
    fn both_shapes_of_content_are_read() {
        let hello = Ok((b"hello".to_vec(), Target::Dht));
        assert_eq!(decode(r#"{"Content":"aGVsbG8="}"#), hello, "what Go and JavaScript send");
        assert_eq!(decode(r#"{"Content":"aGVsbG8"}"#), hello, "without padding");
        assert_eq!(decode(r#"{"Content":[104,101,108,108,111]}"#), hello, "what the OpenAPI file of 2026 says");
        assert_eq!(decode(r#"{"Content":[104.0,101,1.08e2,108,111]}"#), hello, "however the integers are written");
        assert_eq!(decode(r#"{"Content":"","Extra":{"deep":[1]}}"#), Ok((vec![], Target::Dht)));
    }

    #[test]
    fn the_target_of_2023_is_read_and_defaults_to_the_dht() {
        for (json, target) in
            [(r#""DHT""#, Target::Dht), (r#""IPNI""#, Target::Ipni), (r#""""#, Target::Dht), ("null", Target::Dht)]
        {
            assert_eq!(decode(&format!(r#"{{"Content":"","Target":{json}}}"#)), Ok((vec![], target)));
            assert_eq!(decode(&format!(r#"{{"Content":"","Routing":{json}}}"#)), Ok((vec![], target)), "as Go had it");
        }
        assert_eq!(decode(r#"{"Content":"","Routing":"DHT","Target":"IPNI"}"#), Ok((vec![], Target::Ipni)));
    }

    #[test]
    fn base64_is_read_as_leniently_as_go_reads_it() {
        for (text, bytes) in [("AA==", [0]), ("AB==", [0]), ("AA", [0]), ("/w==", [255])] {
            assert_eq!(decode(&format!(r#"{{"Content":"{text}"}}"#)), Ok((bytes.to_vec(), Target::Dht)), "{text}");
        }
    }

    #[test]
    fn a_bad_body_is_refused_in_words() {
        for (body, word) in [
            ("", "it is empty"),
            (" \n", "it is empty"),
            (r#"{"Content":"#, "EOF"),
            ("\u{feff}{}", "not a JSON object"),
            (r#"{"Content":"","Content":""}"#, "duplicate field `Content`"),
            (r#"{"Content":""} {}"#, "trailing characters"),
            (r#"{"Content":"_w=="}"#, "`Content` is not base64"),
            (r#"{"Content":[99999999999999999999]}"#, "1e+20"),
            (r#"{"Content":["1"]}"#, "expected an integer from 0 to 255"),
            (r#"{"Content":"","Routing":"MOON"}"#, "unknown `Routing` `MOON`; expected `DHT` or `IPNI`"),
            ("{}", "missing field `Content`"),
            (r#"["aGVsbG8=", "DHT"]"#, "not a JSON object"),
            (r#"{"Content":7}"#, "base64 text or as an array of bytes"),
            (r#"{"Content":null}"#, "base64 text or as an array of bytes"),
            (r#"{"Content":"§"}"#, "`Content` is not base64"),
            (r#"{"Content":[256]}"#, "256"),
            (r#"{"Content":[-1]}"#, "-1"),
            (r#"{"Content":[1.5]}"#, "1.5"),
            (r#"{"Content":"","Target":"MOON"}"#, "unknown `Target` `MOON`; expected `DHT` or `IPNI`"),
        ] {
            let message = decode(body).unwrap_err();
            assert!(message.contains(word), "{body}: {message}");
        }
    }

    #[test]
    fn deep_nesting_does_not_end_the_stack() {
        let deep = "[".repeat(MAX_BODY_BYTES / 2);
        for (body, word) in [
            (format!(r#"{{"Extra":{deep}"#), "EOF"),
            (format!(r#"{{"Content":{deep}"#), "expected an integer from 0 to 255"),
            (format!(r#"{{"Content":"","Target":{deep}"#), "expected a string"),
        ] {
            let message = decode(&body).unwrap_err();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_named_with_their_place() {
        let message = ProvideRequest::decode(b"{\"Content\":\"\xff\"}").unwrap_err().to_string();
        assert!(message.contains("it is not UTF-8: invalid utf-8 sequence of 1 bytes from index 12"), "{message}");
    }

    #[test]
    fn content_has_the_same_limit_in_both_shapes() {
        let base64 =
            |bytes: usize| format!(r#"{{"Content":"{}"}}"#, general_purpose::STANDARD.encode(vec![255; bytes]));
        let array = |bytes: usize| format!(r#"{{"Content":[{}]}}"#, vec!["1"; bytes].join(","));
        for shape in [&base64 as &dyn Fn(usize) -> String, &array] {
            assert_eq!(decode(&shape(MAX_CONTENT_BYTES)).unwrap().0.len(), MAX_CONTENT_BYTES);
            assert!(decode(&shape(MAX_CONTENT_BYTES + 1)).unwrap_err().contains("more than"));
        }
    }

    #[test]
    fn a_body_beyond_the_limit_is_not_even_read() {
        let error = ProvideRequest::decode(&vec![b' '; MAX_BODY_BYTES + 1]).unwrap_err();
        assert_eq!(error, BadRequest::TooLarge { bytes: MAX_BODY_BYTES + 1 });
    }

    #[test]
    fn a_message_never_repeats_a_whole_body() {
        let body = format!(r#"{{"Content":"","Target":"{}"}}"#, "x".repeat(10_000));
        assert!(decode(&body).unwrap_err().len() < 1_000);
        assert!(decode(&format!("{:?}", "x".repeat(10_000))).unwrap_err().len() < 1_000);
    }

    #[test]
    fn what_we_send_is_what_go_schedulers_send() {
        let body = ProvideRequest::encode(&Content::from(b"hello".to_vec()));
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"Content":"aGVsbG8="}"#);
    }

    proptest! {
        #[test]
        fn encoding_and_decoding_are_inverse(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let content = Content::from(bytes);
            prop_assert_eq!(ProvideRequest::decode(&ProvideRequest::encode(&content)), Ok((content, Target::Dht)));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = ProvideRequest::decode(&body);
        }

        #[test]
        fn no_json_makes_the_decoder_panic(body in r#"\{"Content":[\[\]{}",0-9a-z:.e+-]{0,60}\}?"#) {
            let _ = ProvideRequest::decode(body.as_bytes());
        }
    }
}
