//! Flat tables, as they are taken along: columns that say what they mean, and rows of cells.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use chrono::{DateTime, Utc};

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// Text.
    Text,
    /// Text that may be a stranger's and name addresses, such as an error.
    Words,
    /// A trace as JSON, which names the addresses of providers.
    Document,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// True or false.
    Bool,
    /// A moment.
    Time,
}

impl CellKind {
    /// Its name in a data dictionary.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text | Self::Words => "text",
            Self::Document => "json",
            Self::Int => "integer",
            Self::Float => "number",
            Self::Bool => "boolean",
            Self::Time => "timestamp",
        }
    }
}

/// A column of a flat table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its cells hold.
    pub kind: CellKind,
    /// In which unit; empty if it has none.
    pub unit: &'static str,
    /// Whether cells may be missing.
    pub nullable: bool,
    /// What it means.
    pub meaning: &'static str,
}

/// A cell of a flat table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Not known, or there is none.
    Null,
    /// Text, words or a document.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A moment.
    Time(DateTime<Utc>),
}

/// What stands for an address.
const ADDRESS: &str = "<address>";

/// What multiaddresses begin with that say where somebody is.
const MULTIADDRESSES: [&str; 6] = ["/ip4/", "/ip6/", "/dns/", "/dns4/", "/dns6/", "/dnsaddr/"];

/// What stands between words.
fn is_border(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '(' | ')' | '<' | '>' | '=')
}

/// The multiaddresses that stand in a text.
pub fn multiaddresses_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_border).filter_map(|word| multiaddress_in(word).map(|start| &word[start..]))
}

/// Where in a word a multiaddress begins.
fn multiaddress_in(word: &str) -> Option<usize> {
    MULTIADDRESSES.iter().filter_map(|begin| word.find(begin)).min()
}

/// The text without the addresses in it: multiaddresses, IP addresses, and the hosts of URLs.
pub fn without_addresses(text: &str) -> Cow<'_, str> {
    let words = text.split(is_border);
    if !words.clone().any(|word| address_in(word).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut without = String::with_capacity(text.len());
    let mut done = 0;
    for word in words {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        without.push_str(&text[done..start]);
        match address_in(word) {
            Some(address) => {
                without.push_str(&word[..address.start]);
                without.push_str(ADDRESS);
                without.push_str(&word[address.end..]);
            }
            None => without.push_str(word),
        }
        done = start + word.len();
    }
    without.push_str(&text[done..]);
    Cow::Owned(without)
}

/// Where in a word an address is.
fn address_in(word: &str) -> Option<std::ops::Range<usize>> {
    if let Some(start) = multiaddress_in(word) {
        return Some(start..word.len());
    }
    if let Some(at) = word.find("://") {
        let host = at + 3;
        let length = word[host..].find('/').unwrap_or(word.len() - host);
        return (length > 0).then_some(host..host + length);
    }
    let bare = word.trim_end_matches(['.', ':', '!', '?']);
    let is_address = bare.parse::<SocketAddr>().is_ok()
        || bare.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    is_address.then_some(0..bare.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn multiaddresses_are_found_between_other_words() {
        let error = "refused (/ip4/10.0.0.1/tcp/1, 1 of 2 tried; also:/dns4/x.example/udp/1/quic-v1) by 10.0.0.2";
        let found: Vec<_> = multiaddresses_in(error).collect();
        assert_eq!(found, ["/ip4/10.0.0.1/tcp/1", "/dns4/x.example/udp/1/quic-v1"]);
        assert_eq!(multiaddresses_in("and/or").count(), 0);
    }

    #[test]
    fn addresses_of_every_form_give_way_and_the_words_around_them_stay() {
        for (text, expected) in [
            ("no answer", "no answer"),
            ("dial /ip4/192.0.2.9/tcp/4001/p2p/12D3KooWx: refused", "dial <address> refused"),
            ("[/dnsaddr/bootstrap.libp2p.io/p2p/Qm, /ip6/2001:db8::1/udp/1/quic-v1]", "[<address>, <address>"),
            ("cannot reach 192.0.2.7:7070: refused", "cannot reach <address>: refused"),
            ("(2001:db8::7) and [2001:db8::7]:4001.", "(<address>) and <address>."),
            ("http://192.0.2.7:7070/provide: timed out", "http://<address>/provide: timed out"),
            ("after 1.5 s, 3 of 20 at 12:30:00", "after 1.5 s, 3 of 20 at 12:30:00"),
            ("protocol /ipfs/kad/1.0.0 is not spoken", "protocol /ipfs/kad/1.0.0 is not spoken"),
        ] {
            assert_eq!(without_addresses(text), expected);
        }
    }

    proptest! {
        #[test]
        fn no_address_stays_wherever_it_stands(
            before in "[a-z ü=(]{0,9}[ =(]", ip in any::<IpAddr>(), port: u16, after in "[ ,)][a-z ü]{0,9}",
        ) {
            for address in [ip.to_string(), SocketAddr::new(ip, port).to_string(), format!("/ip4/{ip}/tcp/{port}")] {
                let text = format!("{before}{address}{after}");
                prop_assert_eq!(without_addresses(&text), format!("{before}<address>{after}"));
            }
        }

        #[test]
        fn any_text_is_taken_and_once_is_enough(text in "\\PC{0,60}") {
            let once = without_addresses(&text).into_owned();
            prop_assert_eq!(without_addresses(&once), once.as_str());
        }
    }
}
