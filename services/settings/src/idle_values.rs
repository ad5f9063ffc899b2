//! How settings without effect are read: each value is given back as a text that is the same for values that mean the same.

use crate::key::DHT_ONLY;
use crate::values::{self, Reading};

pub(super) fn positive_duration(text: &str) -> Reading<String> {
    values::positive_duration(text).map(|duration| duration.as_nanos().to_string())
}

pub(super) fn whole_number(text: &str) -> Reading<String> {
    values::within(0..=u32::MAX)(text).map(|number| number.to_string())
}

pub(super) fn port(text: &str) -> Reading<String> {
    values::within(0..=u16::MAX)(text).map(|number| number.to_string())
}

pub(super) fn switch(text: &str) -> Reading<String> {
    values::switch(text).map(|switch| switch.to_string())
}

pub(super) fn routing(text: &str) -> Reading<String> {
    match text {
        "DHT" => Ok(text.to_owned()),
        "IPNI" => Err(format!("{DHT_ONLY}; expected DHT")),
        _ => Err("expected DHT".to_owned()),
    }
}
