//! Why an operation failed, in words: those of a node on a wire, and of one on a model.

use std::time::Duration;

use crate::strategy::MAX_REQUESTS;

/// Nobody is in the routing table. This is Go's wording (`kbucket.ErrLookupFailure`): other programs look for it.
pub const NOBODY_TO_ASK: &str = "failed to find any peer in table";

/// All peers were asked, and none named a provider.
pub const NOT_FOUND: &str = "not found";

/// A publication wrote its record to nobody. What went wrong comes behind it.
pub const STORED_NOWHERE: &str = "failed to complete provide: record stored at no peer";

/// A lookup got no answer. What went wrong comes behind it.
pub const NO_ANSWER: &str = "no peer answered";

/// What a lookup had when its time was over.
pub const NOBODY_NAMED: &str = "no provider named by then";

/// What a publication had when its time was over.
pub fn stored_by_then(holders: u32) -> String {
    format!("record stored at {holders} peers by then")
}

/// The time for an operation was over.
pub fn out_of_time(limit: Duration, detail: &str) -> String {
    format!("context deadline exceeded: ended after {} s, {detail}", limit.as_secs_f64())
}

/// The network kept the operation busy with peers that led nowhere.
pub fn too_many_requests(detail: &str) -> String {
    format!(
        "gave up after {MAX_REQUESTS} requests, more than any lookup needs: peers name others that lead nowhere, {detail}"
    )
}

/// `what` came of it because so many requests failed, of which one is an example.
pub fn requests_failed(what: &str, failures: usize, example: Option<&str>) -> String {
    format!("{what}, {failures} requests failed, for instance: {}", example.unwrap_or("no request was sent"))
}
