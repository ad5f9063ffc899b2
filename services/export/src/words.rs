//! Rows without the addresses of strangers.

use std::borrow::Cow;

use parsec_measure::{Cell, CellKind, without_addresses};
use serde_json::Value;

/// The members of a trace that are addresses, and nothing else.
const ADDRESSES: &str = "addresses";

/// The cell as it may be given away.
pub(crate) fn anonymous(kind: CellKind, cell: Cell) -> Cell {
    match (kind, cell) {
        (CellKind::Words, Cell::Text(text)) => {
            let clean = match without_addresses(&text) {
                Cow::Borrowed(_) => None,
                Cow::Owned(clean) => Some(clean),
            };
            Cell::Text(clean.unwrap_or(text))
        }
        (CellKind::Document, Cell::Text(document)) => Cell::Text(anonymous_document(&document)),
        (_, cell) => cell,
    }
}

/// What is no JSON may have anything in it, and is taken for words.
fn anonymous_document(text: &str) -> String {
    let Ok(mut document) = serde_json::from_str::<Value>(text) else { return without_addresses(text).into_owned() };
    clean(&mut document);
    document.to_string()
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(clean) = without_addresses(text) {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(members) => {
            members.remove(ADDRESSES);
            members.values_mut().for_each(clean);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_loses_its_addresses_and_nothing_else() {
        let document = r#"{"requests":[{"peer":"12D3KooWx","error":"/ip4/192.0.2.9/tcp/1: refused","named":[{"peer":"12D3KooWy","addresses":["/ip4/192.0.2.9/tcp/1"]}]}],"returned":5}"#;
        let Cell::Text(clean) = anonymous(CellKind::Document, Cell::Text(document.to_owned())) else { panic!("text") };
        let clean: Value = serde_json::from_str(&clean).unwrap();
        let request = &clean["requests"][0];
        assert_eq!((&request["error"], &clean["returned"]), (&"<address> refused".into(), &5.into()));
        assert_eq!(request["named"][0], serde_json::json!({ "peer": "12D3KooWy" }));
    }

    #[test]
    fn words_lose_theirs_and_a_text_that_names_something_stays() {
        let text = || Cell::Text("192.0.2.9".to_owned());
        assert_eq!(anonymous(CellKind::Words, text()), Cell::Text("<address>".to_owned()));
        assert_eq!(anonymous(CellKind::Text, text()), text());
        assert_eq!(
            anonymous(CellKind::Document, Cell::Text("{192.0.2.9".to_owned())),
            Cell::Text("{192.0.2.9".to_owned())
        );
    }
}
