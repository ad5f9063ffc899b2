use super::*;
use cid::Version;
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

/// Of `hello world`.
const CID: &str = "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4";

/// The multicodec code of content that is its own hash (multicodec table).
const IDENTITY: u64 = 0x00;

/// A CIDv1 of raw bytes as bytes: its multihash has this function, this length and this digest.
fn v1(function: u64, length: usize, digest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x01, RAW as u8];
    let mut buffer = unsigned_varint::encode::u64_buffer();
    bytes.extend(unsigned_varint::encode::u64(function, &mut buffer));
    bytes.extend(unsigned_varint::encode::u64(length as u64, &mut buffer));
    bytes.extend(digest);
    bytes
}

fn identity(length: usize) -> Vec<u8> {
    v1(IDENTITY, length, &vec![0xfb; length])
}

fn refused(text: &str) -> String {
    text.parse::<Cid>().unwrap_err().to_string()
}

/// Every multibase that is text, so that it can stand in a line.
const BASES: [Base; 23] = [
    Base::Base2,
    Base::Base8,
    Base::Base10,
    Base::Base16Lower,
    Base::Base16Upper,
    Base::Base32Lower,
    Base::Base32Upper,
    Base::Base32PadLower,
    Base::Base32PadUpper,
    Base::Base32HexLower,
    Base::Base32HexUpper,
    Base::Base32HexPadLower,
    Base::Base32HexPadUpper,
    Base::Base32Z,
    Base::Base36Lower,
    Base::Base36Upper,
    Base::Base58Flickr,
    Base::Base58Btc,
    Base::Base64,
    Base::Base64Pad,
    Base::Base64Url,
    Base::Base64UrlPad,
    Base::Base256Emoji,
];

#[test]
fn a_known_content_has_the_cid_that_go_computes() {
    // `echo -n "hello world" | ipfs add --raw-leaves=false` hashes a wrapped block; this is the bare sha2-256 of the bytes,
    // which is what `kad-dht` servers of the original return.
    let cid = Content::from(b"hello world".to_vec()).cid();
    assert_eq!(cid.to_string(), "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4");
}

#[test]
fn the_same_seed_gives_the_same_content() {
    let content = |seed| Content::random(&mut StdRng::seed_from_u64(seed));
    assert_eq!(content(7), content(7));
    assert_ne!(content(7), content(8));
    assert_eq!(content(7).bytes().len(), CONTENT_BYTES);
}

#[test]
fn version_1_is_read_and_names_the_same_multihash() {
    let v0: Cid = "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4".parse().unwrap();
    let v1: Cid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e".parse().unwrap();
    assert_eq!((v1.multihash(), &v1), (v0.multihash(), &v0.raw_v1()));
    assert_eq!(v0.multihash()[..2], [0x12, 0x20]);
}

#[test]
fn what_is_no_cid_is_named_in_the_message() {
    let message = "Qmnonsense".parse::<Cid>().unwrap_err().to_string();
    assert!(message.contains("`Qmnonsense` is not a CID"), "{message}");
}

#[test]
fn a_path_with_a_cid_in_it_is_no_cid() {
    for text in [
        "/ipfs/QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4",
        "x/ipfs/QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4",
    ] {
        let message = text.parse::<Cid>().unwrap_err().to_string();
        assert!(message.contains("it is a path"), "{message}");
    }
}

#[test]
fn base64_has_slashes_and_is_no_path() {
    // Digests of 0xff are all slashes in base64; the second one reads like a path with a CID in it.
    let slashes = multibase::encode(Base::Base64, v1(SHA2_256, 32, &[0xff; 32]));
    // Six bytes, four of them before the digest, make eight characters.
    let path = Base::Base64.decode(format!("/ipfs/{}", &CID[..34])).unwrap();
    let path = multibase::encode(Base::Base64, v1(SHA2_256, 32, &[vec![0xff; 2], path].concat()));
    assert!(slashes.contains("//////") && path.contains("/ipfs/Qm"), "{slashes} {path}");
    for text in [slashes, path] {
        let cid: Cid = text.parse().unwrap();
        assert_eq!(cid.to_string().parse(), Ok(cid), "{text}");
    }
    assert!(refused("m/ipfs/").contains("is not a CID"));
}

#[test]
fn bytes_behind_the_multihash_are_counted() {
    let v0 = Content::from(vec![]).cid().multihash();
    for (extra, words) in [(1, "a byte follows its multihash"), (2, "2 bytes follow"), (500, "500 bytes follow")] {
        for whole in [v0.clone(), v1(SHA2_256, 32, &[7; 32]), identity(78)] {
            let text = multibase::encode(Base::Base58Btc, [whole, vec![0; extra]].concat());
            assert!(refused(&text).contains(words), "{}", refused(&text));
        }
    }
}

#[test]
fn a_key_that_no_dht_takes_is_told_so() {
    for (content, whole) in [(78, true), (79, false), (127, false), (128, false), (400, false)] {
        let text = multibase::encode(Base::Base32Lower, identity(content));
        match text.parse::<Cid>() {
            Ok(cid) => assert!(whole && cid.multihash().len() == 80 && cid.to_string() == text, "{content}"),
            Err(error) => {
                let bytes = content + if content < 128 { 2 } else { 3 };
                let words = format!("its multihash has {bytes} bytes, and no DHT keeps records of one over 80");
                assert!(!whole && error.to_string().contains(&words), "{content}: {error}");
            }
        }
    }
}

#[test]
fn what_is_wrong_with_a_cid_is_said() {
    let base32 = |bytes: &[u8]| multibase::encode(Base::Base32Lower, bytes);
    let hello = CID;
    for (text, words) in [
        (String::new(), "it is empty"),
        (hello[..45].to_owned(), "a CIDv0 has 46 characters, this has 45"),
        (format!("{hello}z"), "a CIDv0 has 46 characters, this has 47"),
        (format!("{hello} "), "it is not base58"),
        (format!("Qm{}", "z".repeat(44)), "it is not a sha2-256 multihash"),
        (format!("{hello}\n"), "it has a control character"),
        ("\0\u{1}U\0\0".to_owned(), "it has a control character"),
        ("\u{9b}31m".to_owned(), "it has a control character"),
        ("b".to_owned(), "it has no version where one should be"),
        (base32(&[0x01]), "it has no codec where one should be"),
        (base32(&[0x00, 0x55]), "its version is 0, and there are 0 and 1"),
        (base32(&[0x02, 0x55]), "its version is 2, and there are 0 and 1"),
        (base32(&[0x01, 0x80, 0x00]), "it has no codec where one should be"),
        (base32(&[0x01, 0x55]), "it has no hash function where one should be"),
        (base32(&[0x01, 0x55, 0x12]), "it has no length of a digest where one should be"),
        (base32(&v1(SHA2_256, 32, &[7; 31])), "its digest should have 32 bytes, and has 31"),
        (base32(&v1(SHA2_256, usize::MAX, &[7; 31])), "bytes, and has 31"),
        (base32(&[0x12, 0x20, 7]), "its digest should have 32 bytes, and has 1"),
        ("!abc".to_owned(), "is not a CID"),
        ("bafkre1".to_owned(), "is not a CID"),
    ] {
        assert!(refused(&text).contains(words), "{text:?}: {}", refused(&text));
        assert!(!refused(&text).contains(char::is_control), "{text:?}");
    }
}

#[test]
fn the_longest_cid_is_read_and_a_longer_text_is_not_even_tried() {
    let multihash = Multihash::<MAX_DIGEST_BYTES>::wrap(u64::MAX >> 1, &[0xff; MAX_KEY_BYTES - 10]).unwrap();
    let longest = CidGeneric::new_v1(u64::MAX >> 1, multihash);
    let longest = longest.to_string_of_base(Base::Base2).unwrap();
    assert!(longest.len() < MAX_CID_CHARS && longest.parse::<Cid>().is_ok(), "{} characters", longest.len());
    let message = refused(&format!("z{}", "9".repeat(MAX_CID_CHARS)));
    assert!(message.contains("it has 1025 bytes, at most 1024 are read"), "{message}");
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let cid = Content::from(bytes).cid();
        prop_assert_eq!(cid.to_string().parse::<Cid>().unwrap(), cid);
    }

    #[test]
    fn every_cid_is_read_in_every_multibase_and_with_nothing_behind_it(
        codec in any::<u64>(),
        function in 0..1_u64 << 42,
        digest in proptest::collection::vec(any::<u8>(), 0..=72),
        base in proptest::sample::select(BASES.to_vec()),
        behind in proptest::collection::vec(any::<u8>(), 1..20),
    ) {
        let codec = codec >> 1;
        let multihash = Multihash::<MAX_DIGEST_BYTES>::wrap(function, &digest).unwrap();
        let cid = CidGeneric::new_v1(codec, multihash);
        let text = multibase::encode(base, cid.to_bytes());
        prop_assume!(text.len() <= MAX_CID_CHARS);
        prop_assert_eq!(text.parse::<Cid>(), Ok(Cid(cid)), "{}", text);
        let longer = multibase::encode(base, [cid.to_bytes(), behind].concat());
        prop_assert!(longer.parse::<Cid>().is_err(), "{}", longer);
    }

    #[test]
    fn what_is_read_is_a_key_of_the_dht_and_is_read_by_the_library_as_the_same(text in "[mMuUbBzkf0-9a-zA-Z/+]{0,120}") {
        if let Ok(cid) = text.parse::<Cid>() {
            prop_assert!((2..=MAX_KEY_BYTES).contains(&cid.multihash().len()));
            prop_assert_eq!(cid.to_string().parse::<Cid>(), Ok(cid.clone()));
            prop_assert!(cid.0.version() == Version::V1 || cid.to_string().len() == V0_CHARS);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}|(Qm|m|z|b|u|f)[0-9A-Za-z/+=_-]{0,200}") {
        let _ = text.parse::<Cid>();
    }
}
