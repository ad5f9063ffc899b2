use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The example of the specification: the hash of this CID and a slash, written out there.
const KNOWN_CID: &str = "bafybeiefwqslmf6zyyrxodaxx4vwqircuxpza5ri45ws3y5a62ypxti42e";
const KNOWN_ANCHOR: &str = "d9d295bde21f422d471a90f2a37ec53049fdf3e5fa3ee2e8f20e10003da429e7";

const CID_V0: &str = "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4";

fn cid(text: &str) -> Cid {
    text.parse().unwrap()
}

fn key(text: &str) -> Vec<u8> {
    cid(text).hash().to_bytes()
}

fn badbits(text: &str) -> Result<Badbits, BadLine> {
    let mut reader = BadbitsReader::default();
    text.lines().try_for_each(|line| reader.line(line))?;
    reader.finish()
}

fn denied(text: &str) -> Result<DeniedCids, BadLine> {
    let mut reader = DeniedCidsReader::default();
    text.lines().try_for_each(|line| reader.line(line))?;
    Ok(reader.finish())
}

/// A badbits line, from the definition.
fn line_of(cid: &Cid) -> String {
    let digest = Sha256::digest(format!("{cid}/"));
    format!("//{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// List and source of where a key stands.
fn found<'a>(lists: &'a Denylists, key: &[u8]) -> Vec<(DenylistName, Option<&'a str>)> {
    lists.find(key).into_iter().map(|denied| (denied.list, denied.source)).collect()
}

fn only_badbits(text: &str) -> Denylists {
    Denylists { badbits: Some(badbits(text).unwrap()), denied_cids: None }
}

fn only_denied(text: &str) -> Denylists {
    Denylists { badbits: None, denied_cids: Some(denied(text).unwrap()) }
}

#[test]
fn the_hash_that_the_specification_writes_out_is_found_by_the_multihash_of_its_cid() {
    let lists = only_badbits(&format!("//{KNOWN_ANCHOR}\n"));
    let denied = Denied { list: DenylistName::Badbits, cid: KNOWN_CID.to_owned(), source: None };
    assert_eq!(lists.find(&key(KNOWN_CID)), [denied]);
    assert_eq!(lists.find(&key(CID_V0)), []);
}

#[test]
fn a_badbits_list_is_read_with_header_comments_hints_and_rules_of_other_kinds() {
    let list = badbits(&format!(
        "version: 1\nname: a list\nhints:\n  gateway_status: 410\n---\n\n# a comment\n//{KNOWN_ANCHOR}\r\n\
         //{} gateway_status=451\n/ipfs/{KNOWN_CID}\n!/ipfs/{KNOWN_CID}/x\n/ipns/example.org\n\
         //QmX9dhRcQcKUw3Ws8485T5a9dtjrSCQaUAHnG4iK9i4ceM\n//8Vx3\n//{}\n",
        "0".repeat(64),
        KNOWN_ANCHOR.to_uppercase(),
    ))
    .unwrap();
    assert_eq!((list.len(), list.skipped()), (2, 5), "each hash counts once, the header not at all");
}

#[test]
fn a_hash_that_is_none_is_shown_with_what_would_be_right() {
    for line in ["//", "//abc", &format!("//{}", "0".repeat(63)), &format!("//{}g", "0".repeat(63)), "//a b", "//ä/"] {
        let error = badbits(line).unwrap_err().to_string();
        assert_eq!(error, format!("cannot use `{line}`: {EXPECTED_HASH}"));
    }
    let error = badbits(&format!("//{}", "0".repeat(1_000_000))).unwrap_err();
    assert_eq!(error.text, format!("//{}…", "0".repeat(SHOWN_CHARS - 2)));
}

#[test]
fn a_file_of_another_kind_is_no_badbits_list_and_an_empty_one_is() {
    for text in ["<html>\n<body>Not Found", "[{\"anchor\": \"363783d6\"}]", "cid,source"] {
        assert!(badbits(text).unwrap_err().reason.contains("no line of it is an entry"), "{text}");
    }
    for text in ["", "\n\n# nothing yet\n", "version: 1\n---\n"] {
        assert!(badbits(text).unwrap().is_empty(), "{text}");
    }
}

#[test]
fn denied_cids_are_read_with_header_quotes_and_their_source() {
    let text = format!("\u{feff}CID,Source\r\n{CID_V0},plain\n\n \"{KNOWN_CID}\",\"a, \"\"b\"\"\" \n");
    let lists = only_denied(&text);
    assert_eq!(lists.denied_cids.as_ref().unwrap().len(), 2);
    assert_eq!(found(&lists, &key(CID_V0)), [(DenylistName::DeniedCids, Some("plain"))]);
    assert_eq!(found(&lists, &key(KNOWN_CID)), [(DenylistName::DeniedCids, Some("a, \"b\""))]);
    assert_eq!(denied(&format!("{CID_V0},x")).unwrap().len(), 1, "without a header");
    assert!(denied("cid,source\n").unwrap().is_empty());
}

#[test]
fn of_two_sources_of_one_cid_the_later_one_counts() {
    let lists = only_denied(&format!("{CID_V0},first\n{KNOWN_CID},other\n{CID_V0},second"));
    assert_eq!(found(&lists, &key(CID_V0)), [(DenylistName::DeniedCids, Some("second"))]);
}

#[test]
fn a_denied_cid_that_is_none_is_shown_with_what_would_be_right() {
    for (line, reason) in [
        ("Qmnonsense,x", "the first column is not a CID"),
        ("cid,source", "the first column is not a CID"),
        (CID_V0, "there is one column only"),
        ("a,b,c", "there are more than two columns"),
        ("\"a,b", "a quote is not closed on its line"),
        ("\"a\"b,c", "a quote is followed by neither a comma nor the end"),
    ] {
        // A header may stand in the first line only.
        let error = denied(&format!("{KNOWN_CID},x\n{line}")).unwrap_err();
        assert_eq!(error.text, line);
        assert!(error.reason.starts_with(reason) && error.reason.ends_with("; expected CID,SOURCE"), "{error}");
    }
}

#[test]
fn a_cid_of_any_encoding_denies_its_multihash() {
    // libp2p-key (0x72) and git-raw (0x78) are never tried.
    for codec in CODECS.into_iter().chain([0x72, 0x78]) {
        let lists = only_denied(&format!("{},x", Cid::new_v1(codec, *cid(CID_V0).hash())));
        assert_eq!(found(&lists, &key(CID_V0)), [(DenylistName::DeniedCids, Some("x"))], "{codec:#x}");
    }
}

#[test]
fn a_key_can_stand_on_both_lists_and_counts_once_on_each() {
    let both = CODECS.map(|codec| Cid::new_v1(codec, *cid(CID_V0).hash()));
    let lists = Denylists {
        badbits: Some(badbits(&both.iter().map(line_of).collect::<Vec<_>>().join("\n")).unwrap()),
        denied_cids: Some(denied(&both.iter().map(|cid| format!("{cid},x\n")).collect::<String>()).unwrap()),
    };
    assert_eq!(lists.names(), [DenylistName::Badbits, DenylistName::DeniedCids]);
    assert_eq!(found(&lists, &key(CID_V0)), [(DenylistName::Badbits, None), (DenylistName::DeniedCids, Some("x"))]);
}

#[test]
fn what_is_no_multihash_stands_nowhere() {
    let lists = only_badbits(&format!("//{KNOWN_ANCHOR}"));
    for key in [&[][..], &[0x12], &[0x12, 0x20, 1, 2, 3], &[0xff; 200]] {
        assert_eq!(lists.find(key), []);
    }
}

#[test]
fn more_sources_than_are_told_apart_leave_the_entries_in_place() {
    let mut reader = DeniedCidsReader::default();
    for source in 0..=MAX_SOURCES {
        reader.source(&source.to_string());
    }
    reader.line(&format!("{CID_V0},one too many")).unwrap();
    let lists = Denylists { badbits: None, denied_cids: Some(reader.finish()) };
    assert_eq!(found(&lists, &key(CID_V0)), [(DenylistName::DeniedCids, None)]);
}

fn multihash() -> impl Strategy<Value = Multihash<64>> {
    vec(any::<u8>(), 0..=4).prop_map(|digest| Multihash::wrap(0x12, &digest).unwrap())
}

proptest! {
    #[test]
    fn exactly_what_is_listed_is_found(
        listed in vec((multihash(), 0..CODECS.len()), 0..20),
        asked in multihash(),
    ) {
        let cids: Vec<Cid> = listed.iter().map(|(hash, codec)| Cid::new_v1(CODECS[*codec], *hash)).collect();
        let lists = Denylists {
            badbits: Some(badbits(&cids.iter().map(line_of).collect::<Vec<_>>().join("\n")).unwrap()),
            denied_cids: Some(denied(&cids.iter().map(|cid| format!("{cid},x\n")).collect::<String>()).unwrap()),
        };
        let expected = if listed.iter().any(|(hash, _)| *hash == asked) { 2 } else { 0 };
        prop_assert_eq!(lists.find(&asked.to_bytes()).len(), expected);
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "(//|\"|,|---|Qm|[ -~]|\\PC|\n){0,60}") {
        let _ = badbits(&text);
        let _ = denied(&text);
    }

    #[test]
    fn a_field_in_quotes_says_what_was_put_into_it(source in "[ -~]{0,20}") {
        let quoted = source.replace('"', "\"\"");
        prop_assert_eq!(fields(&format!("a,\"{quoted}\"")), Ok(["a".to_owned(), source]));
    }
}
